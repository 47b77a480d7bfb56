/** Events that passed, as rows for an output. */
import type { DeltaColumn } from "./delta.ts";

/** Forms in which an output may want its rows. */
export type Want = "columns" | "json" | "records";

/** Values one after the other: value i is bytes [starts[i], ends[i]). */
export interface Values {
  readonly bytes: Buffer;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Rows as records of a batch. */
export interface EncodedRecords {
  /** Each record from its key on: key, value and headers with their lengths, as a batch has them. */
  readonly values: Values;
  /** Kafka's hash of each key, not negative; -1 where there is no key. */
  readonly hashes: Int32Array;
  /** The records' own times, epoch milliseconds. */
  readonly timestamps: Float64Array;
}

/** What selected events became. */
export interface Rows {
  /** Number of rows: element i of each list below is row i. */
  readonly count: number;
  /** Where each row comes from. */
  readonly partitions: Int32Array;
  readonly offsets: Float64Array;
  /** Event times, epoch milliseconds. */
  readonly times: Float64Array;
  /** One a column of the select, in its order; empty unless {@link Output.wants} says "columns". */
  readonly columns: readonly DeltaColumn[];
  /** Each row as a JSON object of the select's columns, or the event's own bytes; undefined unless `wants` says "json". */
  readonly json: Values | undefined;
  /** Each row as a record, with such a value, and the headers of the record that it comes from; undefined unless `wants` says "records". */
  readonly records: EncodedRecords | undefined;
}
