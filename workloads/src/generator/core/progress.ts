/**
 * A generator's progress: the group's offset of partition s is k, the number of events that shard s has made, and its
 * metadata says how many shards there are. That number is fixed at the first start: more partitions do not change it.
 */

export interface Kept {
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string;
}

/** Progress that contradicts itself: somebody else wrote offsets of this group. */
export class ProgressInvalid extends RangeError {}

/**
 * @param kept the group's offsets of all partitions
 * @param partitions how many the topic has now
 * @returns the number of shards
 * @throws ProgressInvalid
 */
export function shardsOf(kept: readonly Kept[], partitions: number): number {
  const counts = new Set(kept.map(parse));
  if (counts.size > 1)
    throw new ProgressInvalid(`the group's offsets speak of ${[...counts].sort().join(" and of ")} shards`);
  return [...counts][0] ?? partitions;
}

export function metadataOf(shards: number): string {
  return JSON.stringify({ shards });
}

function parse({ partition, metadata }: Kept): number {
  const shards = Number(/^\{"shards":([1-9][0-9]{0,5})\}$/.exec(metadata)?.[1]);
  if (!(shards > partition))
    throw new ProgressInvalid(
      `the group's offset of partition ${partition} has the metadata ${JSON.stringify(metadata)}, which no generator wrote`,
    );
  return shards;
}

/** How many of the events 0 to limit - 1 are the shard's; all when limit is 0. */
export function eventsOfShard(shard: number, shards: number, limit: number): number {
  return limit === 0 ? Infinity : Math.max(0, Math.ceil((limit - shard) / shards));
}
