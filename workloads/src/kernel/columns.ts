/** A slice of events as columns. Row i of a slice is element i of every column. */
import type { Dictionary } from "./dictionary.ts";
import { NULL_CODE } from "./dictionary.ts";
import type { Placed, ScanMemory } from "./scan-memory.ts";
import { storageOf } from "./storage.ts";

/** Stands in a column of numbers for an integer that a double cannot hold: it is among the column's bigs. */
export const BIG = Infinity;

/** Texts as codes of a dictionary, NULL as {@link NULL_CODE}. */
export interface TextColumn {
  readonly kind: "text";
  /** Replaced by an empty one when it has become large and nothing refers to it. */
  dictionary: Dictionary;
  /** Another array after memory has grown: ask for it anew after every call that may allocate. */
  values: Int32Array;
}

/** Numbers, NULL as NaN. */
export interface NumberColumn {
  readonly kind: "number";
  values: Float64Array;
  /** By row, integers beyond 2^53. */
  readonly bigs: Map<number, bigint>;
}

export type Column = TextColumn | NumberColumn;

export function makeColumn(memory: ScanMemory, duckdbType: string, rows: number): Placed<Column> {
  return storageOf(duckdbType).kind === "text" ? memory.textColumn(rows) : memory.numberColumn(rows);
}

export function setNull(column: Column, row: number): void {
  column.values[row] = column.kind === "text" ? NULL_CODE : NaN;
}

/** Sets an integer of any size. */
export function setInteger(column: NumberColumn, row: number, value: bigint): void {
  const number = Number(value);
  if (Number.isSafeInteger(number)) {
    column.values[row] = number;
    return;
  }
  column.values[row] = BIG;
  column.bigs.set(row, value);
}

/** The number in a row that is not NULL. */
export function numberAt(
  { values, bigs }: { readonly values: Float64Array; readonly bigs: ReadonlyMap<number, bigint> },
  row: number,
): number | bigint {
  const value = values[row] as number;
  return value === BIG ? (bigs.get(row) ?? value) : value;
}
