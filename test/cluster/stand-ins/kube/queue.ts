/** Work by key: one run a key at a time, again after a change during the run, and later after a failure. */
export class KeyedQueue {
  readonly #work: (key: string) => Promise<number>;
  readonly #onFailure: (key: string, error: unknown) => void;
  readonly #running = new Set<string>();
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { timer: NodeJS.Timeout; due: number }>();
  readonly #failures = new Map<string, number>();
  #open = false;

  /** `work` says after how many milliseconds it wants to look at the key again. */
  constructor(work: (key: string) => Promise<number>, onFailure: (key: string, error: unknown) => void) {
    this.#work = work;
    this.#onFailure = onFailure;
  }

  /** Starts with what has been added so far. */
  open(): void {
    this.#open = true;
    for (const key of this.#again) this.add(key);
    this.#again.clear();
  }

  /** Takes no more work and forgets what is due; what runs, runs out. */
  close(): void {
    this.#open = false;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Adds a key, due after a delay; of two times the earlier counts. A short default joins events that come together. */
  add(key: string, delayMs = 20): void {
    if (!this.#open || this.#running.has(key)) {
      this.#again.add(key);
      return;
    }
    const due = Date.now() + delayMs;
    const waiting = this.#timers.get(key);
    if (waiting !== undefined && waiting.due <= due) return;
    clearTimeout(waiting?.timer);
    const timer = setTimeout(() => void this.#run(key), delayMs);
    this.#timers.set(key, { timer, due });
  }

  async #run(key: string): Promise<void> {
    this.#timers.delete(key);
    this.#running.add(key);
    let next: number;
    try {
      next = await this.#work(key);
      this.#failures.delete(key);
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      next = Math.min(15_000, 200 * 2 ** failures);
      this.#onFailure(key, error);
    }
    this.#running.delete(key);
    if (!this.#open) return;
    const soon = this.#again.delete(key);
    if (soon) this.add(key, Math.min(next, 20));
    else if (Number.isFinite(next)) this.add(key, next);
  }
}
