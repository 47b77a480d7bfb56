/** Which of the owned partitions have had nothing new for the idle time. Pure: the clock is an argument. */
import { IDLE_CONFIRM_MS } from "./watermark.ts";

interface Quiet {
  readonly nextOffset: number;
  readonly since: number;
  /** When the broker was last asked and had nothing more. */
  seenAt: number;
  confirmedAt: number;
}

/**
 * What was seen longer ago says nothing of now: a process that was stopped, or cut off from its broker, does not know
 * whether something has come. Brokers answer once a second at least.
 */
const FRESH_MS = 3_000;

export class IdleWatch {
  readonly #idleTimeoutMs: number;
  readonly #quiet = new Map<number, Quiet>();

  constructor(idleTimeoutMs: number) {
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  /**
   * @param committed next offset that is committed
   * @param end last stable offset that the broker gave when it was asked at `askedAt`
   */
  observe(partition: number, committed: number, end: number, askedAt: number): void {
    if (committed < end) {
      this.#quiet.delete(partition);
      return;
    }
    const quiet = this.#quiet.get(partition);
    if (quiet?.nextOffset === committed) quiet.seenAt = askedAt;
    else
      this.#quiet.set(partition, {
        nextOffset: committed,
        since: askedAt,
        seenAt: askedAt,
        confirmedAt: -Infinity,
      });
  }

  isIdle(partition: number, now: number): boolean {
    const quiet = this.#quiet.get(partition);
    return quiet !== undefined && now - quiet.seenAt <= FRESH_MS && now - quiet.since >= this.#idleTimeoutMs;
  }

  /** Idle partitions whose confirmation is due, and marks them confirmed. */
  takeDue(now: number): readonly { readonly partition: number; readonly nextOffset: number }[] {
    const due = [];
    for (const [partition, quiet] of this.#quiet) {
      if (!this.isIdle(partition, now) || now - quiet.confirmedAt < IDLE_CONFIRM_MS) continue;
      quiet.confirmedAt = now;
      due.push({ partition, nextOffset: quiet.nextOffset });
    }
    return due;
  }

  forget(): void {
    this.#quiet.clear();
  }
}
