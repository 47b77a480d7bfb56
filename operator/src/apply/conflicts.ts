/** Which writes meet a conflict again and again: two writers find out about each other by one, and lasting ones are a trouble. */

/** Rounds with a conflict that are in the ordinary course of things. */
const ORDINARY = 4;
/** Names that are remembered: of what has gone, some may be left. */
const REMEMBERED = 20_000;

export class Conflicts {
  readonly #times = new Map<string, number>();

  /** Counts one more. @returns whether it is so for longer than two writers need */
  last(what: string): boolean {
    const times = (this.#times.get(what) ?? 0) + 1;
    this.#times.set(what, times);
    const [oldest] = this.#times.keys();
    if (this.#times.size > REMEMBERED && oldest !== undefined) this.#times.delete(oldest);
    return times > ORDINARY;
  }

  /** One has gone well. */
  forget(what: string): void {
    this.#times.delete(what);
  }
}
