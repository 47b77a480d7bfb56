/** The kernel of a transform: blocks of records in, rows of the selected columns out. */
import { type JsonPath, pathOf, type TopicConfig } from "@caudal/crds";
import { partitionOf, type Records } from "../kafka/record-block.ts";
import { describeError } from "../runtime/errors.ts";
import {
  type Finding,
  finding,
  type BadRow,
  type ProjectedColumn,
  type TransformPlan,
  quote,
} from "@caudal/pipeline/sql";
import { apart } from "./apart.ts";
import { type Column, makeColumn } from "./columns.ts";
import type { Computed, Joined } from "./evaluation.ts";
import { endOfSlice, type EvaluationBounds, EventReader, goodRows, SLICE_ROWS } from "./event-reader.ts";
import { GrowingColumn, growingFloats, growingInts, GrowingValues } from "./growing.ts";
import { RowWriter, writtenFields } from "./row-writer.ts";
import type { ScanMemory } from "./scan-memory.ts";
import type { Rows, Want } from "./rows.ts";
import { SplitEvaluation } from "./split-evaluation.ts";

/** What some records gave. */
export interface Projected {
  /** Records that became events, those that `where` leaves out among them. records = accepted + bad. */
  readonly accepted: number;
  readonly bad: readonly BadRow[];
  /** Events that passed and cannot be written in the forms that are wanted; they are among the accepted. */
  readonly unwritten: readonly BadRow[];
}

/** What an output wants of the rows. */
export interface Wanted {
  readonly wants: ReadonlySet<Want>;
  /** Name of the column whose text becomes the records' key; without it they keep their own. */
  readonly recordKey?: string;
  /** Where in the JSON a column's value is; undefined for one that is not in it. Without, each is the member of its name. */
  readonly placeOf?: (column: string) => JsonPath | undefined;
}

/** Calls come one after the other; after one that throws, only `discard` may follow. */
export class Projection {
  readonly #plan: TransformPlan;
  readonly #wants: ReadonlySet<Want>;
  readonly #events: EventReader;
  readonly #evaluation: SplitEvaluation;
  /** By name in the select. */
  readonly #columns: ReadonlyMap<string, Column>;
  /** Where rows are wanted as bytes. */
  readonly #writer: RowWriter | undefined;
  readonly #partitions = growingInts();
  readonly #offsets = growingFloats();
  readonly #times = growingFloats();
  readonly #timestamps = growingFloats();
  readonly #json = new GrowingValues();
  readonly #records = new GrowingValues();
  readonly #hashes = growingInts();
  readonly #pending: readonly GrowingColumn[];

  private constructor(
    plan: TransformPlan,
    topic: TopicConfig,
    { wants, recordKey, placeOf = (name) => [name] }: Wanted,
    lookups: Joined | undefined,
    bounds: EvaluationBounds,
  ) {
    this.#plan = plan;
    this.#wants = wants;
    const stored = wants.has("columns") ? plan.columns : [];
    const placed = (plan.untouched ? [] : plan.columns).flatMap((column) => {
      const path = placeOf(column.name);
      return path === undefined ? [] : [{ column, path }];
    });
    const form = {
      columns: placed.map(({ column }) => column),
      paths: placed.map(({ path }) => path),
      key: keyColumn(plan, recordKey),
    };
    const isWritten = wants.has("json") || wants.has("records");
    const inJson = new Set(topic.fields.filter((field) => pathOf(field) !== undefined).map(({ name }) => name));
    const written = isWritten ? writtenFields(form) : [];
    const used = new Set([
      ...plan.inputs,
      ...stored.filter(isField).map(({ expression }) => expression),
      ...written.filter((field) => !inJson.has(field)),
    ]);
    const fields = written.filter((field) => inJson.has(field));
    this.#events = new EventReader(topic, used, isWritten ? { fields, whole: plan.untouched } : undefined, bounds);
    const { columns, memory } = this.#events;
    const values = plan.columns
      .filter((column) => !column.isField)
      .map((projected) => ({ projected, computed: computedOf(projected, memory) }));
    this.#evaluation = new SplitEvaluation(this.#events, plan, topic, values, lookups);
    this.#columns = new Map(
      plan.columns.flatMap(({ name, expression, isField: field }) => {
        const column = field
          ? columns.get(expression)
          : values.find(({ projected }) => projected.name === name)?.computed.column;
        return column === undefined ? [] : [[name, column] as const];
      }),
    );
    this.#writer = isWritten ? new RowWriter(this.#events, form, (name) => this.#columns.get(name)) : undefined;
    this.#pending = stored.map(({ name }) => new GrowingColumn(this.#columns.get(name)?.kind ?? "number"));
  }

  /**
   * @param wanted forms in which the rows are given
   * @param lookups tables that the SQL reads beside the events
   */
  static async open(
    plan: TransformPlan,
    topic: TopicConfig,
    wanted: Wanted,
    lookups?: Joined,
    bounds: EvaluationBounds = {},
  ): Promise<Projection> {
    const projection = new Projection(plan, topic, wanted, lookups, bounds);
    if (projection.#evaluation.needsDuckDB) await projection.#events.duckdb();
    return projection;
  }

  /** Rows that wait to be taken. */
  get pendingRows(): number {
    return this.#offsets.length;
  }

  /** Memory that they take. */
  get pendingBytes(): number {
    const lists = 52 * this.#offsets.length + this.#json.at + this.#records.at;
    return this.#pending.reduce((sum, { bytes }) => sum + bytes, lists);
  }

  /** Projects rows [from, to) of some records; what passes waits to be taken. */
  async add(block: Records, { from, to }: { readonly from: number; readonly to: number }): Promise<Projected> {
    const bad: BadRow[] = [];
    const unwritten: BadRow[] = [];
    for (let first = from; first < to;) {
      const end = endOfSlice(block, first, to);
      const slice = await this.#addSlice(block, first, end);
      bad.push(...slice.bad);
      unwritten.push(...slice.unwritten);
      first = end;
    }
    return { accepted: to - from - bad.length, bad, unwritten };
  }

  /** Gives what waits, and forgets it. */
  take(): Rows {
    return {
      count: this.#offsets.length,
      partitions: this.#partitions.take(),
      offsets: this.#offsets.take(),
      times: this.#times.take(),
      columns: this.#pending.map((column) => column.take()),
      json: this.#wants.has("json") ? this.#json.take() : undefined,
      records: this.#wants.has("records")
        ? { values: this.#records.take(), hashes: this.#hashes.take(), timestamps: this.#timestamps.take() }
        : undefined,
    };
  }

  /** Forgets what waits. */
  discard(): void {
    for (const list of this.#lists) list.clear();
  }

  async close(): Promise<void> {
    await this.#events.close();
  }

  async #addSlice(block: Records, from: number, to: number): Promise<Omit<Projected, "accepted">> {
    for (const column of this.#evaluation.columns) if (column.kind === "number") column.bigs.clear();
    const findings = this.#events.read(block, from, to);
    const rows = await this.#evaluation.run(goodRows(to - from, findings), findings);
    const unwritten = new Map<number, Finding>();
    if (rows.length > 0)
      await apart(
        rows,
        async (some) => await Promise.resolve(this.#gatherOrNot(block, from, some)),
        (row, error) => unwritten.set(row, finding("RefusedByOutput", `cannot be written: ${describeError(error)}`)),
      );
    this.#events.renewTexts(this.#evaluation.columns);
    const told = (found: ReadonlyMap<number, Finding>) =>
      [...found].sort(([a], [b]) => a - b).map(([row, { reason, detail }]) => ({ row: from + row, reason, detail }));
    return { bad: told(findings), unwritten: told(unwritten) };
  }

  /** Leaves nothing behind when it throws. */
  #gatherOrNot(block: Records, from: number, rows: Int32Array): void {
    const back = this.#lists.map((list) => list.mark());
    try {
      this.#gather(block, from, rows);
    } catch (error) {
      for (const take of back) take();
      throw error;
    }
  }

  get #lists() {
    return [
      ...[this.#partitions, this.#offsets, this.#times, this.#timestamps, this.#hashes],
      ...[this.#json, this.#records],
      ...this.#pending,
    ];
  }

  /** @param rows of the slice that pass, ascending */
  #gather(block: Records, from: number, rows: Int32Array): void {
    const count = rows.length;
    const partitions = this.#partitions.room(count);
    const offsets = this.#offsets.room(count);
    const times = this.#times.room(count);
    for (const row of rows) {
      partitions[this.#partitions.length++] = partitionOf(block, from + row);
      offsets[this.#offsets.length++] = block.offsets[from + row] as number;
      times[this.#times.length++] = this.#events.timeMs.values[row] as number;
    }
    for (const [index, column] of this.#pending.entries()) {
      const source = this.#columns.get(this.#plan.columns[index]?.name ?? "");
      if (source !== undefined) column.add(source, rows);
    }
    if (this.#wants.has("json")) this.#writer?.writeValues(rows, this.#json);
    if (this.#wants.has("records")) {
      this.#writer?.writeRecords(rows, this.#records, this.#hashes);
      const timestamps = this.#timestamps.room(count);
      for (const row of rows) timestamps[this.#timestamps.length++] = block.timestamps[from + row] as number;
    }
  }
}

/** @throws TypeError when the select has no such column: it has been checked */
function keyColumn({ columns }: TransformPlan, name: string | undefined): ProjectedColumn | undefined {
  if (name === undefined) return undefined;
  const found = columns.find((column) => column.name === name);
  if (found === undefined) throw new TypeError(`no column ${name}`);
  return found;
}

function computedOf({ name, expression, duckdbType }: ProjectedColumn, memory: ScanMemory): Computed {
  const column = makeColumn(memory, duckdbType, SLICE_ROWS);
  return { name: quote(`#value ${name}`), sql: expression, when: null, duckdbType, column };
}

function isField({ isField: field }: ProjectedColumn): boolean {
  return field;
}
