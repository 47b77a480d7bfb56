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
