/** Events of all tables into deltas: groups, then parts, column by column. */
import type { AggregatorConfig } from "@caudal/crds";
import type { TablePlan } from "../sql/plan.ts";
import type { Delta } from "./delta.ts";
import type { TableColumns } from "./evaluation.ts";
import { Grouping } from "./grouping.ts";
import { makePart, type PartState } from "./parts.ts";

export type LatePolicy = AggregatorConfig["lateEvents"];

/** What one slice gave one table. */
export interface Added {
  readonly counted: number;
  readonly late: number;
  /** Rows that were left out as late. */
  readonly leftOut: readonly number[];
}

/** Tables that put the same events into the same windows and groups share the search for them. */
interface Shared {
  readonly grouping: Grouping;
  readonly inside: TableColumns["inside"];
  readonly tables: number[];
}

export class Fold {
  readonly #tables: readonly TableColumns[];
  readonly #parts: readonly (readonly PartState[])[];
  readonly #shared: readonly Shared[];
  readonly #policy: LatePolicy;
  readonly #rows: Int32Array;
  readonly #entries: Int32Array;

  /** @param rows that a slice has at most */
  constructor(tables: readonly TableColumns[], policy: LatePolicy, rows: number) {
    this.#tables = tables;
    this.#policy = policy;
    this.#rows = new Int32Array(rows);
    this.#entries = new Int32Array(rows);
    this.#parts = tables.map(({ table, arguments: values }) =>
      table.aggregates.flatMap(({ parts }) => parts).map((part, index) => makePart(part, values[index] ?? null)),
    );
    this.#shared = shareGroupings(tables, policy);
  }

  /** Rows of all deltas together. */
  get pendingRows(): number {
    return this.#shared.reduce((sum, { grouping, tables }) => sum + grouping.size * tables.length, 0);
  }

  /** Bytes of memory that they take. */
  get pendingBytes(): number {
    const parts = this.#parts.flat().reduce((sum, { heldBytes }) => sum + heldBytes, 0);
    return this.#shared.reduce((sum, { grouping }) => sum + grouping.heldBytes, parts);
  }

  /**
   * Adds events to all tables.
   *
   * @param rows of the good events that the pipeline's condition lets through
   * @param watermark milliseconds; null: nothing is late
   * @returns one entry a table, in the plan's order
   */
  add(rows: Int32Array, timeMs: Float64Array, watermark: number | null): readonly Added[] {
    const added: Added[] = this.#tables.map(() => ({ counted: 0, late: 0, leftOut: [] }));
    for (const { grouping, inside, tables } of this.#shared) {
      let count = this.#select(rows, inside);
      let leftOut: readonly number[] = [];
      for (const index of tables) {
        const table = (this.#tables[index] as TableColumns).table;
        const lateRows = this.#late(count, timeMs, table, watermark);
        if (this.#policy !== "Update" && lateRows.length > 0) {
          leftOut = lateRows;
          count = this.#leaveOut(count, new Set(lateRows));
        }
        added[index] = { counted: count, late: lateRows.length, leftOut };
      }
      for (let back = 0; back < grouping.overlapping; back++) {
        grouping.find(this.#rows, count, timeMs, back, this.#entries);
        for (const index of tables)
          for (const part of this.#parts[index] as readonly PartState[])
            part.add(this.#rows, this.#entries, count, grouping.size);
      }
    }
    return added;
  }

  /** The deltas of tables with rows, sorted bytewise by (groups, window_start). */
  deltas(): readonly Delta[] {
    const deltas: { readonly index: number; readonly delta: Delta }[] = [];
    for (const { grouping, tables } of this.#shared) {
      if (grouping.size === 0) continue;
      const order = grouping.sorted();
      const windowStart = Float64Array.from(order, (entry) => grouping.windowStart(entry));
      const groups = grouping.groups(order);
      for (const index of tables) {
        const parts = (this.#parts[index] as readonly PartState[]).map((part) => part.column(order));
        const { table } = this.#tables[index] as TableColumns;
        deltas.push({ index, delta: { table, rows: order.length, windowStart, groups, parts } });
      }
    }
    return deltas.sort((a, b) => a.index - b.index).map(({ delta }) => delta);
  }

  clear(): void {
    for (const { grouping } of this.#shared) grouping.clear();
    for (const part of this.#parts.flat()) part.clear();
  }

  #select(rows: Int32Array, inside: TableColumns["inside"]): number {
    if (inside === null) {
      this.#rows.set(rows);
      return rows.length;
    }
    let count = 0;
    for (const row of rows) if (inside.values[row] === 1) this.#rows[count++] = row;
    return count;
  }

  #late(count: number, timeMs: Float64Array, { advance, size }: TablePlan, watermark: number | null): number[] {
    if (watermark === null) return [];
    // The last window that holds the event has ended: its start is at most this.
    const ended = watermark - size;
    const late: number[] = [];
    for (let i = 0; i < count; i++) {
      const row = this.#rows[i] as number;
      const time = timeMs[row] as number;
      if (time < ended + advance && Math.floor(time / advance) * advance <= ended) late.push(row);
    }
    return late;
  }

  #leaveOut(count: number, late: ReadonlySet<number>): number {
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const row = this.#rows[i] as number;
      if (!late.has(row)) this.#rows[kept++] = row;
    }
    return kept;
  }
}

function shareGroupings(tables: readonly TableColumns[], policy: LatePolicy): readonly Shared[] {
  const shared: Shared[] = [];
  for (const [index, { table, inside, groups }] of tables.entries()) {
    const window = table.panes
      ? { size: table.pane, advance: table.pane }
      : { size: table.size, advance: table.advance };
    // Where late events are left out, each table leaves out its own.
    const twin =
      policy === "Update"
        ? shared.find((other) => {
            const first = tables[other.tables[0] ?? -1];
            return (
              other.inside === inside &&
              other.grouping.window.size === window.size &&
              other.grouping.window.advance === window.advance &&
              first?.groups.length === groups.length &&
              first.groups.every((column, at) => column === groups[at])
            );
          })
        : undefined;
    if (twin === undefined) shared.push({ grouping: new Grouping(window, groups), inside, tables: [index] });
    else twin.tables.push(index);
  }
  return shared;
}
