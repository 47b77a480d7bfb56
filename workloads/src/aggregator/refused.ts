/** Tables that a stage may not write, and what it does meanwhile. */
import { WorkloadError } from "../runtime/errors.ts";

export interface Refused {
  readonly table: string;
  readonly error: WorkloadError;
}

/** Nothing may be written, or another worker writes all of it: no partition is taken until that has changed. */
export class StandsBy extends WorkloadError {
  readonly code = "ESTANDSBY";
  readonly reason: string;
  readonly retryable = false;
  /** Whether workers that may write all of their tables are at work. */
  readonly served: boolean;

  constructor(refused: readonly Refused[], served: boolean) {
    super(messageOf(refused));
    this.reason = reasonOf(refused);
    this.served = served;
  }
}

/** Some of the tables may not be written; the others go on. */
export class TablesRefused extends WorkloadError {
  readonly code = "ETABLESREFUSED";
  readonly reason: string;
  readonly retryable = false;

  constructor(refused: readonly Refused[]) {
    super(messageOf(refused));
    this.reason = reasonOf(refused);
  }
}

function messageOf(refused: readonly Refused[]): string {
  return refused.map(({ error }) => error.message).join("; ");
}

function reasonOf([first]: readonly Refused[]): string {
  return first?.error.reason ?? "TableRefused";
}
