/** When what has been merged in memory is committed. Pure: the clock is an argument. */

export interface BatchSize {
  /** Merged rows of all tables. */
  readonly rows: number;
  /** Memory held until the commit: merged rows and dead letters. */
  readonly bytes: number;
  /** Since its first record. */
  readonly ageMs: number;
}

export interface CommitBounds {
  readonly maxRows: number;
  readonly maxBytes: number;
  /** When the worker has caught up, a batch collects for this many times as long as the last commit took … */
  readonly caughtUpFactor: number;
  /** … within these limits: commits take a fixed share of the time, and a row is seen soon. */
  readonly caughtUpMinMs: number;
  readonly caughtUpMaxMs: number;
  /** While it lags, a batch collects for this many times as long as the last commit took … */
  readonly lagFactor: number;
  /** … within these limits: the more a commit costs, the more is merged into each. */
  readonly lagMinMs: number;
  readonly lagMaxMs: number;
}

export const BOUNDS: CommitBounds = {
  maxRows: 200_000,
  maxBytes: 48 * 1024 * 1024,
  caughtUpFactor: 4,
  caughtUpMinMs: 20,
  caughtUpMaxMs: 100,
  lagFactor: 8,
  lagMinMs: 200,
  lagMaxMs: 4_000,
};

/** @param lagging whether the broker has more than was fetched */
export function isDue(size: BatchSize, lagging: boolean, lastCommitMs: number, bounds: CommitBounds = BOUNDS): boolean {
  return isFull(size, bounds) || size.ageMs >= collectsFor(lagging, lastCommitMs, bounds);
}

/** How old a batch becomes that is not full, in milliseconds. */
export function collectsFor(lagging: boolean, lastCommitMs: number, bounds: CommitBounds): number {
  return lagging
    ? clamp(bounds.lagFactor * lastCommitMs, bounds.lagMinMs, bounds.lagMaxMs)
    : clamp(bounds.caughtUpFactor * lastCommitMs, bounds.caughtUpMinMs, bounds.caughtUpMaxMs);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** Whether the batch must not grow before an earlier one has been committed. */
export function isFull(size: BatchSize, bounds: CommitBounds = BOUNDS): boolean {
  return size.rows >= bounds.maxRows || size.bytes >= bounds.maxBytes;
}
