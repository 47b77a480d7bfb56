/** Waiting times that double, with jitter, so that many waiters do not come back together. */
export class Backoff {
  readonly #firstMs: number;
  readonly #lastMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor(firstMs: number, lastMs: number, random: () => number = Math.random) {
    this.#firstMs = firstMs;
    this.#lastMs = lastMs;
    this.#random = random;
  }

  /** Milliseconds to wait now: between half and all of the doubled time. */
  next(): number {
    const full = Math.min(this.#lastMs, this.#firstMs * 2 ** Math.min(this.#failures++, 30));
    return full * (0.5 + this.#random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
