/** The wish that a role finishes what it has in hand and returns. It is made once and never taken back. */
import { Drained } from "./errors.ts";

export class Drain {
  readonly #controller = new AbortController();
  #why: string | undefined;

  /** Aborted when draining begins, with a {@link Drained} as its reason: pass it to what should stop waiting. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get requested(): boolean {
    return this.#controller.signal.aborted;
  }

  /** What asked for it, such as SIGTERM. */
  get why(): string | undefined {
    return this.#why;
  }

  /** Begins draining; later calls change nothing. */
  request(why: string): void {
    if (this.requested) return;
    this.#why = why;
    this.#controller.abort(new Drained(`the process drains (${why})`));
  }

  /** Resolves when draining begins. */
  async wait(): Promise<void> {
    if (this.requested) return;
    await new Promise<void>((resolve) => {
      this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /** @throws Drained once draining was asked for */
  throwIfRequested(): void {
    this.signal.throwIfAborted();
  }
}
