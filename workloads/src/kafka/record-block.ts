/**
 * What the reader hands the kernel: records of one partition in offset order, as columns,
 * without an object a record. Row i is record i in every column.
 */

/** What a record's value was before it became a line. */
export const ValueKind = { Value: 0, Empty: 1, Null: 2 } as const;
export type ValueKind = (typeof ValueKind)[keyof typeof ValueKind];

export interface RecordBlock {
  readonly topic: string;
  readonly partition: number;
  /** Number of records; aborted and control records are not among them. */
  readonly count: number;
  /** Where to read on: last offset seen + 1, across gaps, aborted and control records. It moves on also when count is 0. */
  readonly nextOffset: number;
  /** Leader epoch of the last record batch seen, -1 if unknown. */
  readonly leaderEpoch: number;
  readonly offsets: Float64Array;
  /** Epoch milliseconds of each record, as the broker keeps them. */
  readonly timestamps: Float64Array;
  readonly kinds: Uint8Array;
  /** count lines of NDJSON, each ended by one LF. CR and LF inside a value are spaces; an empty or null value is the line `""`. */
  readonly lines: Buffer;
  /** End of line i in `lines`, its LF included. */
  readonly lineEnds: Uint32Array;
  /** Distinct W3C `traceparent` headers of the records, at most 32, for links. */
  readonly traceparents: readonly string[];
  /** The record as it was, byte for byte, for the dead-letter topic. */
  original(row: number): OriginalRecord;
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
  readonly logStartOffset: number;
}
