/** Where the windows of stored rows end. Pure. */
import type { Delta } from "../../kernel/delta.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import { identifier } from "./identifiers.ts";
import { milliseconds } from "./table-ddl.ts";

/** The end of the last window that a row belongs to, epoch milliseconds: of a pane, the last that holds it. */
export function lastEnd(table: Pick<TablePlan, "size" | "advance" | "panes">, start: number): number {
  return (table.panes ? Math.floor(start / table.advance) * table.advance : start) + table.size;
}

/** The end of the first window that a row belongs to, epoch milliseconds: of a pane, the first that holds it. */
export function firstEnd(table: Pick<TablePlan, "size" | "advance" | "panes">, start: number): number {
  return table.panes ? nextEnd(table, start) : start + table.size;
}

/** The end of the first window that ends after a time. */
export function nextEnd({ size, advance }: Pick<TablePlan, "size" | "advance">, time: number): number {
  return (Math.floor((time - size) / advance) + 1) * advance + size;
}

/** The oldest windows that a delta writes to. */
export interface OldestEnds {
  /** The smallest end of its rows, Infinity without any: {@link lastEnd}, or that of a session. */
  readonly end: number;
  /**
   * The smallest {@link firstEnd} after `final`, null when there is none. Of sessions, where the first begins: it touches
   * none that ended before.
   */
  readonly openEnd: number | null;
}

/** @param final where windows are final, as far as is known; null: none is */
export function oldestEnds({ table, windowStart, sessions }: Delta, final: number | null): OldestEnds {
  if (sessions !== undefined)
    return { end: least(sessions.lastEvent) + table.size, openEnd: finiteOrNull(least(windowStart)) };
  let [oldest, open] = [Infinity, Infinity];
  for (const start of windowStart) {
    if (start < oldest) oldest = start;
    if (start >= open) continue;
    if (final === null || firstEnd(table, start) > final) open = start;
  }
  return { end: lastEnd(table, oldest), openEnd: finiteOrNull(firstEnd(table, open)) };
}

function least(times: Float64Array): number {
  return times.reduce((oldest, time) => Math.min(oldest, time), Infinity);
}

function finiteOrNull(time: number): number | null {
  return Number.isFinite(time) ? time : null;
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
