/** Values of columns as JSON, as fields of a topic are written. */
import { type Column, numberAt } from "./columns.ts";
import { NULL_CODE } from "./dictionary.ts";
import { numberText, timestampText } from "./delta-text.ts";
import { withPoint } from "./event-table.ts";
import { storageOf } from "./storage.ts";

const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/;
/** Decimals of more digits are strings: a reader that makes doubles of numbers would lose some. */
const MAX_NUMBER_DIGITS = 15;

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
    case "FLOAT":
    case "DOUBLE":
      return (value) => numberText(value, duckdbType);
    case "DATE":
    case "TIME":
      return (value) => `"${numberText(value, duckdbType)}"`;
    case "TIMESTAMP WITH TIME ZONE":
      return (value) => `"${timestampText(BigInt(value)).replace(" ", "T")}Z"`;
    default:
      return duckdbType.startsWith("TIMESTAMP")
        ? (value) => `"${timestampText(BigInt(value)).replace(" ", "T")}"`
        : String;
  }
}
