/** Tells of writes: a log line and a count each, and an event on the pipeline for each action of a reconcile. */
import type { Logger } from "pino";
import type { StreamPipeline } from "@caudal/crds";
import type { EventRecorder, Fact } from "../kube/events.ts";
import { type KubeObject, titleOf } from "../kube/object.ts";

export type WriteAction = "Created" | "Updated" | "Deleted" | "Released" | "Reclaimed" | "Adopted";

/** What one reconcile wrote and has not told yet. */
interface Untold {
  readonly pipeline: StreamPipeline;
  readonly titles: Map<WriteAction, string[]>;
}

export class Writes {
  readonly #events: EventRecorder;
  readonly #log: Logger;
  readonly #count: (kind: string, action: string) => void;
  /** By the pipeline's namespace and name. */
  readonly #untold = new Map<string, Untold>();

  constructor(events: EventRecorder, log: Logger, count: (kind: string, action: string) => void) {
    this.#events = events;
    this.#log = log;
    this.#count = count;
  }

  record(pipeline: StreamPipeline, object: KubeObject, action: WriteAction): void {
    const key = keyOf(pipeline);
    this.#count(object.kind, action);
    this.#log.info({ pipeline: key, object: titleOf(object), action }, "wrote");
    const { titles } = this.#untold.get(key) ?? { titles: new Map<WriteAction, string[]>() };
    titles.set(action, [...(titles.get(action) ?? []), titleOf(object)]);
    this.#untold.set(key, { pipeline, titles });
  }

  /** An event for each action since the last time: what a person wants to know is that a stage came, not each of its parts. */
  async tellWrites(key: string): Promise<void> {
    const untold = this.#untold.get(key);
    if (untold === undefined) return;
    this.#untold.delete(key);
    for (const [action, titles] of untold.titles)
      await this.tell(untold.pipeline, {
        type: "Normal",
        reason: action,
        action,
        note: `${action} ${titles.sort().join(", ")}`,
      });
  }

  /** An event on the pipeline. */
  async tell(pipeline: StreamPipeline, fact: Fact): Promise<void> {
    await this.#events.record(pipeline as unknown as KubeObject, fact);
  }
}

function keyOf({ metadata }: StreamPipeline): string {
  return `${metadata.namespace}/${metadata.name}`;
}
