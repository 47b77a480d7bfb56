/** Tries again for ever: a worker that cannot work now stays alive, says why, and waits. */
import type { Drain } from "../runtime/drain.ts";
import { reasonOf } from "../runtime/errors.ts";
import type { WorkHealth } from "../runtime/health.ts";
import { isRetryable, pause } from "../runtime/retry.ts";
import { holdMs, isQuick } from "./core/hold.ts";
import type { Trouble } from "./trouble.ts";

export class Holding {
  readonly #trouble: Trouble;
  readonly #drain: Drain;
  readonly #health: WorkHealth;

  constructor(trouble: Trouble, drain: Drain, health: WorkHealth) {
    this.#trouble = trouble;
    this.#drain = drain;
    this.#health = health;
  }

  /** Repeats until draining is asked for. What was lost in memory is read again, so nothing is given up by an error. */
  async repeat(session: () => Promise<void>): Promise<void> {
    let attempt = 0;
    let cleared = this.#trouble.cleared;
    while (!this.#drain.requested) {
      try {
        await session();
      } catch (error) {
        if (this.#drain.requested) return;
        attempt = this.#trouble.cleared === cleared ? attempt + 1 : 1;
        cleared = this.#trouble.cleared;
        await this.#hold(error, attempt);
      }
    }
  }

  async #hold(error: unknown, attempt: number): Promise<void> {
    const failure = { reason: reasonOf(error), retryable: isRetryable(error) };
    if (failure.retryable || isQuick(failure)) this.#trouble.note(error);
    else this.#trouble.block(error);
    this.#health.beat();
    await pause(holdMs(failure, attempt, Math.random), this.#drain.signal).catch(() => undefined);
    this.#health.beat();
  }
}
