/**
 * Asks the pods of every stage for their status, off the queue. A pipeline is looked at again when what its pods say has
 * changed in a way that its status shows. Namespaces take turns, none may have many questions open or keep much, and a
 * pod that stays silent is asked less and less often: it costs its own pipeline.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { label, lagOf, readStageStatus, type StageStatus } from "@caudal/crds";
import { FairLine } from "../controller/fair-line.ts";
import { type Clock, monotonic } from "../kube/clock.ts";
import type { KubeObject } from "../kube/object.ts";
import type { AskStage } from "./ask-stage.ts";

export interface StageAnswer {
  /** When it came, on the operator's monotonic clock, as the other times here. */
  readonly at: number;
  /** When its heartbeat was last seen to move: a pod's own date may be wrong, or jump. */
  readonly heartbeatAt: number;
  readonly value: StageStatus;
  /** Lag at the look before, to tell whether it grows. */
  readonly previousLag: number | undefined;
}

export interface AskedPod {
  readonly answer?: StageAnswer;
  readonly error?: string;
}

export interface StagePollerOptions {
  readonly pods: () => readonly KubeObject[];
  readonly ask: AskStage;
  readonly onChange: (pipelineKey: string) => void;
  readonly onAsked: (result: "ok" | "error") => void;
  readonly log: Logger;
  readonly everyMs?: number;
  readonly clock?: Clock;
}

const EVERY_MS = 5_000;
/** Questions that are open at once, of all namespaces and of one. */
const OPEN = 64;
const OPEN_OF_NAMESPACE = 8;
/** What is kept of the answers of one namespace's pods. */
const KEPT_OF_NAMESPACE = 16 * 1024 * 1024;
/** Questions that a pod may leave without an answer before it is asked less often, and how seldom at most. */
const SILENT = 3;
const SELDOM_MS = 60_000;
/** How far back "growing" looks. */
const TREND_MS = 60_000;

export class StagePoller {
  readonly #options: StagePollerOptions;
  readonly #clock: Clock;
  readonly #asked = new Map<string, AskedPod>();
  readonly #trend = new Map<string, { at: number; lag: number }>();
  readonly #silent = new Map<string, Silence>();
  /** Length of the last answer by pod, and of all answers by namespace. */
  readonly #bytes = new Map<string, { readonly namespace: string; readonly bytes: number }>();
  readonly #kept = new Map<string, number>();
  /** Pods that wait to be asked. */
  readonly #line = new FairLine<KubeObject>();
  /** By pod that waits to be asked or for its answer, what to call then. */
  readonly #due = new Map<string, () => void>();
  /** Open questions, by namespace. */
  readonly #open = new Map<string, number>();
  #opened = 0;
  readonly #abort = new AbortController();
  #lastActivity: number;
  #running: Promise<void> | undefined;

  constructor(options: StagePollerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? monotonic;
    this.#lastActivity = this.#clock();
  }

  get lastActivity(): number {
    return this.#lastActivity;
  }

  /** What a pod said last. */
  of(pod: KubeObject): AskedPod | undefined {
    return this.#asked.get(pod.metadata.uid ?? "");
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /** Asks every running pod once that is not asked already and whose time has come. Resolves when all have been asked. */
  async round(): Promise<void> {
    const pods = this.#options.pods().filter(isRunning);
    const present = new Set(pods.map((pod) => pod.metadata.uid ?? ""));
    for (const uid of this.#bytes.keys()) if (!present.has(uid)) this.#keep(uid, undefined);
    for (const known of [this.#asked, this.#trend, this.#silent])
      for (const uid of known.keys()) if (!present.has(uid)) known.delete(uid);
    const now = this.#clock();
    const asked = pods.flatMap((pod) => {
      const uid = pod.metadata.uid ?? "";
      if (this.#due.has(uid) || !isDue(this.#silent.get(uid), pod, now)) return [];
      this.#line.add(pod.metadata.namespace, pod);
      return new Promise<void>((resolve) => this.#due.set(uid, resolve));
    });
    this.#openMore();
    await Promise.all(asked);
  }

  #openMore(): void {
    while (this.#opened < OPEN) {
      const pod = this.#line.take((namespace) => (this.#open.get(namespace) ?? 0) < OPEN_OF_NAMESPACE);
      if (pod === undefined) return;
      this.#count(pod, 1);
      void this.#one(pod).then((changed) => {
        this.#count(pod, -1);
        if (changed) this.#options.onChange(ownerKey(pod));
        const uid = pod.metadata.uid ?? "";
        this.#due.get(uid)?.();
        this.#due.delete(uid);
        this.#openMore();
      });
    }
  }

  #count({ metadata: { namespace } }: KubeObject, more: 1 | -1): void {
    this.#opened += more;
    const open = (this.#open.get(namespace) ?? 0) + more;
    if (open > 0) this.#open.set(namespace, open);
    else this.#open.delete(namespace);
  }

  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      // Not waited for: those that are silent would delay the others' next turn.
      void this.round();
      this.#lastActivity = this.#clock();
      await sleep(this.#options.everyMs ?? EVERY_MS, undefined, { signal: this.#abort.signal }).catch(() => undefined);
    }
  }

  async #one(pod: KubeObject): Promise<boolean> {
    const uid = pod.metadata.uid ?? "";
    const before = this.#asked.get(uid);
    let after: AskedPod;
    try {
      const { body, bytes } = await this.#options.ask(pod);
      const value = readStageStatus(body);
      if (value === undefined) throw new TypeError("the answer on /status is not of the agreed form");
      this.#keep(uid, { namespace: pod.metadata.namespace, bytes });
      this.#silent.delete(uid);
      const at = this.#clock();
      const { heartbeat } = before?.answer?.value ?? {};
      const heartbeatAt = heartbeat === value.heartbeat ? (before?.answer?.heartbeatAt ?? at) : at;
      after = { answer: { at, heartbeatAt, value, previousLag: this.#previousLag(uid, value) } };
      this.#options.onAsked("ok");
    } catch (error) {
      after = {
        ...(this.#bytes.has(uid) ? before : {}),
        error: error instanceof Error ? error.message : String(error),
      };
      this.#silent.set(uid, silenceAfter(this.#silent.get(uid), pod, this.#clock()));
      this.#options.onAsked("error");
      this.#options.log.debug({ pod: pod.metadata.name, error: after.error }, "a pod did not tell its status");
    }
    this.#asked.set(uid, after);
    return digest(before) !== digest(after);
  }

  /** @throws TypeError when the pods of its namespace have said too much together */
  #keep(uid: string, answer: { readonly namespace: string; readonly bytes: number } | undefined): void {
    const before = this.#bytes.get(uid);
    if (before !== undefined) {
      this.#bytes.delete(uid);
      const left = (this.#kept.get(before.namespace) ?? 0) - before.bytes;
      if (left > 0) this.#kept.set(before.namespace, left);
      else this.#kept.delete(before.namespace);
    }
    if (answer === undefined) return;
    const kept = (this.#kept.get(answer.namespace) ?? 0) + answer.bytes;
    if (kept > KEPT_OF_NAMESPACE)
      throw new TypeError(`the answers of the pods in ${answer.namespace} are longer than 16 MiB together`);
    this.#bytes.set(uid, answer);
    this.#kept.set(answer.namespace, kept);
  }

  #previousLag(uid: string, value: StageStatus): number | undefined {
    const lag = lagOf(value);
    // Where it is not known nothing can be said of its growth.
    if (lag === undefined) return undefined;
    const old = this.#trend.get(uid);
    if (old === undefined || this.#clock() - old.at >= TREND_MS) this.#trend.set(uid, { at: this.#clock(), lag });
    return old?.lag;
  }
}

/** Of a pod that did not answer. */
interface Silence {
  readonly times: number;
  readonly until: number;
  /** Version of the pod's object: when that changes, something has happened to it. */
  readonly version: string | undefined;
}

function silenceAfter(before: Silence | undefined, { metadata }: KubeObject, now: number): Silence {
  const times = (before?.times ?? 0) + 1;
  const waitMs = times < SILENT ? 0 : Math.min(EVERY_MS * 2 ** (times - SILENT + 1), SELDOM_MS);
  return { times, until: now + waitMs, version: metadata.resourceVersion };
}

function isDue(silence: Silence | undefined, { metadata }: KubeObject, now: number): boolean {
  return silence === undefined || now >= silence.until || silence.version !== metadata.resourceVersion;
}

/** Changes only when a pipeline's status would: states, error, magnitude of lag, its slot, whether events were put aside. */
function digest(asked: AskedPod | undefined): string {
  const value = asked?.answer?.value;
  if (value === undefined) return `unknown ${asked?.error === undefined}`;
  const lag = lagOf(value);
  const magnitude = lag === undefined ? "unknown" : Math.ceil(Math.log10(lag + 1));
  // From the 16 MiB of one file of the log on.
  const retained = Math.ceil(Math.log2(Math.max(value.slot?.retained ?? 0, 2 ** 24)) / 2);
  return [
    value.state,
    value.error?.reason,
    magnitude,
    value.slot?.wal,
    retained,
    value.deadLetters,
    value.reads?.topicId,
    value.replaced?.topicId,
    (value.lost ?? []).reduce((sum, { offsets }) => sum + offsets, 0),
    asked?.error === undefined,
  ].join(" ");
}

function ownerKey(pod: KubeObject): string {
  return `${pod.metadata.namespace}/${pod.metadata.labels?.[label.pipeline] ?? ""}`;
}

function isRunning(pod: KubeObject): boolean {
  return pod.status?.["phase"] === "Running" && typeof pod.status["podIP"] === "string";
}
