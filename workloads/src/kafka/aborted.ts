/** Which batches committed reads leave out: control records, and what aborted transactions wrote. */
import { isAbortMarker, type RecordBatch } from "./record-batch.ts";

/** From `firstOffset` on, the producer's records are aborted, up to its next abort marker. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/**
 * @param batches in offset order
 * @param aborted as the broker listed them for the range of the fetch
 */
export function committedBatches(
  batches: readonly RecordBatch[],
  aborted: readonly AbortedTransaction[],
): RecordBatch[] {
  if (aborted.length === 0) return batches.filter((batch) => !batch.control);
  const waiting = [...aborted].sort((one, other) => one.firstOffset - other.firstOffset);
  let begun = 0;
  const aborting = new Set<number>();
  return batches.filter((batch) => {
    for (let next = waiting[begun]; next !== undefined && next.firstOffset <= batch.lastOffset; next = waiting[begun]) {
      aborting.add(next.producerId);
      begun++;
    }
    if (batch.control) {
      if (isAbortMarker(batch)) aborting.delete(batch.producerId);
      return false;
    }
    return !(batch.transactional && aborting.has(batch.producerId));
  });
}
