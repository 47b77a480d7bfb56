import { WorkloadError } from "../runtime/errors.ts";

/** The reader gave records that were taken already, or of another place: going on would count them twice. A bug. */
export class LogMisread extends WorkloadError {
  readonly code = "ELOGMISREAD";
  readonly reason = "LogMisread";
  readonly retryable = true;
}

/** Progress is not where it was left: the store has lost commits, or someone else has the partition. It is read again. */
export class PlaceMoved extends WorkloadError {
  readonly code = "EPLACEMOVED";
  readonly reason = "ProgressMoved";
  readonly retryable = true;
}
