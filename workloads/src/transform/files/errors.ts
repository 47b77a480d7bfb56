import { WorkloadError } from "../../runtime/errors.ts";

/** The store of files does not answer, or not now: back off and try again. */
export class FilesUnavailable extends WorkloadError {
  readonly code = "FILES_UNAVAILABLE";
  readonly reason = "FilesUnavailable";
  readonly retryable = true;
}

/** Credentials, a bucket that is missing, a volume that is read-only or full: a person has to change something. */
export class FilesRefused extends WorkloadError {
  readonly code = "FILES_REFUSED";
  readonly reason = "FilesRefused";
  readonly retryable = false;
}
