/** Where the windows of stored rows end. Pure. */
import type { Delta } from "../../kernel/delta.ts";
import type { TablePlan } from "../../sql/plan.ts";
import { identifier } from "./identifiers.ts";
import { milliseconds } from "./table-ddl.ts";

/** The end of the last window that a row belongs to, epoch milliseconds: of a pane, the last that holds it. */
export function lastEnd(table: Pick<TablePlan, "size" | "advance" | "panes">, start: number): number {
  return (table.panes ? Math.floor(start / table.advance) * table.advance : start) + table.size;
}

/** The smallest {@link lastEnd} of a delta's rows, Infinity without any. */
export function oldestEnd({ table, windowStart }: Delta): number {
  return lastEnd(
    table,
    windowStart.reduce((oldest, start) => Math.min(oldest, start), Infinity),
  );
}

/** Column of the stored rows, and how much later than it everything that needs the row is over, as SQL. */
export function endColumn(table: Pick<TablePlan, "size" | "panes">): {
  readonly column: string;
  readonly after: string;
} {
  return table.panes
    ? { column: identifier("window_start"), after: milliseconds(table.size) }
    : { column: identifier("window_end"), after: milliseconds(0) };
}
