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

/** What records hold beside their values. */
export interface SourceRecords {
  /** An end of -1 says null. */
  readonly keys: Values;
  /** Headers as they are encoded in a record: their number, then names and values with their lengths. */
  readonly headers: Values;
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
  /** What else the records held that the rows come from; undefined unless `wants` says "records". */
  readonly records: SourceRecords | undefined;
}
