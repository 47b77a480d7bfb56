import { WorkloadError } from "../runtime/errors.ts";

/** The reader gave records that were taken already, or of another place: going on would count them twice. A bug. */
export class LogMisread extends WorkloadError {
  readonly code = "ELOGMISREAD";
  readonly reason = "LogMisread";
  readonly retryable = true;
}
