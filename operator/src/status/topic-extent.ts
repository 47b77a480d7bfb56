/** How far a topic went, as the stages that read it say. */
import type { Facts } from "./facts.ts";

export interface Extent {
  readonly name: string;
  /** By partition, the offset at which it ended for committed reads; -1 where nobody says. */
  readonly ends: readonly number[];
  /** By stage, how many offsets it had still to read. */
  readonly unread: readonly { readonly stage: string; readonly offsets: number }[];
}

/** @param id of the topic: what is said of another one of the name is left out */
export function extentOf({ observation }: Facts, name: string, id: string): Extent {
  const ends = new Map<number, number>();
  const unread = new Map<string, number>();
  for (const { stage, terminating, status } of observation.pods) {
    if (terminating || status === undefined) continue;
    const { reads, replaced, partitions } = status.value;
    const places = [
      ...(reads?.topic === name && reads.topicId === id ? partitions : []),
      ...(replaced?.topic === name && replaced.topicId === id ? replaced.places : []),
    ];
    for (const { partition, nextOffset, endOffset } of places) {
      ends.set(partition, Math.max(endOffset, ends.get(partition) ?? 0));
      const left = (unread.get(stage) ?? 0) + Math.max(0, endOffset - nextOffset);
      unread.set(stage, Math.min(left, Number.MAX_SAFE_INTEGER));
    }
  }
  const count = ends.size === 0 ? 0 : Math.max(...ends.keys()) + 1;
  return {
    name,
    ends: Array.from({ length: Math.min(count, PARTITIONS) }, (_, partition) => ends.get(partition) ?? -1),
    unread: [...unread].map(([stage, offsets]) => ({ stage, offsets })).sort((a, b) => (a.stage < b.stage ? -1 : 1)),
  };
}

/** As many as the status takes. */
const PARTITIONS = 1_024;

export function sizeOf(ends: readonly number[]): number {
  return Math.min(
    ends.reduce((sum, end) => sum + Math.max(0, end), 0),
    Number.MAX_SAFE_INTEGER,
  );
}
