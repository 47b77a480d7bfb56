/** What every error of a workload says about itself: one class per outcome, each with the next step in its message. */

/**
 * The base of all errors that a workload expects. `reason` is CamelCase and goes to status and logs; `retryable` says
 * whether the same work may succeed later without a person doing something.
 */
export abstract class WorkloadError extends Error {
  abstract readonly code: string;
  abstract readonly reason: string;
  abstract readonly retryable: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The configuration cannot be read or is not valid: the process ends with code 2. */
export class ConfigInvalid extends WorkloadError {
  readonly code = "CONFIG_INVALID";
  readonly reason = "ConfigInvalid";
  readonly retryable = false;
}

/** The command line asks for what does not exist: the process ends with code 2. */
export class UsageInvalid extends WorkloadError {
  readonly code = "USAGE_INVALID";
  readonly reason = "UsageInvalid";
  readonly retryable = false;
}

/** Work was given up because the process drains. It is an ordinary end and never reported as an error. */
export class Drained extends WorkloadError {
  readonly code = "DRAINED";
  readonly reason = "Drained";
  readonly retryable = false;
}

/** Why something failed, in words: the message of an error and of what caused it, outermost first. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  while (current !== undefined && current !== null && parts.length < 5) {
    const text = textOf(current);
    if (text !== "" && !parts.some((part) => part.includes(text))) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(": ");
}

/** The CamelCase reason of an error, `Unexpected` for one that no part of Caudal declared. */
export function reasonOf(error: unknown): string {
  return error instanceof WorkloadError ? error.reason : "Unexpected";
}

function textOf(value: unknown): string {
  if (value instanceof AggregateError)
    return [value.message, ...value.errors.map(textOf)].filter((text) => text !== "").join("; ");
  if (value instanceof Error) return value.message === "" ? value.name : value.message;
  return String(value);
}
