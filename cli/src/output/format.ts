/** Results as text for people (table) and for programs (json: one object a line; csv: RFC 4180). */
import type { Result, ResultColumn, ValueKind } from "./result.ts";

export const FORMATS = ["table", "json", "csv"] as const;
export type Format = (typeof FORMATS)[number];

/** What is wider than so many terminal columns stands out of its column: nothing is cut. */
const WIDEST = 80;

/** @returns lines, each ended by a line feed; nothing for json without rows */
export function format(result: Result, how: Format): string {
  switch (how) {
    case "table":
      return tableText(result);
    case "json":
      return result.rows.map((row) => `${jsonRow(result.columns, row)}\n`).join("");
    case "csv":
      return [result.columns.map(({ name }) => name), ...result.rows].map((row) => `${csvRow(row)}\n`).join("");
  }
}

/** Rows that follow a head that was printed already. @param widths of the columns, for tables */
export function formatMore(result: Result, how: Format, widths: readonly number[]): string {
  if (how === "table") return result.rows.map((row) => `${tableRow(result.columns, row, widths)}\n`).join("");
  return how === "json" ? format(result, how) : result.rows.map((row) => `${csvRow(row)}\n`).join("");
}

/** @returns terminal columns that each column needs for its name and these rows */
export function widthsOf({ columns, rows }: Result): number[] {
  return columns.map(({ name }, index) => {
    const widest = rows.reduce((most, row) => Math.max(most, width(shown(row[index] ?? null))), width(name));
    return Math.min(WIDEST, widest);
  });
}

function tableText(result: Result): string {
  const { columns, rows } = result;
  const widths = widthsOf(result);
  const head = columns.map(({ name }, index) => pad(name, widths[index] ?? 0, false)).join("  ");
  const rule = widths.map((length) => "─".repeat(length)).join("  ");
  return [head.trimEnd(), rule, ...rows.map((row) => tableRow(columns, row, widths))]
    .map((line) => `${line}\n`)
    .join("");
}

function tableRow(
  columns: readonly ResultColumn[],
  row: readonly (string | null)[],
  widths: readonly number[],
): string {
  return columns
    .map(({ kind }, index) => pad(shown(row[index] ?? null), widths[index] ?? 0, kind === "number"))
    .join("  ")
    .trimEnd();
}

/** Line breaks and other control characters would tear the table, or the terminal. */
function shown(value: string | null): string {
  if (value === null) return "NULL";
  // eslint-disable-next-line no-control-regex -- these are what is replaced
  return value.replace(/[\u0000-\u001f\u007f-\u009f]/g, (control) => JSON.stringify(control).slice(1, -1));
}

function pad(value: string, length: number, right: boolean): string {
  const space = " ".repeat(Math.max(0, length - width(value)));
  return right ? space + value : value + space;
}

/** Wide characters (East Asian, emoji) take two terminal columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

function width(value: string): number {
  let columns = 0;
  for (const character of value) columns += /\p{Mark}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return columns;
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
