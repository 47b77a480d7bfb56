/** Tells of each write: a log line, a count and an event on the pipeline. */
import type { Logger } from "pino";
import type { StreamPipeline } from "@caudal/crds";
import type { EventRecorder, Fact } from "../kube/events.ts";
import { type KubeObject, titleOf } from "../kube/object.ts";

export type WriteAction = "Created" | "Updated" | "Deleted" | "Released" | "Reclaimed" | "Adopted";

export class Writes {
  readonly #events: EventRecorder;
  readonly #log: Logger;
  readonly #count: (kind: string, action: string) => void;

  constructor(events: EventRecorder, log: Logger, count: (kind: string, action: string) => void) {
    this.#events = events;
    this.#log = log;
    this.#count = count;
  }

  async record(pipeline: StreamPipeline, object: KubeObject, action: WriteAction): Promise<void> {
    const { namespace, name } = pipeline.metadata;
    this.#count(object.kind, action);
    this.#log.info({ pipeline: `${namespace}/${name}`, object: titleOf(object), action }, "wrote");
    await this.tell(pipeline, { type: "Normal", reason: action, action, note: `${action} ${titleOf(object)}` });
  }

  /** An event on the pipeline. */
  async tell(pipeline: StreamPipeline, fact: Fact): Promise<void> {
    await this.#events.record(pipeline as unknown as KubeObject, fact);
  }
}
