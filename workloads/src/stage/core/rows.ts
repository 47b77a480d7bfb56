import type { RecordBlock } from "../../kafka/record-block.ts";

/** Number of the block's records whose offset is below `offset`. */
export function rowsBefore(block: Pick<RecordBlock, "offsets" | "count">, offset: number): number {
  let low = 0;
  let high = block.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((block.offsets[middle] ?? Infinity) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
