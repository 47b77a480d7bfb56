/**
 * Failures that are tried again, in the log. What comes and goes in the ordinary life of a cluster (a database whose login
 * is on its way, a coordinator that moves) is information; what lasts is a warning.
 */
import { describeError, reasonOf } from "./errors.ts";
import type { Logger } from "./log.ts";
import { isRetryable } from "./retry.ts";

/** Replicas that race, a group that forms, a server that is restarted: what lasts longer stands in the way. */
export const PATIENCE_MS = 5_000;
/** A fresh cluster has made all that it needs within it. */
export const LASTING_MS = 60_000;

export class FailureLog {
  readonly #log: Logger;
  readonly #now: () => number;
  #since: number | undefined;
  /** What was said last. */
  #said = "";

  /** @param now milliseconds of a clock that never goes back */
  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Milliseconds since the first failure after the last success; undefined while there is none. */
  get lastsMs(): number | undefined {
    return this.#since === undefined ? undefined : this.#now() - this.#since;
  }

  /** Tells of a failure; the same again and again is one line. @param labels of the line, such as the task that failed */
  note(error: unknown, labels: Readonly<Record<string, string>> = {}): void {
    this.#since ??= this.#now();
    const reason = reasonOf(error);
    const message = describeError(error);
    const isUnexpected = reason === "Unexpected";
    const level = isUnexpected || !isRetryable(error) || this.#now() - this.#since >= LASTING_MS ? "warn" : "info";
    const said = `${level} ${Object.values(labels).join(" ")} ${message}`;
    if (said === this.#said) return;
    this.#said = said;
    const stack = isUnexpected && error instanceof Error ? { stack: error.stack } : {};
    this.#log[level]({ ...labels, reason, error: message, ...stack }, "waiting, and trying again");
  }

  /**
   * Whether a failure that was noted is to be shown as the stage's error: at once where a person has to act, and where it
   * passes by itself as a rule, when it has not.
   *
   * @param passes whether the same work may succeed later without a person
   */
  isToShow(error: unknown, passes = isRetryable(error)): boolean {
    return !passes || reasonOf(error) === "Unexpected" || (this.lastsMs ?? 0) >= PATIENCE_MS;
  }

  /** Work was finished. @returns whether there had been a failure */
  clear(): boolean {
    const failed = this.#since !== undefined;
    this.#since = undefined;
    this.#said = "";
    return failed;
  }
}
