/** Bounds the time of an evaluation: an expression that does not end costs its event, not the stage. */
import type { DuckDB } from "@caudal/pipeline/duckdb";

export interface TimeLimits {
  /** What one event may take, milliseconds. */
  readonly eventMs: number;
  /** What several may take together; then they are evaluated in halves. */
  readonly runMs: number;
  /** DuckDB looks up between its steps: what has not ended so long after it was told to will not. */
  readonly graceMs: number;
}

export const TIME_LIMITS: TimeLimits = { eventMs: 5_000, runMs: 3_000, graceMs: 10_000 };

/**
 * @param rows that are evaluated
 * @param stuck is called when DuckDB does not stop
 * @throws what DuckDB throws, or that it took too long
 */
export async function withinTime<T>(
  duckdb: DuckDB,
  rows: number,
  { eventMs, runMs, graceMs }: TimeLimits,
  work: () => Promise<T>,
  stuck: () => void,
): Promise<T> {
  // Without events it is the machine that takes the time.
  if (rows === 0) return await work();
  const limit = rows > 1 ? runMs : eventMs;
  let ended = false;
  const grace = setTimeout(stuck, limit + graceMs);
  const timer = setTimeout(() => {
    ended = true;
    duckdb.connection.interrupt();
  }, limit);
  try {
    return await work();
  } catch (error) {
    if (ended) throw new Error(`the evaluation took longer than ${limit} ms`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
    clearTimeout(grace);
  }
}
