/**
 * Sessions of a batch. Events of one group that fall into one bucket as long as the gap belong to one session, so that
 * events are put into groups and buckets as into tumbling windows; which of these pieces make one session is found when
 * they are taken.
 */
import type { Merge, PartFunction } from "@caudal/pipeline/sql";
import { type Column, numberAt, setInteger } from "./columns.ts";
import type { CodedDelta } from "./delta.ts";
import { grown } from "./arrays.ts";
import { makePart } from "./parts.ts";

/** The time of the first and last event of each entry of a grouping, in milliseconds. */
export class Spans {
  #first = new Float64Array(0);
  #last = new Float64Array(0);

  get heldBytes(): number {
    return this.#first.byteLength + this.#last.byteLength;
  }

  /** @param size number of entries there are */
  add(rows: Int32Array, entries: Int32Array, count: number, timeMs: Float64Array, size: number): void {
    const before = this.#first.length;
    if (size > before) {
      this.#first = grown(this.#first, size, (length) => new Float64Array(length)).fill(Infinity, before);
      this.#last = grown(this.#last, size, (length) => new Float64Array(length)).fill(-Infinity, before);
    }
    for (let i = 0; i < count; i++) {
      const entry = entries[i] as number;
      const time = timeMs[rows[i] as number] as number;
      if (time < (this.#first[entry] as number)) this.#first[entry] = time;
      if (time > (this.#last[entry] as number)) this.#last[entry] = time;
    }
  }

  first(entry: number): number {
    return this.#first[entry] as number;
  }

  last(entry: number): number {
    return this.#last[entry] as number;
  }

  clear(): void {
    this.#first = new Float64Array(0);
    this.#last = new Float64Array(0);
  }
}

/** Entries of a grouping by buckets as long as the gap. */
export interface Pieces {
  /** Each group's one after the other, by time. */
  readonly order: Uint32Array;
  readonly spans: Pick<Spans, "first" | "last">;
  /** Whether two entries are of one group. */
  sameGroup(a: number, b: number): boolean;
}

const FOLDS: Readonly<Record<Merge, PartFunction>> = { add: "sum", least: "min", greatest: "max" };

/**
 * Joins pieces that are at most a gap apart.
 *
 * @param delta of the pieces
 * @returns one row a session: those of a group are further apart
 */
export function joinPieces(delta: CodedDelta, { order, spans, sameGroup }: Pieces): CodedDelta {
  const { table, rows } = delta;
  const sessions = new Int32Array(rows);
  const firstPieces = new Int32Array(rows);
  const first = new Float64Array(rows);
  const last = new Float64Array(rows);
  const group = new Float64Array(rows);
  let count = 0;
  for (let i = 0; i < rows; i++) {
    const piece = order[i] as number;
    const same = i > 0 && sameGroup(piece, order[i - 1] as number);
    if (!same || spans.first(piece) - (last[count - 1] as number) > table.size) {
      group[count] = i === 0 ? 0 : (group[count - 1] as number) + (same ? 0 : 1);
      first[count] = spans.first(piece);
      firstPieces[count++] = i;
    }
    last[count - 1] = spans.last(piece);
    sessions[i] = count - 1;
  }
  const all = Int32Array.from({ length: rows }, (_, i) => i);
  const joined = Uint32Array.from(all.subarray(0, count));
  const parts = table.aggregates.flatMap((aggregate) => aggregate.parts);
  return {
    table,
    rows: count,
    windowStart: first.subarray(0, count),
    sessions: { lastEvent: last.subarray(0, count), group: group.subarray(0, count) },
    groups: delta.groups.map((column) => pick(column, firstPieces.subarray(0, count))),
    parts: delta.parts.map((column, index) => {
      const part = parts[index];
      if (part === undefined || count === rows) return column;
      const state = makePart({ ...part, function: FOLDS[part.merge] }, column);
      state.add(all, sessions, rows, count);
      return state.column(joined);
    }),
  };
}

function pick(column: Column, rows: Int32Array): Column {
  if (column.kind === "text") return { ...column, values: rows.map((row) => column.values[row] as number) };
  const picked = { kind: "number" as const, values: new Float64Array(rows.length), bigs: new Map<number, bigint>() };
  for (const [i, row] of rows.entries()) {
    const value = numberAt(column, row);
    if (typeof value === "number") picked.values[i] = value;
    else setInteger(picked, i, value);
  }
  return picked;
}
