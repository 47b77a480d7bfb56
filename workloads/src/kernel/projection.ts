/** The kernel of a transform: blocks of records in, rows of the selected columns out. */
import type { TopicConfig } from "@caudal/crds";
import { Cursor } from "../kafka/cursor.ts";
import type { RecordBlock } from "../kafka/record-block.ts";
import type { BadRow } from "../sql/plan.ts";
import type { ProjectedColumn, TransformPlan } from "../sql/transform-plan.ts";
import { quote } from "../sql/quote.ts";
import { type Column, makeColumn } from "./columns.ts";
import { DirectEvaluation } from "./direct-evaluation.ts";
import { Evaluation, type Computed, type Joined } from "./evaluation.ts";
import { endOfSlice, EventReader, goodRows, SLICE_ROWS } from "./event-reader.ts";
import { GrowingColumn, growingFloats, growingInts, GrowingValues } from "./growing.ts";
import { JsonWriter, writeUntouched } from "./json-writer.ts";
import type { Rows, Want } from "./rows.ts";

/** What one block gave. */
export interface Projected {
  /** Records that became events, those that `where` leaves out among them. records = accepted + bad. */
  readonly accepted: number;
  readonly bad: readonly BadRow[];
}

/** Calls come one after the other; after one that throws, only `discard` may follow. */
export class Projection {
  readonly #plan: TransformPlan;
  readonly #wants: ReadonlySet<Want>;
  readonly #events: EventReader;
  readonly #evaluation: Evaluation;
  /** Where all that is evaluated can do without DuckDB. */
  readonly #direct: DirectEvaluation | undefined;
  /** By name in the select. */
  readonly #columns: ReadonlyMap<string, Column>;
  readonly #json: JsonWriter;
  readonly #partitions = growingInts();
  readonly #offsets = growingFloats();
  readonly #times = growingFloats();
  readonly #timestamps = growingFloats();
  readonly #values = new GrowingValues();
  readonly #keys = new GrowingValues();
  readonly #headers = new GrowingValues();
  readonly #pending: readonly GrowingColumn[];

  private constructor(plan: TransformPlan, topic: TopicConfig, wants: ReadonlySet<Want>, lookups: Joined | undefined) {
    this.#plan = plan;
    this.#wants = wants;
    const stored = wants.has("columns") ? plan.columns : [];
    const used = new Set([...plan.inputs, ...stored.filter(isField).map(({ expression }) => expression)]);
    this.#events = new EventReader(topic, used);
    const { columns, memory } = this.#events;
    const values: Computed[] = plan.columns
      .filter((column) => !column.isField)
      .map(({ name, expression, duckdbType }) => ({
        name: quote(`#value ${name}`),
        sql: expression,
        when: null,
        duckdbType,
        column: makeColumn(memory, duckdbType, SLICE_ROWS),
      }));
    const computation = { where: plan.where, conditions: [], values, inputs: new Set(plan.inputs) };
    this.#evaluation = new Evaluation(async () => await this.#events.duckdb(), computation, topic, columns, lookups);
    this.#direct = directEvaluation(plan, values, columns);
    this.#columns = new Map(
      plan.columns.flatMap(({ name, expression, isField: field }) => {
        const column = field
          ? columns.get(expression)
          : values.find((one) => one.name === quote(`#value ${name}`))?.column;
        return column === undefined ? [] : [[name, column] as const];
      }),
    );
    this.#json = new JsonWriter(plan.columns, (name) => this.#columns.get(name));
    this.#pending = stored.map(({ name }) => new GrowingColumn(this.#columns.get(name)?.kind ?? "number"));
  }

  /**
   * @param wants forms in which the rows are given
   * @param lookups tables that the SQL reads beside the events
   */
  static async open(
    plan: TransformPlan,
    topic: TopicConfig,
    wants: ReadonlySet<Want>,
    lookups?: Joined,
  ): Promise<Projection> {
    const projection = new Projection(plan, topic, wants, lookups);
    if (projection.#evaluation.needed && projection.#direct === undefined) await projection.#events.duckdb();
    return projection;
  }

  /** Rows that wait to be taken. */
  get pendingRows(): number {
    return this.#offsets.length;
  }

  /** Memory that they take. */
  get pendingBytes(): number {
    const lists = 40 * this.#offsets.length + this.#values.at + this.#keys.at + this.#headers.at;
    return this.#pending.reduce((sum, { bytes }) => sum + bytes, lists);
  }

  /** Projects rows [from, to) of a block; what passes waits to be taken. */
  async add(block: RecordBlock, { from, to }: { readonly from: number; readonly to: number }): Promise<Projected> {
    const bad: BadRow[] = [];
    for (let first = from; first < to;) {
      const end = endOfSlice(block, first, to);
      bad.push(...(await this.#addSlice(block, first, end)));
      first = end;
    }
    return { accepted: to - from - bad.length, bad };
  }

  /** Gives what waits, and forgets it. */
  take(): Rows {
    return {
      count: this.#offsets.length,
      partitions: this.#partitions.take(),
      offsets: this.#offsets.take(),
      times: this.#times.take(),
      columns: this.#pending.map((column) => column.take()),
      json: this.#wants.has("json") ? this.#values.take() : undefined,
      records: this.#wants.has("records")
        ? { keys: this.#keys.take(), headers: this.#headers.take(), timestamps: this.#timestamps.take() }
        : undefined,
    };
  }

  /** Forgets what waits. */
  discard(): void {
    for (const list of [this.#partitions, this.#offsets, this.#times, this.#timestamps]) list.clear();
    for (const values of [this.#values, this.#keys, this.#headers]) values.clear();
    for (const column of this.#pending) column.clear();
  }

  async close(): Promise<void> {
    await this.#events.close();
  }

  async #addSlice(block: RecordBlock, from: number, to: number): Promise<BadRow[]> {
    for (const column of this.#evaluation.columns) if (column.kind === "number") column.bigs.clear();
    const findings = await this.#events.read(block, from, to);
    let rows = goodRows(to - from, findings);
    if (this.#direct?.canRun === true) rows = this.#direct.run(rows);
    else if (this.#evaluation.needed && rows.length > 0) {
      const evaluated = await this.#evaluation.run(rows);
      rows = ascending(evaluated.rows);
      for (const [row, found] of evaluated.findings) findings.set(row, found);
    }
    if (rows.length > 0) this.#gather(block, from, rows);
    this.#events.renewTexts(this.#evaluation.columns);
    return [...findings]
      .sort(([a], [b]) => a - b)
      .map(([row, { reason, detail }]) => ({ row: from + row, reason, detail }));
  }

  /** @param rows of the slice that pass, ascending */
  #gather(block: RecordBlock, from: number, rows: Int32Array): void {
    const count = rows.length;
    this.#partitions.room(count).fill(block.partition, this.#partitions.length, this.#partitions.length + count);
    this.#partitions.length += count;
    const offsets = this.#offsets.room(count);
    const times = this.#times.room(count);
    for (const row of rows) {
      offsets[this.#offsets.length++] = block.offsets[from + row] as number;
      times[this.#times.length++] = this.#events.timeMs.values[row] as number;
    }
    for (const [index, column] of this.#pending.entries()) {
      const source = this.#columns.get(this.#plan.columns[index]?.name ?? "");
      if (source !== undefined) column.add(source, rows);
    }
    if (this.#wants.has("json")) {
      if (this.#plan.untouched) writeUntouched(block, from, rows, this.#values);
      else this.#json.write(block, from, rows, this.#values);
    }
    if (this.#wants.has("records")) this.#gatherRecords(block, from, rows);
  }

  #gatherRecords(block: RecordBlock, from: number, rows: Int32Array): void {
    const timestamps = this.#timestamps.room(rows.length);
    const cursor = new Cursor(block.bytes);
    for (const slice of rows) {
      const row = from + slice;
      timestamps[this.#timestamps.length++] = block.timestamps[row] as number;
      cursor.at = block.heads[row] as number;
      const length = cursor.varint();
      if (length < 0) this.#keys.addNull();
      else this.#keys.add(block.bytes, cursor.at, cursor.at + length);
      this.#headers.add(
        block.bytes,
        Math.max(block.ends[row] as number, block.starts[row] as number),
        block.tails[row] as number,
      );
    }
  }
}

/** @returns undefined where something has to be evaluated by DuckDB, or nothing at all */
function directEvaluation(
  { where, directWhere, columns }: TransformPlan,
  values: readonly Computed[],
  fields: ReadonlyMap<string, Column>,
): DirectEvaluation | undefined {
  const direct = columns.flatMap((one) => one.direct ?? []);
  if (where === undefined && values.length === 0) return undefined;
  if ((where !== undefined && directWhere === undefined) || direct.length < values.length) return undefined;
  const targets = values.flatMap(({ column }, index) => {
    const of = direct[index];
    return of === undefined || column.kind === "text" ? [] : [{ direct: of, column }];
  });
  return new DirectEvaluation(directWhere, targets, fields);
}

/** A join may give events in another order than they came in. */
function ascending(rows: Int32Array): Int32Array {
  for (let i = 1; i < rows.length; i++) if ((rows[i - 1] as number) > (rows[i] as number)) return rows.slice().sort();
  return rows;
}

function isField({ isField: field }: ProjectedColumn): boolean {
  return field;
}
