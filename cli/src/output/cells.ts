/** Values as they stand in what people read. Pure. */
import type { Result } from "./result.ts";

export type Cells = readonly (readonly string[])[];

/** @param nulls what stands for NULL; nothing does in lists of our own */
export function cellsOf({ rows, blank }: Result, nulls = "NULL"): Cells {
  return rows.map((row) => row.map((value) => (value === null ? (blank ? "" : nulls) : shown(value))));
}

/** Line breaks and other control characters would tear the table, or the terminal. */
function shown(value: string): string {
  // eslint-disable-next-line no-control-regex -- these are what is replaced
  return value.replace(/[\u0000-\u001f\u007f-\u009f]/g, (control) => JSON.stringify(control).slice(1, -1));
}
