/** How event time advances over the partitions of a stage. Milliseconds since 1970; null is "not yet". */

export interface PartitionClock {
  readonly partition: number;
  readonly maxEventTime: number | null;
  /** How long ago its owner last confirmed that it is idle; null when it is not. */
  readonly idleAgeMs: number | null;
}

/** A confirmation older than this no longer holds: its owner is gone or lags, and such a partition is never idle. */
export const IDLE_VALID_MS = 20_000;
/** How often an owner confirms an idle partition again: several times within its validity. */
export const IDLE_CONFIRM_MS = 5_000;

export function isIdle(clock: Pick<PartitionClock, "idleAgeMs">): boolean {
  return clock.idleAgeMs !== null && clock.idleAgeMs <= IDLE_VALID_MS;
}

export function partitionWatermark(maxEventTime: number | null, maxDelayMs: number): number | null {
  return maxEventTime === null ? null : maxEventTime - maxDelayMs;
}

/**
 * The smallest watermark of the active partitions, never before the current one. A partition without events starts
 * at the current one and so holds it, until it has events or is confirmed idle; so does a partition of which nothing is
 * stored yet. With no active partition it stands still.
 */
export function stageWatermark(
  current: number | null,
  clocks: readonly PartitionClock[],
  partitionCount: number,
  maxDelayMs: number,
): number | null {
  if (clocks.length < partitionCount) return current;
  const active = clocks.filter((clock) => !isIdle(clock));
  if (active.length === 0) return current;
  let least = Infinity;
  for (const { maxEventTime } of active) {
    const watermark = partitionWatermark(maxEventTime, maxDelayMs);
    if (watermark === null) return current;
    least = Math.min(least, watermark);
  }
  return current === null ? least : Math.max(current, least);
}
