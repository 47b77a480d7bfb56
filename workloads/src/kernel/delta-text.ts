/** Values of columns as text: as PostgreSQL writes them, and as JSON has them. */
import { numberAt } from "./columns.ts";
import type { DeltaColumn } from "./delta.ts";
import { withPoint } from "./event-table.ts";

/** Digits that tell all floats apart. */
const MAX_FLOAT_DIGITS = 9;
const DAY_MICROS = 86_400_000_000;

/** The text in a row, null for NULL. */
export type TextAt = (row: number) => string | null;

/** @param duckdbType of the column @returns one text a row, null for NULL */
export function columnText(column: DeltaColumn, duckdbType: string): (string | null)[] {
  const at = textAt(column, duckdbType);
  const { length } = column.kind === "text" ? column.lengths : column.values;
  return Array.from({ length }, (_, row) => at(row));
}

/** Values as JSON has them, without its quotes: times in ISO 8601. */
export function jsonTextAt(column: DeltaColumn, duckdbType: string): TextAt {
  const at = textAt(column, duckdbType);
  if (!duckdbType.startsWith("TIMESTAMP")) return at;
  return (row) => at(row)?.replace(" ", "T").replace("+00", "Z") ?? null;
}

function textAt(column: DeltaColumn, duckdbType: string): TextAt {
  if (column.kind === "number")
    return (row) => (Number.isNaN(column.values[row]) ? null : numberText(numberAt(column, row), duckdbType));
  const { bytes, lengths } = column;
  let end = 0;
  const ends = Int32Array.from(lengths, (length) => (end += Math.max(0, length)));
  return (row) => {
    const length = lengths[row] as number;
    const to = ends[row] as number;
    return length < 0 ? null : bytes.toString("utf8", to - length, to);
  };
}

/** @param ms milliseconds since 1970 */
export function timestamptzText(ms: number): string {
  return timestampText(BigInt(ms) * 1000n, "+00");
}

/** A number as PostgreSQL writes a value of its type. */
export function numberText(value: number | bigint, duckdbType: string): string {
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(duckdbType)?.[1];
  if (scale !== undefined) return withPoint(BigInt(value), Number(scale));
  switch (duckdbType) {
    case "BOOLEAN":
      return String(Number(value) === 1);
    case "FLOAT":
      return floatText(Number(value));
    case "DATE":
      return new Date(Number(value) * 86_400_000).toISOString().slice(0, 10);
    case "DOUBLE":
      return doubleText(Number(value));
    case "TIME":
      return Number(value) === DAY_MICROS ? "24:00:00" : timestampText(BigInt(value)).slice("1970-01-01 ".length);
    case "TIMESTAMP WITH TIME ZONE":
      return timestampText(BigInt(value), "+00");
    default:
      return duckdbType.startsWith("TIMESTAMP") ? timestampText(BigInt(value)) : String(value);
  }
}

/**
 * @param micros since 1970
 * @param zone that it is written with
 * @returns as PostgreSQL writes it, with as many digits of the second as it has
 */
export function timestampText(micros: bigint, zone = ""): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  // Years beyond 9999 and before 1, which windows may reach into, have a sign and six digits here.
  const [, sign, digits = "", rest = ""] =
    /^([+-]?)(\d+)(-.{14})/.exec(new Date(Number((micros - fraction) / 1000n)).toISOString()) ?? [];
  const year = sign === "-" ? -Number(digits) : Number(digits);
  const shown = String(year > 0 ? year : 1 - year).padStart(4, "0");
  const seconds = `${shown}${rest.replace("T", " ")}`;
  const exact = fraction === 0n ? seconds : `${seconds}.${String(fraction).padStart(6, "0").replace(/0+$/, "")}`;
  return `${exact}${zone}${year > 0 ? "" : " BC"}`;
}

/** The shortest text that is this float and no other. */
function floatText(value: number): string {
  if (value === 0) return doubleText(value);
  for (let digits = 1; digits < MAX_FLOAT_DIGITS; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return doubleText(text);
  }
  return doubleText(Number(value.toPrecision(MAX_FLOAT_DIGITS)));
}

/** JavaScript writes a zero below zero as one above it. */
function doubleText(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}
