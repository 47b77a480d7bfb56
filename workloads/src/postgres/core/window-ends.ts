/** Where the windows of stored rows end. Pure. */
import type { Delta } from "../../kernel/delta.ts";
import type { TablePlan } from "../../sql/plan.ts";
import { identifier } from "./identifiers.ts";
import { milliseconds } from "./table-ddl.ts";

/** The end of the last window that a row belongs to, epoch milliseconds: of a pane, the last that holds it. */
export function lastEnd(table: Pick<TablePlan, "size" | "advance" | "panes">, start: number): number {
  return (table.panes ? Math.floor(start / table.advance) * table.advance : start) + table.size;
}

/** The smallest end of a delta's rows, Infinity without any: {@link lastEnd}, or that of a session. */
export function oldestEnd({ table, windowStart, sessions }: Delta): number {
  const least = (times: Float64Array) => times.reduce((oldest, time) => Math.min(oldest, time), Infinity);
  return sessions === undefined ? lastEnd(table, least(windowStart)) : least(sessions.lastEvent) + table.size;
}

/**
 * Column of the stored rows, and how much later than it everything that needs the row is over, as SQL; of a session, how
 * much later at least: an index on its end would be written whenever it grows.
 */
export function endColumn(table: Pick<TablePlan, "size" | "panes" | "gap">): {
  readonly column: string;
  readonly after: string;
} {
  return table.panes || table.gap !== undefined
    ? { column: identifier("window_start"), after: milliseconds(table.size) }
    : { column: identifier("window_end"), after: milliseconds(0) };
}
