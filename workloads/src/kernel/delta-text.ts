/** Values of a delta as PostgreSQL writes them. */
import { numberAt } from "./columns.ts";
import type { DeltaColumn } from "./delta.ts";
import { withPoint } from "./event-table.ts";

/** @param duckdbType of the column @returns one text a row, null for NULL */
export function columnText(column: DeltaColumn, duckdbType: string): (string | null)[] {
  if (column.kind === "text") {
    let end = 0;
    return Array.from(column.lengths, (length) =>
      length < 0 ? null : column.bytes.toString("utf8", end, (end += length)),
    );
  }
  return Array.from(column.values, (value, row) =>
    Number.isNaN(value) ? null : numberText(numberAt(column, row), duckdbType),
  );
}

/** @param ms milliseconds since 1970 */
export function timestamptzText(ms: number): string {
  return `${timestampText(BigInt(ms) * 1000n)}+00`;
}

function numberText(value: number | bigint, duckdbType: string): string {
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(duckdbType)?.[1];
  if (scale !== undefined) return withPoint(BigInt(value), Number(scale));
  switch (duckdbType) {
    case "BOOLEAN":
      return String(Number(value) === 1);
    case "FLOAT":
      return floatText(Number(value));
    case "DATE":
      return new Date(Number(value) * 86_400_000).toISOString().slice(0, 10);
    case "TIME":
      return timestampText(BigInt(value)).slice("1970-01-01 ".length);
    case "TIMESTAMP WITH TIME ZONE":
      return `${timestampText(BigInt(value))}+00`;
    default:
      return duckdbType.startsWith("TIMESTAMP") ? timestampText(BigInt(value)) : String(value);
  }
}

function timestampText(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - fraction) / 1000n)).toISOString().slice(0, 19).replace("T", " ");
  return fraction === 0n ? seconds : `${seconds}.${String(fraction).padStart(6, "0").replace(/0+$/, "")}`;
}

/** The shortest text that is this float and no other. */
function floatText(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(value);
}
