/**
 * Asks the pods of every stage for their status over HTTP, off the queue: a slow pod delays nobody. A pipeline is
 * looked at again when what its pods say has changed in a way that its status shows.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { HTTP_PORT, label, lagOf, readStageStatus, type StageStatus } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";

export interface StageAnswer {
  readonly at: number;
  readonly value: StageStatus;
  /** Lag at the look before, to tell whether it grows. */
  readonly previousLag: number | undefined;
  /** When the number of dead letters was last seen to grow. */
  readonly deadLettersAt: number | undefined;
}

export interface AskedPod {
  readonly answer?: StageAnswer;
  readonly error?: string;
}

export type AskStage = (pod: KubeObject) => Promise<unknown>;

export interface StagePollerOptions {
  readonly pods: () => readonly KubeObject[];
  readonly ask: AskStage;
  readonly onChange: (pipelineKey: string) => void;
  readonly onAsked: (result: "ok" | "error") => void;
  readonly log: Logger;
  readonly everyMs?: number;
  readonly now?: () => number;
}

const EVERY_MS = 5_000;
const TIMEOUT_MS = 2_000;
const TOGETHER = 32;
const ANSWER_LIMIT = 4 * 1024 * 1024;
/** How far back "growing" looks. */
const TREND_MS = 60_000;

export class StagePoller {
  readonly #options: StagePollerOptions;
  readonly #now: () => number;
  readonly #asked = new Map<string, AskedPod>();
  readonly #trend = new Map<string, { at: number; lag: number }>();
  readonly #abort = new AbortController();
  #lastActivity: number;
  #running: Promise<void> | undefined;

  constructor(options: StagePollerOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#lastActivity = this.#now();
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

  /** Asks every running pod once. */
  async round(): Promise<void> {
    const pods = this.#options.pods().filter(isRunning);
    const present = new Set(pods.map((pod) => pod.metadata.uid ?? ""));
    for (const uid of this.#asked.keys()) if (!present.has(uid)) this.#asked.delete(uid);
    for (const uid of this.#trend.keys()) if (!present.has(uid)) this.#trend.delete(uid);
    const changed = new Set<string>();
    const rest = [...pods];
    const worker = async (): Promise<void> => {
      for (let pod = rest.pop(); pod !== undefined; pod = rest.pop())
        if (await this.#one(pod)) changed.add(ownerKey(pod));
    };
    await Promise.all(Array.from({ length: Math.min(TOGETHER, pods.length) }, worker));
    for (const key of changed) this.#options.onChange(key);
  }

  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      await this.round();
      this.#lastActivity = this.#now();
      await sleep(this.#options.everyMs ?? EVERY_MS, undefined, { signal: this.#abort.signal }).catch(() => undefined);
    }
  }

  async #one(pod: KubeObject): Promise<boolean> {
    const uid = pod.metadata.uid ?? "";
    const before = this.#asked.get(uid);
    let after: AskedPod;
    try {
      const value = readStageStatus(await this.#options.ask(pod));
      if (value === undefined) throw new TypeError("the answer on /status is not of the agreed form");
      const at = this.#now();
      const grew = value.deadLetters > (before?.answer?.value.deadLetters ?? 0);
      const deadLettersAt = grew ? at : before?.answer?.deadLettersAt;
      after = { answer: { at, value, previousLag: this.#previousLag(uid, value), deadLettersAt } };
      this.#options.onAsked("ok");
    } catch (error) {
      after = { ...before, error: error instanceof Error ? error.message : String(error) };
      this.#options.onAsked("error");
      this.#options.log.debug({ pod: pod.metadata.name, error: after.error }, "a pod did not tell its status");
    }
    this.#asked.set(uid, after);
    return digest(before) !== digest(after);
  }

  #previousLag(uid: string, value: StageStatus): number | undefined {
    const lag = lagOf(value);
    const old = this.#trend.get(uid);
    if (old === undefined || this.#now() - old.at >= TREND_MS) this.#trend.set(uid, { at: this.#now(), lag });
    return old?.lag;
  }
}

/** Changes only when a pipeline's status would: states, error, magnitude of lag, its slot, whether events were put aside. */
function digest(asked: AskedPod | undefined): string {
  const value = asked?.answer?.value;
  if (value === undefined) return `unknown ${asked?.error === undefined}`;
  const magnitude = Math.ceil(Math.log10(lagOf(value) + 1));
  // From the 16 MiB of one file of the log on.
  const retained = Math.ceil(Math.log2(Math.max(value.slot?.retained ?? 0, 2 ** 24)) / 2);
  return [
    value.state,
    value.error?.reason,
    magnitude,
    value.slot?.wal,
    retained,
    value.deadLetters,
    asked?.error === undefined,
  ].join(" ");
}

function ownerKey(pod: KubeObject): string {
  return `${pod.metadata.namespace}/${pod.metadata.labels?.[label.pipeline] ?? ""}`;
}

function isRunning(pod: KubeObject): boolean {
  return pod.status?.["phase"] === "Running" && typeof pod.status["podIP"] === "string";
}

/** GET http://<pod>:8080/status. */
export const askOverHttp: AskStage = async (pod) => {
  const ip = String(pod.status?.["podIP"]);
  const host = ip.includes(":") ? `[${ip}]` : ip;
  const response = await fetch(`http://${host}:${HTTP_PORT}/status`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
    redirect: "error",
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new TypeError(`GET /status answered ${response.status}`);
  }
  const text = await response.text();
  if (text.length > ANSWER_LIMIT) throw new TypeError("the answer on /status is longer than 4 MiB");
  return JSON.parse(text) as unknown;
};
