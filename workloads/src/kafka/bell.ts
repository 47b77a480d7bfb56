/** Waiting that can be ended early from elsewhere in the process. */
export class Bell {
  #ring: (() => void) | undefined;

  /** Ends the wait that is under way, if any. */
  ring(): void {
    this.#ring?.();
  }

  /** Waits until rung, until the time is over, or until the signal aborts; it never rejects. */
  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        this.#ring = undefined;
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener("abort", end);
      this.#ring = end;
    });
  }
}
