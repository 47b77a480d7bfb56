/**
 * Writes status where it differs; where only what is measured does, such as lag, at most every 30 seconds. Where only the
 * words of its messages do, six times a minute: a pod may say something else each time that it is asked.
 */
import type { PipelineStatus, StreamPipeline } from "@caudal/crds";
import type { KubeClient } from "../kube/client.ts";
import { Conflict } from "../kube/errors.ts";
import { type KubeObject, resources } from "../kube/object.ts";
import { canonical } from "@caudal/pipeline";

const LAG_EVERY_MS = 30_000;
const WORDS_MS = 60_000;
const WORDS_AT_MOST = 6;
/** Where topics end changes with every event, and is needed when one is lost. */
const ENDS_EVERY_MS = 10 * 60_000;

export interface StatusWritten {
  readonly object?: KubeObject;
  /** When to come back to write a lag that is held back. */
  readonly laterMs?: number;
}

export class StatusWriter {
  readonly #client: KubeClient;
  readonly #writtenAt = new Map<string, number>();
  /** By pipeline, how often other words alone have been written since. */
  readonly #words = new Map<string, { readonly since: number; readonly times: number }>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** @param clock monotonic milliseconds */
  async write(pipeline: StreamPipeline, status: PipelineStatus, clock: number): Promise<StatusWritten> {
    const before = pipeline.status ?? {};
    if (canonical(before) === canonical(status)) return {};
    const { namespace, name, uid, resourceVersion } = pipeline.metadata;
    const key = `${namespace}/${name}`;
    const since = clock - (this.#writtenAt.get(key) ?? -Infinity);
    const heldBack = holdMs(before, status);
    if (since < heldBack) return { laterMs: heldBack - since };
    const silentMs = this.#silence(key, before, status, clock);
    if (silentMs !== undefined) return { laterMs: silentMs };
    // A merge patch leaves what it does not name: what is gone is named.
    const gone = Object.keys(before).filter((key) => !(key in status));
    const write = async (version: string | undefined): Promise<KubeObject> =>
      await this.#client.patch(
        resources.streamPipeline,
        { namespace, name, subresource: "status" },
        {
          metadata: { uid, resourceVersion: version },
          status: { ...Object.fromEntries(gone.map((key) => [key, null])), ...status },
        },
      );
    const object = await write(resourceVersion).catch(async (error: unknown) => {
      if (!(error instanceof Conflict)) throw error;
      const live = await this.#client.get(resources.streamPipeline, namespace, name);
      const same = live?.metadata.uid === uid && live.metadata.generation === pipeline.metadata.generation;
      // Somebody labels it, say, again and again: what is wanted is the same, and so is what was observed of it.
      if (!same || canonical(live.status ?? {}) !== canonical(before)) throw error;
      return await write(live.metadata.resourceVersion);
    });
    this.#writtenAt.set(key, clock);
    return { object };
  }

  /** @returns for how long other words alone are held back; undefined where they are not */
  #silence(key: string, before: PipelineStatus, status: PipelineStatus, clock: number): number | undefined {
    if (canonical(withoutWords(before)) !== canonical(withoutWords(status))) return undefined;
    const known = this.#words.get(key);
    const open = known !== undefined && clock - known.since < WORDS_MS ? known : { since: clock, times: 0 };
    if (open.times >= WORDS_AT_MOST) return WORDS_MS - (clock - open.since);
    this.#words.set(key, { ...open, times: open.times + 1 });
    return undefined;
  }

  /** A pipeline, as `namespace/name`, is gone. */
  forget(key: string): void {
    this.#writtenAt.delete(key);
    this.#words.delete(key);
  }
}

/** How long a change may wait since the last write. */
function holdMs(before: PipelineStatus, status: PipelineStatus): number {
  if (canonical(withoutMeasures(before)) !== canonical(withoutMeasures(status))) return 0;
  return canonical(withoutEnds(before)) === canonical(withoutEnds(status)) ? ENDS_EVERY_MS : LAG_EVERY_MS;
}

function withoutEnds({ topics, ...rest }: PipelineStatus): PipelineStatus {
  return {
    ...rest,
    topics: topics?.map(({ name, id, ends }) => ({ name, id, ...(ends && { ends: ends.map(() => 0) }) })),
  };
}

function withoutMeasures(status: PipelineStatus): unknown {
  const { lag: _lag, stages, ...rest } = withoutEnds(status);
  return {
    ...rest,
    stages: stages?.map(({ lag: _stageLag, undecided: _undecided, slot, ...stage }) => ({ ...stage, wal: slot?.wal })),
  };
}

function withoutWords(status: PipelineStatus): unknown {
  const { conditions, stages, lag: _lag, ...rest } = status;
  return {
    ...rest,
    conditions: conditions?.map(({ message: _message, ...condition }) => condition),
    stages: stages?.map(({ message: _message, lag: _stageLag, undecided: _undecided, slot, ...stage }) => ({
      ...stage,
      wal: slot?.wal,
    })),
  };
}
