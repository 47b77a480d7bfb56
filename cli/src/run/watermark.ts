/**
 * When the watermark matters. On a cluster it moves about once a second, here with each record: an event is judged by
 * all that came before it. A stretch of records is judged at once where that makes no difference.
 */

export interface Stretch {
  /** Rows [from, to). */
  readonly from: number;
  readonly to: number;
  /** By which they are judged, epoch milliseconds; null: nothing came before them. */
  readonly watermark: number | null;
}

/** The watermark of one stage on a log of one partition. */
export class Watermark {
  readonly #maxDelayMs: number;
  #latest = -Infinity;

  constructor(maxDelayMs: number) {
    this.#maxDelayMs = maxDelayMs;
  }

  /** Epoch milliseconds; null before the first event. */
  get current(): number | null {
    return this.#latest === -Infinity ? null : this.#latest - this.#maxDelayMs;
  }

  /**
   * Moves on over a block's rows. No event is late that is not before the watermark: an earlier watermark, that of the
   * stretch's beginning, says the same of it.
   *
   * @param times by row, NaN for records that are no events
   */
  stretches(times: Float64Array): readonly Stretch[] {
    const found: Stretch[] = [];
    let from = 0;
    let watermark = this.current;
    for (let row = 0; row < times.length; row++) {
      const time = times[row] as number;
      if (Number.isNaN(time)) continue;
      const now = this.current;
      if (now !== null && time < now && now !== watermark) {
        if (row > from) found.push({ from, to: row, watermark });
        from = row;
        watermark = now;
      }
      if (time > this.#latest) this.#latest = time;
    }
    if (times.length > from) found.push({ from, to: times.length, watermark });
    return found;
  }
}
