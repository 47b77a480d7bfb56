/** Results as text for people (table) and for programs (json: one object a line; csv: RFC 4180). */
import { expandedText } from "./expanded.ts";
import type { Result, ResultColumn, ValueKind } from "./result.ts";
import { type Cells, cellsOf } from "./cells.ts";
import { pad, width } from "./width.ts";

export const FORMATS = ["table", "json", "csv"] as const;
export type Format = (typeof FORMATS)[number];

/** What is wider than so many terminal columns stands out of its column: nothing is cut. */
const WIDEST = 80;

export interface TableOptions {
  /** What stands for NULL. */
  readonly nulls?: string | undefined;
  /** A line for each value. */
  readonly expanded?: boolean;
}

/** @returns lines, each ended by a line feed; nothing for json without rows */
export function format(result: Result, how: Format, { nulls, expanded = false }: TableOptions = {}): string {
  switch (how) {
    case "table":
      return expanded ? expandedText(result, nulls) : tableText(result, cellsOf(result, nulls));
    case "json":
      return result.rows.map((row) => `${jsonRow(result.columns, row)}\n`).join("");
    case "csv":
      return [result.columns.map(({ name }) => name), ...result.rows].map((row) => `${csvRow(row)}\n`).join("");
  }
}

/** Rows that follow a head that was printed already. @param widths of the columns, for tables */
export function formatMore(result: Result, how: Format, widths: readonly number[], nulls?: string): string {
  if (how === "table") return linesOf(result.columns, cellsOf(result, nulls), widths).join("");
  return how === "json" ? format(result, how) : result.rows.map((row) => `${csvRow(row)}\n`).join("");
}

/** @returns terminal columns that each column needs for its name and these rows */
export function widthsOf(result: Result, nulls?: string): number[] {
  return columnWidths(result.columns, cellsOf(result, nulls));
}

function columnWidths(columns: readonly ResultColumn[], cells: Cells): number[] {
  return columns.map(({ name }, index) => {
    const widest = cells.reduce((most, row) => Math.max(most, width(row[index] ?? "")), width(name));
    return Math.min(WIDEST, widest);
  });
}

function tableText({ columns }: Result, cells: Cells): string {
  const widths = columnWidths(columns, cells);
  const head = columns.map(({ name }, index) => pad(name, widths[index] ?? 0, false)).join("  ");
  const rule = widths.map((length) => "─".repeat(length)).join("  ");
  return [`${head.trimEnd()}\n`, `${rule}\n`, ...linesOf(columns, cells, widths)].join("");
}

function linesOf(columns: readonly ResultColumn[], cells: Cells, widths: readonly number[]): string[] {
  return cells.map((row) => {
    const padded = columns.map(({ kind }, index) => pad(row[index] ?? "", widths[index] ?? 0, kind === "number"));
    return `${padded.join("  ").trimEnd()}\n`;
  });
}

function jsonRow(columns: readonly ResultColumn[], row: readonly (string | null)[]): string {
  const fields = columns.map(
    ({ name, kind }, index) => `${JSON.stringify(name)}:${jsonValue(row[index] ?? null, kind)}`,
  );
  return `{${fields.join(",")}}`;
}

/** Numbers keep all their digits; what JSON has no number for, such as NaN, is text. */
function jsonValue(value: string | null, kind: ValueKind): string {
  if (value === null) return "null";
  switch (kind) {
    case "number":
      return /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(value) ? value : JSON.stringify(value);
    case "boolean":
      return value.startsWith("t") ? "true" : "false";
    case "json":
      return value.replace(/[\n\r]/g, " ");
    case "time":
      return JSON.stringify(value.replace(" ", "T").replace(/\+00(:00)?$/, "Z"));
    case "text":
      return JSON.stringify(value);
  }
}

/** NULL is an empty field, empty text is `""`. */
function csvRow(row: readonly (string | null)[]): string {
  return row
    .map((value) => {
      if (value === null) return "";
      return value === "" || /[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
    })
    .join(",");
}
