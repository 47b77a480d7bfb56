/** Events of all tables into deltas: groups, then parts, column by column. */
import type { AggregatorConfig } from "@caudal/crds";
import type { TablePlan } from "@caudal/pipeline/sql";
import { type Delta, withTexts } from "./delta.ts";
import type { TableColumns } from "./table-columns.ts";
import { Grouping } from "./grouping.ts";
import { makePart, type PartState } from "./parts.ts";
import { joinPieces, Spans } from "./sessions.ts";

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
  /** By table, where it is of sessions. */
  readonly #spans: readonly (Spans | undefined)[];
  readonly #policy: LatePolicy;
  /** Tables that leave out events of their own: they share no search. */
  readonly #apart: Set<string>;
  #shared: readonly Shared[];
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
    this.#spans = tables.map(({ table }) => (table.gap === undefined ? undefined : new Spans()));
    const apart = tables.filter(({ table }) => policy !== "Update" || table.retention !== undefined);
    this.#apart = new Set(apart.map(({ table }) => table.name));
    this.#shared = shareGroupings(tables, this.#apart);
  }

  /** Rows of all deltas together. */
  get pendingRows(): number {
    return this.#shared.reduce((sum, { grouping, tables }) => sum + grouping.size * tables.length, 0);
  }

  /** Bytes of memory that they take. */
  get pendingBytes(): number {
    const held = [...this.#parts.flat(), ...this.#shared.map(({ grouping }) => grouping), ...this.#spans];
    return held.reduce((sum, one) => sum + (one?.heldBytes ?? 0), 0);
  }

  /**
   * Adds events to all tables.
   *
   * @param rows of the good events that the pipeline's condition lets through
   * @param watermark milliseconds; null: nothing is late
   * @param floors milliseconds by table: windows that end there or before are no longer kept, whatever the policy. That
   *   of a table that had none before, and shares its search, holds from the next delta on
   * @returns one entry a table, in the plan's order
   */
  add(
    rows: Int32Array,
    timeMs: Float64Array,
    watermark: number | null,
    floors: ReadonlyMap<string, number>,
  ): readonly Added[] {
    for (const name of floors.keys()) this.#apart.add(name);
    const added: Added[] = this.#tables.map(() => ({ counted: 0, late: 0, leftOut: [] }));
    for (const { grouping, inside, tables } of this.#shared) {
      let count = this.#select(rows, inside);
      let leftOut: readonly number[] = [];
      let floor: number | null = null;
      for (const index of tables) {
        const table = (this.#tables[index] as TableColumns).table;
        const late = this.#ended(count, timeMs, table, watermark);
        if (tables.length === 1) {
          floor = floors.get(table.name) ?? null;
          const cutoff = this.#policy === "Update" ? floor : later(watermark, floor);
          leftOut = cutoff === watermark ? late : this.#ended(count, timeMs, table, cutoff);
          count = this.#leaveOut(count, new Set(leftOut));
        }
        added[index] = { counted: count, late: late.length, leftOut };
      }
      for (let back = 0; back < grouping.overlapping; back++) {
        // An event whose last window is kept may have others that are not.
        const kept = back === 0 || floor === null ? undefined : floor;
        grouping.find(this.#rows, count, timeMs, back, this.#entries, kept);
        for (const index of tables) {
          for (const part of this.#parts[index] as readonly PartState[])
            part.add(this.#rows, this.#entries, count, grouping.size);
          this.#spans[index]?.add(this.#rows, this.#entries, count, timeMs, grouping.size);
        }
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
      const windowStart = grouping.windowStarts(order);
      const groups = grouping.groups(order);
      for (const index of tables) {
        const parts = (this.#parts[index] as readonly PartState[]).map((part) => part.column(order));
        const { table } = this.#tables[index] as TableColumns;
        const delta = { table, rows: order.length, windowStart, groups, parts };
        const spans = this.#spans[index];
        const sameGroup = (a: number, b: number) => grouping.sameGroup(a, b);
        const joined = spans === undefined ? delta : joinPieces(delta, { order, spans, sameGroup });
        deltas.push({ index, delta: withTexts(joined) });
      }
    }
    return deltas.sort((a, b) => a.index - b.index).map(({ delta }) => delta);
  }

  clear(): void {
    for (const { grouping } of this.#shared) grouping.clear();
    for (const part of this.#parts.flat()) part.clear();
    for (const spans of this.#spans) spans?.clear();
    const sharesTooMuch = ({ tables }: Shared) =>
      tables.length > 1 && tables.some((index) => this.#apart.has((this.#tables[index] as TableColumns).table.name));
    if (this.#shared.some(sharesTooMuch)) this.#shared = shareGroupings(this.#tables, this.#apart);
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

  /** Rows for which the last window that holds them has ended at a time; a session of one event begins at its time. */
  #ended(count: number, timeMs: Float64Array, { advance, size, gap }: TablePlan, by: number | null): number[] {
    if (by === null) return [];
    const step = gap === undefined ? advance : 1;
    // Its start is at most this.
    const ended = by - size;
    const late: number[] = [];
    for (let i = 0; i < count; i++) {
      const row = this.#rows[i] as number;
      const time = timeMs[row] as number;
      if (time < ended + step && Math.floor(time / step) * step <= ended) late.push(row);
    }
    return late;
  }

  #leaveOut(count: number, late: ReadonlySet<number>): number {
    if (late.size === 0) return count;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const row = this.#rows[i] as number;
      if (!late.has(row)) this.#rows[kept++] = row;
    }
    return kept;
  }
}

function later(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

/** @param apart names of tables that are alone */
function shareGroupings(tables: readonly TableColumns[], apart: ReadonlySet<string>): readonly Shared[] {
  const shared: Shared[] = [];
  for (const [index, { table, inside, groups }] of tables.entries()) {
    const window = table.panes
      ? { size: table.pane, advance: table.pane }
      : { size: table.size, advance: table.advance };
    const twin = apart.has(table.name)
      ? undefined
      : shared.find((other) => {
          const first = tables[other.tables[0] ?? -1];
          return (
            first !== undefined &&
            !apart.has(first.table.name) &&
            other.inside === inside &&
            other.grouping.window.size === window.size &&
            other.grouping.window.advance === window.advance &&
            first.groups.length === groups.length &&
            first.groups.every((column, at) => column === groups[at])
          );
        });
    if (twin === undefined) shared.push({ grouping: new Grouping(window, groups), inside, tables: [index] });
    else twin.tables.push(index);
  }
  return shared;
}
