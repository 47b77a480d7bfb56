/** Values of columns as text, as they stand in JSON without its quotes. */
import { BIG } from "../kernel/columns.ts";
import type { DeltaColumn, NumberValues, TextValues } from "../kernel/delta.ts";
import { withPoint } from "../kernel/event-table.ts";
import { storageOf } from "../kernel/storage.ts";

/** The text in a row; null for NULL. */
export type TextAt = (row: number) => string | null;

const MICROS = 1000;
const DAY_MS = 86_400_000;
const DAY_MICROS = DAY_MS * MICROS;

export function textsOf(column: DeltaColumn, duckdbType: string): TextAt {
  if (column.kind === "text") return textValues(column);
  const write = writer(duckdbType);
  const { values } = column;
  return (row) => (Number.isNaN(values[row]) ? null : write(column, row));
}

function textValues({ bytes, lengths }: TextValues): TextAt {
  const starts = new Int32Array(lengths.length);
  let at = 0;
  for (const [row, length] of lengths.entries()) {
    starts[row] = at;
    at += Math.max(0, length);
  }
  return (row) => {
    const length = lengths[row] as number;
    const start = starts[row] as number;
    return length < 0 ? null : bytes.toString("utf8", start, start + length);
  };
}

type Write = (column: NumberValues, row: number) => string;

function writer(duckdbType: string): Write {
  switch (duckdbType) {
    case "BOOLEAN":
      return ({ values }, row) => (values[row] === 1 ? "true" : "false");
    case "DOUBLE":
    case "FLOAT":
      return ({ values }, row) => String(values[row]);
    case "DATE":
      return ({ values }, row) => new Date((values[row] as number) * DAY_MS).toISOString().replace(/T.*/, "");
    case "TIME":
      return (column, row) => isoTime(Number(integerAt(column, row)) % DAY_MICROS).slice(11);
    case "TIMESTAMP":
    case "TIMESTAMP_S":
    case "TIMESTAMP_MS":
      return (column, row) => isoTime(Number(integerAt(column, row)));
    case "TIMESTAMP WITH TIME ZONE":
      return (column, row) => `${isoTime(Number(integerAt(column, row)))}Z`;
    default: {
      const { scale } = storageOf(duckdbType);
      return scale === 0
        ? (column, row) => integerAt(column, row).toString()
        : (column, row) => withPoint(BigInt(integerAt(column, row)), scale);
    }
  }
}

function integerAt({ values, bigs }: NumberValues, row: number): number | bigint {
  const value = values[row] as number;
  return value === BIG ? (bigs.get(row) ?? value) : value;
}

/** To the millisecond, or to the microsecond where there is one. */
function isoTime(micros: number): string {
  const ms = Math.floor(micros / MICROS);
  const rest = micros - ms * MICROS;
  const text = new Date(ms).toISOString().slice(0, -1);
  return rest === 0 ? text : text + String(rest).padStart(3, "0");
}
