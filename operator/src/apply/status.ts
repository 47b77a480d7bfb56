/** Writes status where it differs; where only what is measured does, such as lag, at most every 30 seconds. */
import type { PipelineStatus, StreamPipeline } from "@caudal/crds";
import type { KubeClient } from "../kube/client.ts";
import { type KubeObject, resources } from "../kube/object.ts";
import { canonical } from "../plan/hash.ts";

const LAG_EVERY_MS = 30_000;

export interface StatusWritten {
  readonly object?: KubeObject;
  /** When to come back to write a lag that is held back. */
  readonly laterMs?: number;
}

export class StatusWriter {
  readonly #client: KubeClient;
  readonly #writtenAt = new Map<string, number>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** @param clock monotonic milliseconds */
  async write(pipeline: StreamPipeline, status: PipelineStatus, clock: number): Promise<StatusWritten> {
    const before = pipeline.status ?? {};
    if (canonical(before) === canonical(status)) return {};
    const { namespace, name, uid, resourceVersion } = pipeline.metadata;
    const since = clock - (this.#writtenAt.get(uid) ?? -Infinity);
    if (canonical(withoutMeasures(before)) === canonical(withoutMeasures(status)) && since < LAG_EVERY_MS)
      return { laterMs: LAG_EVERY_MS - since };
    // A merge patch leaves what it does not name: what is gone is named.
    const gone = Object.keys(before).filter((key) => !(key in status));
    const object = await this.#client.patch(
      resources.streamPipeline,
      { namespace, name, subresource: "status" },
      {
        metadata: { uid, resourceVersion },
        status: { ...Object.fromEntries(gone.map((key) => [key, null])), ...status },
      },
    );
    this.#writtenAt.set(uid, clock);
    return { object };
  }

  forget(uid: string): void {
    this.#writtenAt.delete(uid);
  }
}

function withoutMeasures({ lag: _lag, stages, ...rest }: PipelineStatus): unknown {
  return {
    ...rest,
    stages: stages?.map(({ lag: _stageLag, undecided: _undecided, slot, ...stage }) => ({ ...stage, wal: slot?.wal })),
  };
}
