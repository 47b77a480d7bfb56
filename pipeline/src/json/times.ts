/** Times as they come in JSON: ISO 8601, or a number of seconds or of parts of them since 1970. */
import type { TimeUnit } from "@caudal/crds";
import { decimalOf } from "./numbers.ts";

/** Why a text or a number is no time. */
export type NoTime = "WrongType" | "OutOfRange";

/** Microseconds from the year 1 to the year 9999. */
export const FIRST_MICROS = -62_135_596_800_000_000n;
export const LAST_MICROS = 253_402_300_799_999_999n;
const DAY_MS = 86_400_000;
/** Widest difference to UTC that Java and ISO 8601's readers take; the world's widest is 14 hours. */
const MAX_OFFSET_SECONDS = 18 * 3600;

/** A date, the hour, and what may follow it: minutes, seconds, their fraction, and the difference to UTC. */
const ISO =
  /^([+-]\d{4,9}|\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?(Z|z|[+-]\d\d(?::?\d\d(?::\d\d)?)?)?)?$/;
const OFFSET = /^([+-])(\d\d)(?::?(\d\d)(?::(\d\d))?)?$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;

/** Powers of ten between a unit and a microsecond. */
const EXPONENTS: Readonly<Record<TimeUnit, number>> = {
  seconds: 6,
  milliseconds: 3,
  microseconds: 0,
  nanoseconds: -3,
};

/**
 * Microseconds since 1970 of a time in ISO 8601, as the usual programs print it: with minutes and seconds or without,
 * `T` or a space between, `Z`, a difference to UTC such as `+01:00`, or nothing for UTC.
 */
export function isoMicros(text: string): bigint | NoTime {
  const [, year = "", month = "", day = "", hour = "0", minute = "0", second = "0", fraction = "", zone = ""] =
    ISO.exec(text) ?? [];
  if (year === "") return "WrongType";
  const days = daysOf(year, month, day);
  const offset = offsetSeconds(zone);
  // What is finer than a microsecond cannot be kept.
  if (days === undefined || offset === undefined || /[1-9]/.test(fraction.slice(6))) return "OutOfRange";
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return "OutOfRange";
  const seconds = days * 86_400 + Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offset;
  return inRange(BigInt(seconds) * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, "0")));
}

/**
 * Microseconds since 1970 of a number.
 *
 * @param text of a JSON number: a whole one; of seconds also one with a fraction
 */
export function epochMicros(text: string, unit: TimeUnit): bigint | NoTime {
  const number = decimalOf(text);
  if (number === undefined) return "WrongType";
  const { digits, exponent } = number;
  if (digits === 0n) return 0n;
  if (exponent < 0 && unit !== "seconds") return "WrongType";
  const shift = exponent + EXPONENTS[unit];
  // More than any time has.
  if (shift > 20) return "OutOfRange";
  if (shift >= 0) return inRange(digits * 10n ** BigInt(shift));
  if (shift < -20) return "OutOfRange";
  const divisor = 10n ** BigInt(-shift);
  return digits % divisor === 0n ? inRange(digits / divisor) : "OutOfRange";
}

/** Days since 1970 of a date such as 2026-01-31. */
export function dateDays(text: string): number | NoTime {
  const [, year = "", month = "", day = ""] = DATE.exec(text) ?? [];
  if (year === "") return "WrongType";
  return daysOf(year, month, day) ?? "OutOfRange";
}

/** @returns undefined for a day that the calendar does not have between the years 1 and 9999 */
function daysOf(year: string, month: string, day: string): number | undefined {
  if (Number(year) < 1 || Number(year) > 9999) return undefined;
  const iso = `${String(Number(year)).padStart(4, "0")}-${month}-${day}`;
  const date = new Date(`${iso}T00:00:00Z`);
  // February 30 would become March 2.
  if (Number.isNaN(date.getTime()) || !date.toISOString().startsWith(iso)) return undefined;
  return date.getTime() / DAY_MS;
}

/** @returns undefined for a difference that no clock has */
function offsetSeconds(zone: string): number | undefined {
  if (zone === "" || zone === "Z" || zone === "z") return 0;
  const [, sign, hours = "0", minutes = "0", seconds = "0"] = OFFSET.exec(zone) ?? [];
  const offset = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  if (Number(minutes) > 59 || Number(seconds) > 59 || offset > MAX_OFFSET_SECONDS) return undefined;
  return sign === "-" ? -offset : offset;
}

function inRange(micros: bigint): bigint | NoTime {
  return micros >= FIRST_MICROS && micros <= LAST_MICROS ? micros : "OutOfRange";
}
