/** The shards that this process owns: those of the partitions that the group gave it. */
import { type GeneratorConfig, parseDuration } from "@caudal/crds";
import type { GroupOffset } from "../kafka/group.ts";
import { WorkloadError } from "../runtime/errors.ts";
import { burstPace, type Pace, ratePace } from "./core/pace.ts";
import { eventsOfShard, metadataOf, ProgressInvalid, shardsOf } from "./core/progress.ts";

/** The group's offsets are not a generator's. */
export class GeneratorProgressInvalid extends WorkloadError {
  readonly code = "GENERATOR_PROGRESS_INVALID";
  readonly reason = "GeneratorProgressInvalid";
  readonly retryable = false;
}

export interface Shard {
  readonly shard: number;
  readonly shards: number;
  /** Events of this shard in all; Infinity without a limit. */
  readonly total: number;
  readonly pace: Pace;
  /** Events of this shard that were acknowledged. */
  done: number;
  /** The part of it that the group keeps. */
  kept: number;
}

export class Shards {
  readonly #config: GeneratorConfig;
  readonly #groupId: string;
  #owned = new Map<number, Shard>();

  constructor(config: GeneratorConfig, groupId: string) {
    this.#config = config;
    this.#groupId = groupId;
  }

  get owned(): readonly Shard[] {
    return [...this.#owned.values()];
  }

  /** Whether there is a limit and all shards of this process have reached it. */
  get completed(): boolean {
    return this.#owned.size > 0 && this.owned.every(({ done, total }) => done >= total);
  }

  /**
   * Takes over an assignment: shards that stay go on, new ones begin where the group says.
   *
   * @param kept the group's offsets of all partitions
   * @param all how many partitions the topic has
   * @param now milliseconds of a clock that never goes back
   * @throws GeneratorProgressInvalid
   */
  assign(partitions: readonly number[], kept: ReadonlyMap<number, GroupOffset>, all: number, now: number): void {
    const shards = this.#count([...kept.values()], all);
    const owned = new Map<number, Shard>();
    for (const shard of partitions.filter((partition) => partition < shards)) {
      const offset = kept.get(shard)?.offset ?? 0;
      const before = this.#owned.get(shard);
      owned.set(
        shard,
        before !== undefined && before.done >= offset ? before : this.#begin(shard, shards, offset, now),
      );
    }
    this.#owned = owned;
  }

  /** What the group does not keep yet. Of a first start everything, so that the number of shards is fixed. */
  unkept(): { readonly shard: Shard; readonly offset: GroupOffset }[] {
    return this.owned
      .filter(({ done, kept }) => kept !== done)
      .map((shard) => ({
        shard,
        offset: { partition: shard.shard, offset: shard.done, metadata: metadataOf(shard.shards) },
      }));
  }

  #count(kept: readonly GroupOffset[], all: number): number {
    try {
      return shardsOf(kept, all);
    } catch (error) {
      if (!(error instanceof ProgressInvalid)) throw error;
      throw new GeneratorProgressInvalid(
        `${error.message}; delete the consumer group ${this.#groupId} to begin again at event 0`,
        { cause: error },
      );
    }
  }

  #begin(shard: number, shards: number, done: number, now: number): Shard {
    const { rate, interval, count, limit } = this.#config;
    const share = { shard, shards };
    const pace =
      rate !== undefined
        ? ratePace(rate, share, now, done)
        : burstPace(parseDuration(interval ?? "1s"), count, share, now, done);
    return { ...share, total: eventsOfShard(shard, shards, limit), pace, done, kept: -1 };
  }
}
