/** Deltas of one table, merged over blocks until they are taken. */
import type { DuckDB } from "./duckdb.ts";
import { isLate, type TableCensus } from "./census.ts";
import { ROW, TIME } from "./event-columns.ts";
import type { TableColumns } from "./evaluation.ts";
import type { Delta, Merge, Part } from "./plan.ts";
import { quote } from "./quote.ts";
import { floorTo } from "./windows.ts";

export type LatePolicy = "Update" | "DeadLetter" | "Drop";

/** What one slice gave. */
export interface Added {
  readonly counted: number;
  readonly late: number;
  /** Rows that were left out as late. */
  readonly leftOut: readonly number[];
}

const MERGES: Readonly<Record<Merge, string>> = { add: "sum", least: "min", greatest: "max" };
/** Deltas of blocks are merged when there are this many rows, and twice what the last merge left. */
const COMPACT_ROWS = 50_000;
/** DuckDB's and JavaScript's cost of a value, roughly. */
const VALUE_BYTES = 24;
const WINDOW = quote("#window");

export class Accumulator {
  readonly #duckdb: DuckDB;
  readonly #columns: TableColumns;
  readonly #source: string;
  readonly #name: string;
  readonly #groups: readonly string[];
  readonly #parts: readonly { readonly name: string; readonly part: Part }[];
  #rows = 0;
  #textBytes = 0;
  #compacted = 0;

  constructor(duckdb: DuckDB, source: string, columns: TableColumns, index: number) {
    this.#duckdb = duckdb;
    this.#columns = columns;
    this.#source = source;
    this.#name = quote(`delta ${index}`);
    this.#groups = columns.table.groups.map((_, group) => quote(`g${group}`));
    this.#parts = columns.table.aggregates
      .flatMap(({ parts }) => parts)
      .map((part, position) => ({ name: quote(`p${position}`), part }));
  }

  /** Upper bound of the rows of the next delta. */
  get rows(): number {
    return this.#rows;
  }

  /** Estimate of what they take in memory. */
  get bytes(): number {
    return this.#rows * VALUE_BYTES * (1 + this.#groups.length + this.#parts.length) + this.#textBytes;
  }

  async open(): Promise<void> {
    const { table } = this.#columns;
    const columns = [
      `${WINDOW} bigint`,
      ...table.groups.map(({ duckdbType }, index) => `${this.#groups[index] ?? ""} ${duckdbType}`),
      ...this.#parts.map(({ name, part }) => `${name} ${part.duckdbType}`),
    ];
    await this.#duckdb.connection.run(`create or replace temp table ${this.#name} (${columns.join(", ")})`);
    this.#rows = this.#textBytes = this.#compacted = 0;
  }

  /**
   * Merges the events of the source table in.
   *
   * @param watermark milliseconds; null: nothing is late
   */
  async add(census: TableCensus, watermark: number | null, policy: LatePolicy): Promise<Added> {
    const { inside } = this.#columns;
    const leaveOut = policy !== "Update" && census.late > 0;
    const late = isLate(this.#columns, watermark);
    const leftOut = leaveOut
      ? await this.#duckdb.rows(`select ${ROW} as n from ${this.#source} where ${inside} and ${late} order by 1`)
      : [];
    const counted = census.events - leftOut.length;
    if (counted > 0) {
      const added = await this.#insert(leaveOut ? `${inside} and not (${late})` : inside);
      this.#rows += added;
      this.#textBytes += (census.textBytes / census.events) * added;
    }
    return { counted, late: census.late, leftOut: leftOut.map(({ n }) => Number(n)) };
  }

  async #insert(condition: string): Promise<number> {
    const { table, groups, arguments: values } = this.#columns;
    const parts = this.#parts.map(
      ({ part }, index) => `${part.function}(${values[index] ?? "null"})::${part.duckdbType}`,
    );
    // A window that is kept as such gets a row for each of the (at most two) windows that hold the event.
    const overlapping = table.panes ? 1 : Math.ceil(table.size / table.advance);
    const step = table.panes ? table.pane : table.advance;
    const insert = (offset: number) =>
      `insert into ${this.#name} select ${[`${floorTo(TIME, step)} - ${offset * step}000 as w`, ...groups, ...parts].join(", ")}
from ${this.#source} where ${condition} ${offset === 0 ? "" : `and ${TIME} < ${floorTo(TIME, step)} - ${offset * step}000 + ${table.size}000`}
group by ${[1, ...groups.map((_, index) => index + 2)].join(", ")}`;
    let added = 0;
    for (let offset = 0; offset < overlapping; offset += 1)
      added += (await this.#duckdb.connection.run(insert(offset))).rowsChanged;
    return added;
  }

  /** Merges rows of equal keys when there are many; what is pending stays the same. */
  async compact(): Promise<void> {
    if (this.#rows < Math.max(COMPACT_ROWS, this.#compacted * 2)) return;
    const before = this.#rows;
    const [created] = await this.#duckdb.rows(`create or replace temp table merged as ${this.#merged()}`);
    await this.#duckdb.connection.run(`drop table ${this.#name}`);
    await this.#duckdb.connection.run(`alter table merged rename to ${this.#name}`);
    this.#rows = this.#compacted = Number(created?.["Count"]);
    this.#textBytes *= this.#rows / before;
  }

  #merged(): string {
    const parts = this.#parts.map(({ name, part }) => `${MERGES[part.merge]}(${name})::${part.duckdbType} as ${name}`);
    const keys = [WINDOW, ...this.#groups];
    return `select ${[...keys, ...parts].join(", ")} from ${this.#name} group by ${keys.join(", ")}`;
  }

  /** The merged rows; they stay until `open`. */
  async read(): Promise<Delta> {
    const texts = [
      `strftime(make_timestamp(${WINDOW}), '%Y-%m-%dT%H:%M:%S.%gZ')`,
      ...this.#groups.map((group) => `${group}::varchar`),
      ...this.#parts.map(({ name }) => `${name}::varchar`),
    ];
    const order = [...this.#groups.map((_, index) => `${index + 2} nulls first`), WINDOW];
    const result = await this.#duckdb.connection.runAndReadAll(
      `select ${texts.join(", ")} from (${this.#merged()}) order by ${order.join(", ")}`,
    );
    const columns = result.getColumns() as readonly (readonly (string | null)[])[];
    const [windowStart = [], ...rest] = columns;
    const empty = () => [];
    return {
      table: this.#columns.table,
      rows: result.currentRowCount,
      windowStart: windowStart as readonly string[],
      groups: this.#groups.map((_, index) => rest[index] ?? empty()),
      parts: this.#parts.map((_, index) => rest[this.#groups.length + index] ?? empty()),
    };
  }
}
