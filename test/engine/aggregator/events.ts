/** Made-up events: the same seed gives the same ones. Some have NULL groups, some users only NULL values. */

export interface Event {
  readonly event_id: string;
  readonly user_id: string | null;
  readonly event_type: string | null;
  readonly event_ts: string;
  readonly points?: number | null;
  readonly waiting_time_ms?: number | null;
}

/** A generator of numbers in [0, 1) that a seed decides. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const types = ["view", "click", "search", "purchase", null] as const;

/** @param from index of the first event: calls that go on where another ended give one sequence */
export function makeEvents(seed: number, count: number, from = 0): Event[] {
  const random = randomFrom(seed + from);
  const began = Date.UTC(2026, 0, 1);
  return Array.from({ length: count }, (_, index) => {
    const user = Math.floor(random() ** 2 * 40);
    const nobody = user === 7;
    const id = Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, "0");
    return {
      event_id: `${id}-0000-4000-8000-${String(from + index).padStart(12, "0")}`,
      user_id: user === 3 ? null : `u${user}`,
      event_type: types[Math.floor(random() * types.length)] ?? null,
      event_ts: new Date(began + Math.floor((from + index) * 25 + random() * 90_000)).toISOString(),
      points: nobody || random() < 0.2 ? null : Math.floor(random() * 2_000_000_000),
      ...(nobody || random() < 0.3 ? {} : { waiting_time_ms: Math.round(random() * 1e6) / 1e3 }),
    };
  });
}
