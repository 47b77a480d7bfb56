/** Durations of the API: one number and one unit, `500ms`, `90s`, `5m`, `12h`, `30d`. */

export const DURATION_PATTERN = "^[1-9][0-9]{0,8}(ms|s|m|h|d)$";

const milliseconds = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration that is not of the documented form. */
export class DurationError extends Error {
  readonly code = "EDURATION";
  readonly reason = "InvalidDuration";
  readonly retryable = false;
}

/**
 * @param text such as `90s`
 * @returns whole milliseconds, at least 1
 * @throws DurationError that says which forms are allowed
 */
export function parseDuration(text: string): number {
  const match = /^([1-9][0-9]{0,8})(ms|s|m|h|d)$/.exec(text);
  if (match === null)
    throw new DurationError(`"${text}" is no duration: write a number and a unit, such as 500ms, 90s, 5m, 12h or 30d`);
  return Number(match[1]) * milliseconds[match[2] as keyof typeof milliseconds];
}

/** The shortest text of a duration: 90000 → `90s`, 60000 → `1m`. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    if (ms % milliseconds[unit] === 0) return `${ms / milliseconds[unit]}${unit}`;
  }
  return `${ms}ms`;
}
