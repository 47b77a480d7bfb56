/** Times and dates in the spellings that most programs write; any other is left to the strict reader. */
import { NOT_SURE } from "./json-scan.ts";

const QUOTE = 0x22;
const DASH = 0x2d;
const COLON = 0x3a;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** Years whose microseconds since 1970 a double holds exactly. */
const FIRST_YEAR = 1700;
const LAST_YEAR = 2249;

/** Days since 1970 of the date in the last call of {@link readDate} that gave true. */
let days = 0;
/** Of the date that `days` is: most events of a batch are of one day. */
let known = { year: 0, month: 0, day: 0 };

function two(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - 0x30;
  const ones = (bytes[at + 1] as number) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
}

/** Reads `2026-01-31`. */
function readDate(bytes: Uint8Array, at: number): boolean {
  const year = two(bytes, at) * 100 + two(bytes, at + 2);
  const month = two(bytes, at + 5);
  const day = two(bytes, at + 8);
  if (bytes[at + 4] !== DASH || bytes[at + 7] !== DASH) return false;
  if (day === known.day && month === known.month && year === known.year) return true;
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1)) return false;
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day > (MONTH_DAYS[month - 1] as number) + (leap ? 1 : 0)) return false;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  days = date.getTime() / 86_400_000;
  known = { year, month, day };
  return true;
}

/** @param at after the opening quote @returns after the closing one; `take` has got the days since 1970 */
export function scanDate(bytes: Uint8Array, at: number, take: (days: number) => unknown): number {
  if (bytes[at + 10] !== QUOTE || !readDate(bytes, at)) return NOT_SURE;
  take(days);
  return at + 11;
}

/**
 * Reads `2026-01-31T23:59:59`, with a fraction of at most six digits, ended by `Z` or an offset such as `+01:00`.
 * `scanTime.micros` is then its time in microseconds since 1970.
 *
 * @param start after the opening quote
 * @returns after the closing one
 */
export function scanTime(bytes: Uint8Array, start: number): number {
  if (!readDate(bytes, start) || known.year < FIRST_YEAR || known.year > LAST_YEAR) return NOT_SURE;
  if (bytes[start + 10] !== 0x54 || bytes[start + 13] !== COLON || bytes[start + 16] !== COLON) return NOT_SURE;
  const hour = two(bytes, start + 11);
  const minute = two(bytes, start + 14);
  const second = two(bytes, start + 17);
  if (!(hour < 24 && minute < 60 && second < 60)) return NOT_SURE;
  let at = start + 19;
  let micros = 0;
  if (bytes[at] === 0x2e) {
    const fraction = ++at;
    let unit = 100_000;
    for (let byte = bytes[at] as number; byte >= 0x30 && byte <= 0x39; byte = bytes[++at] as number) {
      micros += (byte - 0x30) * unit;
      unit /= 10;
    }
    if (at === fraction || at - fraction > 6) return NOT_SURE;
  }
  let offset = 0;
  if (bytes[at] === 0x5a) at++;
  else {
    const sign = bytes[at];
    const [hours, minutes] = [two(bytes, at + 1), two(bytes, at + 4)];
    if ((sign !== 0x2b && sign !== DASH) || bytes[at + 3] !== COLON || !(hours <= 15 && minutes < 60)) return NOT_SURE;
    offset = (hours * 60 + minutes) * (sign === DASH ? -60 : 60);
    at += 6;
  }
  if (bytes[at] !== QUOTE) return NOT_SURE;
  scanTime.micros = (days * 86_400 + hour * 3600 + minute * 60 + second - offset) * 1e6 + micros;
  return at + 1;
}
scanTime.micros = 0;
