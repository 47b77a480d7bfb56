/** When what has been merged in memory is committed. Pure: the clock is an argument. */

export interface BatchSize {
  /** Merged rows of all tables. */
  readonly rows: number;
  /** Memory held until the commit: merged rows and dead letters. */
  readonly bytes: number;
  /** Since its first record. */
  readonly ageMs: number;
}

/** What a commit would come after. */
export interface Moment {
  /** Whether the broker has more than was fetched. */
  readonly lagging: boolean;
  /** How long the last commit took. */
  readonly lastCommitMs: number;
  /** Since the last batch was sealed. */
  readonly sinceSealMs: number;
}

export interface CommitBounds {
  readonly maxRows: number;
  readonly maxBytes: number;
  /** When the worker has caught up, two commits are apart by this many times as long as the last one took … */
  readonly caughtUpFactor: number;
  /** … within these limits: commits take a fixed share of the time, and what comes after a pause is committed at once. */
  readonly caughtUpMinMs: number;
  readonly caughtUpMaxMs: number;
  /** Commits of fewer rows than this are further apart: each costs about as much as one of hundreds. */
  readonly fewRows: number;
  readonly fewMs: number;
  /** While it lags, a batch collects for this many times as long as the last commit took … */
  readonly lagFactor: number;
  /** … within these limits: the more a commit costs, the more is merged into each. */
  readonly lagMinMs: number;
  readonly lagMaxMs: number;
  /** A batch collects for so long, whether the worker lags or not. */
  readonly gatherMs?: number;
}

export const BOUNDS: CommitBounds = {
  maxRows: 200_000,
  maxBytes: 48 * 1024 * 1024,
  caughtUpFactor: 4,
  caughtUpMinMs: 20,
  caughtUpMaxMs: 100,
  fewRows: 64,
  fewMs: 250,
  lagFactor: 8,
  lagMinMs: 200,
  lagMaxMs: 4_000,
};

/** Whether the batch is to be committed now. */
export function isDue(size: BatchSize, moment: Moment, bounds: CommitBounds = BOUNDS): boolean {
  return isFull(size, bounds) || dueIn(size, moment, bounds) <= 0;
}

/** For how much longer a batch that is not full grows, in milliseconds: 0 or less when it is due. */
export function dueIn(size: BatchSize, moment: Moment, bounds: CommitBounds = BOUNDS): number {
  const { lagging, lastCommitMs, sinceSealMs } = moment;
  if (bounds.gatherMs !== undefined) return bounds.gatherMs - size.ageMs;
  if (lagging) return clamp(bounds.lagFactor * lastCommitMs, bounds.lagMinMs, bounds.lagMaxMs) - size.ageMs;
  const apart = clamp(bounds.caughtUpFactor * lastCommitMs, bounds.caughtUpMinMs, bounds.caughtUpMaxMs);
  return (size.rows < bounds.fewRows ? Math.max(apart, bounds.fewMs) : apart) - sinceSealMs;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** Whether the batch must not grow before an earlier one has been committed. */
export function isFull(size: BatchSize, bounds: CommitBounds = BOUNDS): boolean {
  return size.rows >= bounds.maxRows || size.bytes >= bounds.maxBytes;
}

const LOOK_MS = 2_000;
const LOOK_AT_REST_MS = 5_000;
/** What a server loses when it fails is mostly what was committed last. */
const AT_REST_AFTER_MS = 60_000;

/**
 * How often it is looked whether what was committed is still there, in milliseconds.
 *
 * @param sinceSealMs since the last batch was sealed
 */
export function looksEvery(sinceSealMs: number): number {
  return sinceSealMs > AT_REST_AFTER_MS ? LOOK_AT_REST_MS : LOOK_MS;
}
