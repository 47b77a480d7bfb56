/** What ends a command: the message is all that a person sees, and the exit code all that a script does. */

/** Exit codes: what was asked for failed, or was asked for in a wrong way. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

export abstract class CliError extends Error {
  abstract readonly code: string;
  abstract readonly reason: string;
  readonly retryable: boolean = false;
  readonly exitCode: number = EXIT_FAILED;
}

/** The command line is wrong. */
export class UsageError extends CliError {
  readonly code = "USAGE";
  readonly reason = "Usage";
  override readonly exitCode = EXIT_USAGE;
}

/** A file cannot be read, or is not what it should be. */
export class FileInvalid extends CliError {
  readonly code = "FILE_INVALID";
  readonly reason = "FileInvalid";
}

/** The pipeline is not one that the operator would accept. */
export class PipelineInvalid extends CliError {
  readonly code = "PIPELINE_INVALID";
  readonly reason = "PipelineInvalid";
}

/** The pipeline holds something that this command does not do. */
export class NotSupported extends CliError {
  readonly code = "NOT_SUPPORTED";
  readonly reason = "NotSupported";
}

export interface StatementFailedOptions extends ErrorOptions {
  /** Place in the statement as it was typed, in UTF-16 code units. */
  readonly at?: number | undefined;
  /** The relation that does not exist, as its database calls it. */
  readonly missing?: string;
  /** Whether the words are no SQL. */
  readonly isSyntax?: boolean;
}

/** A statement cannot be carried out. */
export class StatementFailed extends CliError {
  readonly code = "STATEMENT_FAILED";
  readonly reason = "StatementFailed";
  /** Where in the statement, as it was typed; undefined for what has no place. */
  readonly at: number | undefined;
  readonly missing: string | undefined;
  readonly isSyntax: boolean;

  constructor(message: string, { at, missing, isSyntax = false, ...options }: StatementFailedOptions = {}) {
    super(message, options);
    this.at = at;
    this.missing = missing;
    this.isSyntax = isSyntax;
  }
}

/** The cluster, or something in it, cannot be reached or says no. */
export class ClusterFailed extends CliError {
  readonly code = "CLUSTER_FAILED";
  readonly reason = "ClusterFailed";
}
