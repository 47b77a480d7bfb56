/** One after the other: a server that is being started cannot be started again. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** @returns what `work` gives, when whatever was to be done to the same thing before is over */
  async alone<T>(what: "broker" | "postgres" | "redis" | "s3", work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(what) ?? Promise.resolve()).then(work);
    this.#last.set(
      what,
      turn.catch(() => undefined),
    );
    return await turn;
  }
}
