/**
 * What the reader hands the kernel: records as columns, without an object a record. Row i is record i in every column.
 */

/** End of a value that is null; of one without bytes the end is its start. */
export const NULL_VALUE = -1;

/** Records of a topic; those of one partition are in offset order. */
export interface Records {
  readonly topic: string;
  /** Of all of them, or of the first where {@link partitions} says which each is of. */
  readonly partition: number;
  readonly partitions?: Int32Array;
  /** Number of records; aborted and control records are not among them. */
  readonly count: number;
  readonly offsets: Float64Array;
  /** Epoch milliseconds of each record, as the broker keeps them. */
  readonly timestamps: Float64Array;
  /** All values, with what is between them in the log. A view of what was fetched, which holds until more is asked for. */
  readonly bytes: Buffer;
  /** Where each value begins in `bytes`, and where it ends: NULL_VALUE for a value that is null. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Where each record's key begins, with its length before it, and where the record ends: its headers lie behind its value. */
  readonly heads: Int32Array;
  readonly tails: Int32Array;
  /** The record as it was, byte for byte, for the dead-letter topic. */
  original(row: number): OriginalRecord;
}

/** Records of one partition, and where is read on after them. */
export interface RecordBlock extends Records {
  readonly partitions?: undefined;
  /** Where to read on: last offset seen + 1, across gaps, aborted and control records. It moves on also when count is 0. */
  readonly nextOffset: number;
  /** Leader epoch of the last record batch seen, -1 if unknown. */
  readonly leaderEpoch: number;
  /** Distinct W3C `traceparent` headers of the records, at most 32, for links. */
  readonly traceparents: readonly string[];
}

/** The partition that a row is of. */
export function partitionOf({ partition, partitions }: Pick<Records, "partition" | "partitions">, row: number): number {
  return partitions?.[row] ?? partition;
}

/** A row's value as a view; null for one that is null. */
export function valueAt({ bytes, starts, ends }: Records, row: number): Buffer | null {
  const end = ends[row] ?? NULL_VALUE;
  return end === NULL_VALUE ? null : bytes.subarray(starts[row], end);
}

export interface OriginalRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
}

/** What the broker says of a partition together with its records. */
export interface PartitionEnd {
  readonly topic: string;
  readonly partition: number;
  readonly lastStableOffset: number;
  /** Above the last stable offset, what lies between is behind a transaction that has not ended. */
  readonly highWatermark: number;
  readonly logStartOffset: number;
  /** performance.now() when the broker was asked: an answer may lie in a socket while the process is stopped. */
  readonly askedAt: number;
}
