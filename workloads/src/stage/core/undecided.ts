/**
 * Which partitions hold records behind a transaction that has not ended: committed reads stop at the last stable offset,
 * where the oldest open transaction began, while the high watermark runs on. Pure: the clock is an argument.
 */
import type { StageStatus } from "@caudal/crds";
import type { PartitionEnd } from "../../kafka/record-block.ts";

export type Undecided = NonNullable<StageStatus["partitions"][number]["undecided"]>;

/** Seconds at `now` (epoch milliseconds) since a transaction was first seen to stand; 0 where none is open. */
export function secondsOf(undecided: Undecided | undefined, now: number): number {
  return undecided === undefined ? 0 : Math.max(0, now - undecided.since) / 1000;
}

export class UndecidedWatch {
  readonly #standing = new Map<number, Undecided>();

  /** @param at epoch milliseconds at which the broker was asked */
  observe(end: Pick<PartitionEnd, "partition" | "lastStableOffset" | "highWatermark">, at: number): void {
    const { partition, lastStableOffset: offset, highWatermark } = end;
    const known = this.#standing.get(partition);
    if (highWatermark <= offset) this.#standing.delete(partition);
    else
      this.#standing.set(partition, {
        offset,
        records: highWatermark - offset,
        since: known?.offset === offset ? known.since : at,
      });
  }

  /** @returns undefined where all that is there can be read */
  of(partition: number): Undecided | undefined {
    return this.#standing.get(partition);
  }

  forget(): void {
    this.#standing.clear();
  }
}
