import { WorkloadError } from "../runtime/errors.ts";

/** An output can never take some row of the batch: find it, never try again blindly. */
export class OutputRefused extends WorkloadError {
  readonly code = "EOUTPUTREFUSED";
  readonly reason = "RefusedByOutput";
  readonly retryable = false;
}
