/** How a field's type is written in an event's JSON. */
import type { Field } from "@caudal/crds";

/** Decimals of more digits come as JSON strings: numbers would lose some. */
const EXACT_DIGITS = 15;

/** A number as the field's type has it: doubles with three decimals, times from epoch milliseconds. */
export function formatNumber(field: Field, value: number): string {
  switch (field.type) {
    case "integer":
    case "bigint":
      return String(Math.round(value));
    case "boolean":
      return String(value >= 0.5);
    case "timestamp":
    case "date":
      return formatTime(field, value);
    default:
      return field.type.startsWith("decimal") ? value.toFixed(scale(field)) : threeDecimals(value);
  }
}

/** A time as the field's type has it. @param time epoch milliseconds */
export function formatTime(field: Field, time: number): string {
  switch (field.type) {
    case "integer":
    case "bigint":
    case "double":
      return String(Math.floor(time));
    case "date":
      return new Date(time).toISOString().slice(0, 10);
    default:
      return isoTime(time);
  }
}

/** Seconds that were formatted lately, up to their points: most events of a moment share a few. */
const SECONDS = 64;
const seconds = Array.from({ length: SECONDS }, () => ({ number: NaN, text: "" }));
const MILLISECONDS = Array.from({ length: 1000 }, (_, value) => `${String(value).padStart(3, "0")}Z`);

function isoTime(time: number): string {
  const number = Math.floor(time / 1000);
  const place = ((number % SECONDS) + SECONDS) % SECONDS;
  let second = seconds[place];
  if (second?.number !== number) {
    second = { number, text: new Date(number * 1000).toISOString().slice(0, -4) };
    seconds[place] = second;
  }
  return second.text + (MILLISECONDS[Math.floor(time) - number * 1000] ?? "");
}

/** A number rounded to three decimals, as JavaScript writes it. */
function threeDecimals(value: number): string {
  const thousandths = Math.round(value * 1000);
  if (Math.abs(thousandths) > 1e12) return String(thousandths / 1000);
  const whole = Math.trunc(thousandths / 1000);
  const rest = Math.abs(thousandths % 1000);
  if (rest === 0) return String(whole);
  const digits = MILLISECONDS[rest]?.slice(0, rest % 100 === 0 ? 1 : rest % 10 === 0 ? 2 : 3) ?? "";
  return `${thousandths < 0 ? "-" : ""}${Math.abs(whole)}.${digits}`;
}

/** Whether the field's text stands in the JSON without quotes. */
export function isBare({ type }: Field): boolean {
  if (type === "boolean" || type === "integer" || type === "bigint" || type === "double") return true;
  return type.startsWith("decimal") && Number(type.slice("decimal(".length).split(",")[0]) <= EXACT_DIGITS;
}

function scale({ type }: Field): number {
  return Number(/,([0-9]+)\)$/.exec(type)?.[1] ?? 0);
}
