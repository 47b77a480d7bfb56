/** Events for people (`kubectl describe`): one object a fact, repeated facts are counted on it. */
import { createHash } from "node:crypto";
import type { Logger } from "pino";
import type { KubeClient } from "./client.ts";
import { type Clock, monotonic } from "./clock.ts";
import { NamespaceEnds, NotFound } from "./errors.ts";
import { plainText } from "./plain-text.ts";
import { microTime } from "./lease.ts";
import { type KubeObject, resources } from "./object.ts";
import { severityOf } from "./severity.ts";

export interface Fact {
  readonly type: "Normal" | "Warning";
  /** CamelCase. */
  readonly reason: string;
  /** What the operator did or looked at: Reconcile, Create, Delete. */
  readonly action: string;
  readonly note: string;
}

/** Facts of the same words within this time are one event with a count. */
const SERIES_MS = 10 * 60_000;
/** A count is written at most this often. */
const REWRITE_MS = 60_000;
const NOTE_LIMIT = 1000;

interface Series {
  readonly name: string;
  count: number;
  begun: number;
  written: number;
}

export class EventRecorder {
  readonly #client: KubeClient;
  readonly #reporter: string;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #clock: Clock;
  readonly #series = new Map<string, Series>();
  #failingSince: number | undefined;

  constructor(options: { client: KubeClient; reporter: string; log: Logger; now?: () => number; clock?: Clock }) {
    this.#client = options.client;
    this.#reporter = options.reporter;
    this.#log = options.log;
    this.#now = options.now ?? Date.now;
    this.#clock = options.clock ?? monotonic;
  }

  /** Never fails: an event that cannot be written is logged. */
  async record(about: KubeObject, fact: Fact): Promise<void> {
    const now = this.#clock();
    for (const [key, old] of this.#series) if (now - old.begun > SERIES_MS) this.#series.delete(key);
    const key = `${about.metadata.uid ?? ""} ${fact.reason} ${fact.note}`;
    const known = this.#series.get(key);
    try {
      if (known === undefined) await this.#create(key, about, fact, now);
      else await this.#repeat(known, about.metadata.namespace, now);
      this.#failingSince = undefined;
    } catch (error) {
      if (error instanceof NotFound) this.#series.delete(key);
      this.#failingSince ??= now;
      // In a namespace that ends nothing can be made: nobody will look there.
      const level = error instanceof NamespaceEnds ? "info" : severityOf(error, now - this.#failingSince);
      this.#log[level]({ reason: fact.reason, error: String(error) }, "the event was not written");
    }
  }

  async #create(key: string, about: KubeObject, fact: Fact, now: number): Promise<void> {
    const date = this.#now();
    const hash = createHash("sha256").update(`${key} ${date}`).digest("hex").slice(0, 16);
    const name = `${about.metadata.name.slice(0, 200)}.${hash}`;
    this.#series.set(key, { name, count: 1, begun: now, written: now });
    await this.#client.create({
      apiVersion: resources.event.apiVersion,
      kind: resources.event.kind,
      metadata: { name, namespace: about.metadata.namespace },
      eventTime: microTime(date),
      type: fact.type,
      reason: fact.reason,
      action: fact.action,
      note: plainText(fact.note, NOTE_LIMIT),
      reportingController: "caudal.dev/operator",
      reportingInstance: this.#reporter,
      regarding: {
        apiVersion: about.apiVersion,
        kind: about.kind,
        namespace: about.metadata.namespace,
        name: about.metadata.name,
        uid: about.metadata.uid,
      },
    });
  }

  async #repeat(series: Series, namespace: string, now: number): Promise<void> {
    series.count++;
    if (now - series.written < REWRITE_MS) return;
    series.written = now;
    const patch = { series: { count: series.count, lastObservedTime: microTime(this.#now()) } };
    await this.#client.patch(resources.event, { namespace, name: series.name }, patch);
  }
}
