/** How many events of a shard are due. Time is given, never asked for. */

/** Share s of P: events s, s + P, s + 2P and so on. */
export interface Share {
  readonly shard: number;
  readonly shards: number;
}

export interface Pace {
  /**
   * @param now milliseconds of a clock that never goes back
   * @param done events of this shard that were made so far
   * @returns how many more are due now
   */
  due(now: number, done: number): number;
}

/** After a stall at most this much is caught up; the rest of the debt is forgotten. */
const MOST_DEBT_MS = 1_000;

/** Holds a rate: the debt is counted from a fixed point in time, so rounding never adds up. */
export function ratePace(eventsPerSecond: number, { shards }: Share, start: number, doneAtStart: number): Pace {
  const perMs = eventsPerSecond / shards / 1_000;
  const mostDebt = Math.max(1, perMs * MOST_DEBT_MS);
  let origin = start;
  let base = doneAtStart;
  return {
    due(now, done) {
      const debt = (now - origin) * perMs - (done - base);
      // One more than is caught up: at a low rate an event is a little overdue at each tick that makes it.
      if (debt > mostDebt + 1) {
        origin = now - mostDebt / perMs;
        base = done;
        return Math.floor(mostDebt);
      }
      return Math.max(0, Math.floor(debt));
    },
  };
}

/**
 * A burst of `count` events of all shards together, every interval: burst b has the events b · count to
 * (b + 1) · count - 1, of which each shard makes its own. Missed bursts are caught up one at a time, and at most one.
 */
export function burstPace(
  intervalMs: number,
  count: number,
  { shard, shards }: Share,
  start: number,
  doneAtStart: number,
): Pace {
  // The burst of the shard's next event; where bursts are smaller than the number of shards, that of its round.
  const nextEvent = doneAtStart * shards + (count >= shards ? shard : 0);
  let burst = Math.floor(nextEvent / count);
  let next = start;
  return {
    due(now, done) {
      if (now >= next) {
        burst++;
        next = Math.max(next + intervalMs, now - intervalMs);
      }
      const before = Math.max(0, Math.ceil((burst * count - shard) / shards));
      return Math.max(0, before - done);
    },
  };
}
