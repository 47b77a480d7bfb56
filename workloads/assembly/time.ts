/** Times and dates in the spellings that most programs write; any other is left to the strict reader. */
import { COLON, MINUS, NOT_SURE, QUOTE, byteAt, digitAt } from "./json";

/** Years whose microseconds since 1970 a double holds exactly. */
const FIRST_YEAR: u32 = 1700;
const LAST_YEAR: u32 = 2249;

/** Days since 1970 of the date, and microseconds of the time, that were read last. */
export let days: i32 = 0;
export let micros: i64 = 0;
let year: u32 = 0;

/** Two digits as a number; more than 99 where there are none. */
function two(at: u32): u32 {
  const tens = digitAt(at);
  const ones = digitAt(at + 1);
  return tens <= 9 && ones <= 9 ? tens * 10 + ones : 10_000;
}

function daysOfMonth(month: u32): u32 {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar. Source: Howard Hinnant, chrono-compatible date algorithms. */
function daysFromCivil(month: u32, day: u32): i32 {
  const shifted = <i32>year - (month <= 2 ? 1 : 0);
  const era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const yearOfEra = <u32>(shifted - era * 400);
  const dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return era * 146_097 + <i32>dayOfEra - 719_468;
}

/** Reads `2026-01-31` into {@link days}. */
function readDate(at: u32): bool {
  if (byteAt(at + 4) != MINUS || byteAt(at + 7) != MINUS) return false;
  year = two(at) * 100 + two(at + 2);
  const month = two(at + 5);
  const day = two(at + 8);
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > daysOfMonth(month)) return false;
  days = daysFromCivil(month, day);
  return true;
}

/** @param at behind the opening quote @returns behind the closing one; the date is in {@link days} */
export function scanDate(at: u32): u32 {
  return byteAt(at + 10) == QUOTE && readDate(at) ? at + 11 : NOT_SURE;
}

/**
 * Reads `2026-01-31T23:59:59`, with a fraction of at most six digits, ended by `Z` or an offset such as `+01:00`, into
 * {@link micros}.
 *
 * @param start behind the opening quote
 * @returns behind the closing one
 */
export function scanTime(start: u32): u32 {
  if (byteAt(start + 10) != 0x54 || byteAt(start + 13) != COLON || byteAt(start + 16) != COLON) return NOT_SURE;
  if (!readDate(start) || year < FIRST_YEAR || year > LAST_YEAR) return NOT_SURE;
  const hour = two(start + 11);
  const minute = two(start + 14);
  const second = two(start + 17);
  if (hour > 23 || minute > 59 || second > 59) return NOT_SURE;
  let at = start + 19;
  let fraction: u32 = 0;
  if (byteAt(at) == 0x2e) {
    const first = ++at;
    let unit: u32 = 100_000;
    for (let digit = digitAt(at); digit <= 9; digit = digitAt(++at)) {
      fraction += digit * unit;
      unit /= 10;
    }
    if (at == first || at - first > 6) return NOT_SURE;
  }
  let offset: i64 = 0;
  const zone = byteAt(at);
  if (zone == 0x5a) {
    at++;
  } else {
    const hours = two(at + 1);
    const minutes = two(at + 4);
    if ((zone != 0x2b && zone != MINUS) || byteAt(at + 3) != COLON || hours > 15 || minutes > 59) return NOT_SURE;
    offset = <i64>(hours * 3600 + minutes * 60);
    if (zone == MINUS) offset = -offset;
    at += 6;
  }
  if (byteAt(at) != QUOTE) return NOT_SURE;
  micros = (<i64>days * 86_400 + <i64>(hour * 3600 + minute * 60 + second) - offset) * 1_000_000 + <i64>fraction;
  return at + 1;
}
