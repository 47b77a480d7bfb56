/** Commits one batch after another while the next ones are read and computed. The first failure drops what follows. */

const BEAT_MS = 5_000;

export class CommitChain<Batch> {
  readonly #commit: (batch: Batch) => Promise<void>;
  /** One promise a batch that is not settled yet, in order; none of them rejects. */
  readonly #pending: Promise<void>[] = [];
  #failure: { readonly error: unknown; readonly batch: Batch } | undefined;

  constructor(commit: (batch: Batch) => Promise<void>) {
    this.#commit = commit;
  }

  /** Batches that are not settled yet. */
  get length(): number {
    return this.#pending.length;
  }

  /** The first error, and the batch that met it. Nothing is committed after it. */
  get failure(): { readonly error: unknown; readonly batch: Batch } | undefined {
    return this.#failure;
  }

  /** Adds a batch; it begins when all before it are committed, and never when one of them failed. */
  push(batch: Batch): void {
    const before = this.#pending.at(-1) ?? Promise.resolve();
    const settled = before.then(async () => await this.#settle(batch));
    this.#pending.push(settled);
  }

  /** Resolves when at most `count` batches are not settled. */
  async atMost(count: number): Promise<void> {
    while (this.#pending.length > count) await this.#pending[0];
  }

  /**
   * As {@link atMost}, with a sign of life now and then; each commit has a time limit of its own.
   *
   * @throws the first error, also of an earlier batch
   */
  async settled(count: number, beat: () => void): Promise<void> {
    const beating = setInterval(beat, BEAT_MS);
    try {
      await this.atMost(count);
    } finally {
      clearInterval(beating);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #settle(batch: Batch): Promise<void> {
    try {
      if (this.#failure === undefined) await this.#commit(batch);
    } catch (error) {
      this.#failure = { error, batch };
    } finally {
      void this.#pending.shift();
    }
  }
}
