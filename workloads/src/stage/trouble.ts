/** What stands in the way now: told in the log, /status and, when it lasts, by /readyz. */
import { FailureLog, PATIENCE_MS } from "../runtime/failure-log.ts";
import type { WorkHealth } from "../runtime/health.ts";
import type { Logger } from "../runtime/log.ts";
import { describeError, reasonOf } from "../runtime/errors.ts";
import { isRetryable } from "../runtime/retry.ts";
import { isQuick } from "./core/hold.ts";

export class Trouble {
  readonly #health: WorkHealth;
  readonly #log: Logger;
  readonly #failures: FailureLog;
  #cleared = 0;
  #standing: unknown;

  constructor(health: WorkHealth, log: Logger) {
    this.#health = health;
    this.#log = log;
    this.#failures = new FailureLog(log);
  }

  /** How often work was finished: whether there was any between two failures. */
  get cleared(): number {
    return this.#cleared;
  }

  /** Something failed and is tried again; the process lives on. What is over in a moment is told in the log alone. */
  note(error: unknown): void {
    const reason = reasonOf(error);
    const message = describeError(error);
    const retryable = isRetryable(error);
    this.#health.beat();
    this.#failures.note(error);
    if (this.#failures.isToShow(error, retryable || isQuick({ reason, retryable })))
      this.#health.setError(reason, message);
    if ((this.#failures.lastsMs ?? 0) >= PATIENCE_MS) this.#health.setReady(false, `${reason}: ${message}`);
  }

  /** Something needs a person: not ready from now on. */
  block(error: unknown): void {
    this.note(error);
    this.#health.setReady(false, `${reasonOf(error)}: ${describeError(error)}`);
  }

  /** A part of the work needs a person while the rest goes on: told, and not ready, until it is taken back. */
  stand(error: unknown): void {
    this.#standing = error;
    if (error !== undefined) this.block(error);
  }

  /** Work was finished: nothing stands in the way, or only what {@link stand} tells of. */
  clear(): void {
    this.#cleared++;
    if (this.#failures.clear()) this.#log.info("working again");
    if (this.#standing === undefined) {
      this.#health.clearError();
      this.#health.setReady(true, "");
    } else {
      const [reason, message] = [reasonOf(this.#standing), describeError(this.#standing)];
      this.#health.setError(reason, message);
      this.#health.setReady(false, `${reason}: ${message}`);
    }
    this.#health.setState("Running");
  }
}
