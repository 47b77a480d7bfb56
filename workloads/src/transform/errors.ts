import { describeError, WorkloadError } from "../runtime/errors.ts";

import type { DeltaColumn } from "../kernel/delta.ts";
import type { Rows } from "../kernel/rows.ts";

/** An output can never take some row of the batch: find it, never try again blindly. Nothing of the batch is written. */
export class OutputRefused extends WorkloadError {
  readonly code = "EOUTPUTREFUSED";
  readonly reason = "RefusedByOutput";
  readonly retryable = false;
  /** Of the dead letter. */
  readonly letterReason: string;

  /** @param letterReason CamelCase, such as RefusedByDatabase */
  constructor(message: string, letterReason = "RefusedByOutput", options?: ErrorOptions) {
    super(message, options);
    this.letterReason = letterReason;
  }
}

/**
 * Makes of some rows what an output writes, before anything is written. What that throws is the fault of some row, which
 * halving finds, unless it throws without any row too.
 *
 * @param make of the rows of a batch, or of none
 * @throws OutputRefused; a WorkloadError, which knows what it is about, as it is
 */
export function madeOf<T, Batch extends Rows>(batch: Batch, what: string, make: (batch: Batch) => T): T {
  try {
    return make(batch);
  } catch (error) {
    if (batch.count === 0 || error instanceof WorkloadError) throw error;
    make({ ...batch, ...NO_ROWS, columns: batch.columns.map(emptied) });
    throw new OutputRefused(`${what} cannot be made of it: ${describeError(error)}`, undefined, { cause: error });
  }
}

const none = { bytes: Buffer.alloc(0), starts: new Int32Array(0), ends: new Int32Array(0) };
const NO_ROWS: Omit<Rows, "columns"> = {
  count: 0,
  partitions: new Int32Array(0),
  offsets: new Float64Array(0),
  times: new Float64Array(0),
  json: none,
  records: { values: none, hashes: new Int32Array(0), timestamps: new Float64Array(0) },
};

function emptied({ kind }: DeltaColumn): DeltaColumn {
  return kind === "text"
    ? { kind, bytes: none.bytes, lengths: new Int32Array(0) }
    : { kind, values: new Float64Array(0), bigs: new Map() };
}

/** The output's definition is not the one that may be written: no partition is taken until that has changed. */
export class OutputStandsBy extends WorkloadError {
  readonly code = "EOUTPUTSTANDSBY";
  readonly reason: string;
  readonly retryable = false;
  /** By partition, from where on the output waits; undefined where another worker writes it. */
  readonly waiting: ReadonlyMap<number, number> | undefined;

  constructor(refusal: WorkloadError, waiting: ReadonlyMap<number, number> | undefined) {
    super(refusal.message, { cause: refusal });
    this.reason = refusal.reason;
    this.waiting = waiting;
  }
}
