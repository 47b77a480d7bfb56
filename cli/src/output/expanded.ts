/** Rows with a line for each value, for what is too wide to stand side by side. Pure. */
import { cellsOf } from "./cells.ts";
import type { Result } from "./result.ts";
import { pad, width } from "./width.ts";

/** @param first number of the first row, from 1 */
export function expandedText(result: Result, nulls?: string, first = 1): string {
  const names = Math.max(0, ...result.columns.map(({ name }) => width(name)));
  return cellsOf(result, nulls)
    .map((row, index) => {
      const head = `── row ${first + index} `;
      const lines = result.columns.map(({ name }, at) => `${pad(name, names, false)}  ${row[at] ?? ""}`.trimEnd());
      return [head + "─".repeat(Math.max(2, names + 12 - width(head))), ...lines].map((line) => `${line}\n`).join("");
    })
    .join("");
}
