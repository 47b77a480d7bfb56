/** Durations of the API: one number and one unit, `500ms`, `90s`, `5m`, `12h`, `30d`. */

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

const FORM = "a number and a unit, such as 500ms, 90s, 5m, 12h or 30d";

/** Units as people write them; months and years have no one length. */
const UNITS: Readonly<Record<string, number>> = {
  ...spellings(1, "ms", "msec", "msecs", "millis", "millisecond", "milliseconds"),
  ...spellings(1_000, "s", "sec", "secs", "second", "seconds"),
  ...spellings(60_000, "m", "min", "mins", "minute", "minutes"),
  ...spellings(3_600_000, "h", "hr", "hrs", "hour", "hours"),
  ...spellings(86_400_000, "d", "day", "days"),
  ...spellings(604_800_000, "w", "wk", "week", "weeks"),
};

function spellings(ms: number, ...names: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(names.map((name) => [name, ms]));
}

/**
 * @param value as the spec has it
 * @returns what to write instead; undefined for a duration
 */
export function durationProblem(value: unknown): string | undefined {
  if (typeof value === "string" && /^[1-9][0-9]{0,8}(ms|s|m|h|d)$/.test(value)) return undefined;
  const text = String(value).trim();
  if (/^\d+$/.test(text) && Number(text) > 0)
    return `${text} has no unit: write ${text}s for seconds, or ms, m, h or d behind it`;
  const ms = meantBy(text.toLowerCase());
  if (ms === 0 || text.startsWith("-")) return `${text} is no time: write ${FORM}, of 1ms or more`;
  if (ms === undefined || !Number.isSafeInteger(ms)) return `"${text}" is no duration: write ${FORM}`;
  return `"${text}" is no duration: write ${formatDuration(ms)}`;
}

/** Milliseconds of `1 minute`, `1h30m`, `PT1M`, `1.5h`, `interval '5' minute` or `00:05:00`. */
function meantBy(text: string): number | undefined {
  const clock = /^(\d+):([0-5]?\d):([0-5]?\d)$/.exec(text);
  if (clock !== null) return (Number(clock[1]) * 3600 + Number(clock[2]) * 60 + Number(clock[3])) * 1_000;
  const parts = text
    .replace(/^interval\b|['"]/g, "")
    .replace(/^p(?=[\dt])/, "")
    .replace(/(^|\d[a-z])t(?=\d)/, "$1");
  let total = 0;
  const rest = parts.replaceAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/g, (whole: string, number: string, unit: string) => {
    const ms = UNITS[unit];
    if (ms === undefined) return whole;
    total += Number(number) * ms;
    return "";
  });
  return rest.replaceAll(/[\s,]|\band\b/g, "") === "" && parts !== "" ? Math.round(total) : undefined;
}
