/** Values of columns as JSON, as fields of a topic are written. */
import { type Column, numberAt } from "./columns.ts";
import { NULL_CODE } from "./dictionary.ts";
import { withPoint } from "./event-table.ts";
import { storageOf } from "./storage.ts";

const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/;
/** Decimals of more digits are strings: a reader that makes doubles of numbers would lose some. */
const MAX_NUMBER_DIGITS = 15;
const DAY_MS = 86_400_000;

/** Gives the JSON text of a row's value of a column. */
export type JsonText = (column: Column, row: number) => string;

/** @param duckdbType one that a column of PostgreSQL can hold */
export function jsonText(duckdbType: string): JsonText {
  const write = writerOf(duckdbType);
  return (column, row) => {
    if (column.kind === "text") {
      const code = column.values[row] as number;
      if (code === NULL_CODE) return "null";
      const text = column.dictionary.text(code);
      return duckdbType === "JSON" ? text : JSON.stringify(text);
    }
    return Number.isNaN(column.values[row]) ? "null" : write(numberAt(column, row));
  };
}

function writerOf(duckdbType: string): (value: number | bigint) => string {
  const [, precision] = DECIMAL.exec(duckdbType) ?? [];
  if (precision !== undefined) {
    const { scale } = storageOf(duckdbType);
    const quoted = Number(precision) > MAX_NUMBER_DIGITS ? '"' : "";
    return (value) => `${quoted}${withPoint(BigInt(value), scale)}${quoted}`;
  }
  switch (duckdbType) {
    case "BOOLEAN":
      return (value) => (Number(value) === 1 ? "true" : "false");
    case "DATE":
      return (value) => `"${isoOf(Number(value) * DAY_MS).slice(0, 10)}"`;
    case "TIME":
      return (value) => `"${timeOf(BigInt(value)).slice(11)}"`;
    case "TIMESTAMP WITH TIME ZONE":
      return (value) => `"${timeOf(BigInt(value))}Z"`;
    default:
      return duckdbType.startsWith("TIMESTAMP") ? (value) => `"${timeOf(BigInt(value))}"` : String;
  }
}

/** @param micros since 1970 @returns ISO 8601 without a zone, with as many digits of the second as it has */
function timeOf(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = isoOf(Number((micros - rest) / 1000n)).slice(0, 19);
  return rest === 0n ? seconds : `${seconds}.${String(rest).padStart(6, "0").replace(/0+$/, "")}`;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
