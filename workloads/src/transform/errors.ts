import { WorkloadError } from "../runtime/errors.ts";

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
