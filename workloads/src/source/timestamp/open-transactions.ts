/**
 * Since when the oldest open transaction may have been open, without the right to see what others do.
 *
 * Everybody may see which transactions are open (each holds a lock on its virtual id), but not since when. So looks are
 * compared: one that was not there at the look before began after that one. Of those that were there at the first look
 * of all nothing is known, but that what an earlier process found still holds.
 */

export interface OpenTransaction {
  /** Virtual id, or what stands for it. */
  readonly id: string;
  /** Epoch microseconds, where we may see it. */
  readonly since: number | undefined;
  /** Its id tells nothing of when it came: prepared transactions change theirs. */
  readonly prepared: boolean;
}

export class OpenTransactions {
  #floor: number | null;
  #before: number | undefined;
  #known = new Map<string, number | null>();

  /** @param floor what an earlier process found: epoch microseconds, or null when nothing is known */
  constructor(floor: number | null) {
    this.#floor = floor;
  }

  /**
   * @param at epoch microseconds by the server's clock, before it told what is open
   * @returns epoch microseconds: whatever is open now, or will be, began after it; null while that is not known
   */
  look(at: number, open: readonly OpenTransaction[]): number | null {
    const known = new Map<string, number | null>();
    for (const { id, since, prepared } of open) {
      const seen = this.#known.get(id);
      const found = this.#before === undefined || prepared ? this.#floor : this.#before;
      known.set(id, since ?? (seen === undefined ? found : seen));
    }
    this.#known = known;
    this.#before = at;
    const bounds = [at, ...known.values()];
    this.#floor = bounds.includes(null) ? null : Math.min(...bounds.map((bound) => bound ?? 0));
    return this.#floor;
  }
}
