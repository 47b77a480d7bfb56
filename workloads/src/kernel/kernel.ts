/**
 * The batch kernel: blocks of records in, merged deltas out. Bytes → columns → expressions → groups → deltas. Tables of
 * plain fields never meet DuckDB; expressions, and rows that are not plainly good, do.
 */
import type { TopicConfig } from "@caudal/crds";
import type { RecordBlock } from "../kafka/record-block.ts";
import { type Finding, finding, type AggregatorPlan, type BlockResult } from "@caudal/pipeline/sql";
import type { Column } from "./columns.ts";
import type { Delta } from "./delta.ts";
import { NULL_CODE } from "./dictionary.ts";
import { Evaluation } from "./evaluation.ts";
import { endOfSlice, type EvaluationBounds, EventReader, goodRows, SLICE_ROWS } from "./event-reader.ts";
import { type Added, Fold, type LatePolicy } from "./fold.ts";
import { planColumns, type TableColumns } from "./table-columns.ts";

export interface KernelOptions extends EvaluationBounds {
  /** An event further ahead of its record's time than this is bad. */
  readonly maxAheadMs: number;
  readonly lateEvents: LatePolicy;
}

export interface BlockInput {
  /** Epoch milliseconds; windows that end at or before it are closed. null: none is. */
  readonly watermark: number | null;
  /** By table, epoch milliseconds: windows that end at or before it are no longer kept, and take no event. */
  readonly floors?: ReadonlyMap<string, number>;
  /** First row, 0 without. */
  readonly from?: number;
  /** Row after the last, the block's count without. */
  readonly to?: number;
}

/** PostgreSQL's indexes hold entries of up to 2,704 bytes; columns that are no text take the rest. */
const MAX_KEY_BYTES = 1024;

/**
 * Calls are done one after another in the order in which they were made; a call that throws may have added a part of its
 * block, so that only `discard` may follow.
 */
export class Kernel {
  readonly #events: EventReader;
  readonly #evaluation: Evaluation;
  readonly #tables: readonly TableColumns[];
  readonly #fold: Fold;
  readonly #options: KernelOptions;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(plan: AggregatorPlan, topic: TopicConfig, options: KernelOptions) {
    const used = new Set([...plan.fields, ...plan.tables.flatMap((table) => table.fields)]);
    this.#options = options;
    this.#events = new EventReader(topic, used, undefined, options);
    const { columns, memory } = this.#events;
    const { tables, computation } = planColumns(plan, columns, memory, SLICE_ROWS);
    this.#tables = tables;
    this.#evaluation = new Evaluation(this.#events, computation, topic, columns);
    this.#fold = new Fold(tables, options.lateEvents, SLICE_ROWS);
  }

  /** @param plan of all tables, or with some of them left out */
  static async open(plan: AggregatorPlan, topic: TopicConfig, options: KernelOptions): Promise<Kernel> {
    const kernel = new Kernel(plan, topic, options);
    if (kernel.#evaluation.needed) await kernel.#events.duckdb();
    return kernel;
  }

  /** Rows of all deltas together. */
  get pendingRows(): number {
    return this.#fold.pendingRows;
  }

  /** Memory that they take. */
  get pendingBytes(): number {
    let bytes = this.#fold.pendingBytes;
    for (const { dictionary } of this.#textColumns()) bytes += dictionary.heldBytes;
    return this.#fold.pendingRows === 0 ? 0 : bytes;
  }

  /** Computes rows [from, to) of a block and merges them into what is pending. */
  async add(block: RecordBlock, input: BlockInput): Promise<BlockResult> {
    return await this.#inTurn(async () => {
      const result = new Tally(this.#tables.map(({ table }) => table.name));
      const to = input.to ?? block.count;
      for (let from = input.from ?? 0; from < to;) {
        const end = endOfSlice(block, from, to);
        await this.#addSlice(block, from, end, input, result);
        from = end;
      }
      return result.toBlockResult();
    });
  }

  /** Gives what is pending and forgets it. Tables without rows are left out. */
  async take(): Promise<readonly Delta[]> {
    return await this.#inTurn(() => {
      const deltas = this.#fold.deltas();
      this.#forget();
      return Promise.resolve(deltas);
    });
  }

  /** Forgets what is pending. */
  async discard(): Promise<void> {
    await this.#inTurn(() => {
      this.#forget();
      return Promise.resolve();
    });
  }

  async close(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#events.close();
    });
  }

  async #addSlice(
    block: RecordBlock,
    from: number,
    to: number,
    { watermark, floors = new Map() }: BlockInput,
    result: Tally,
  ): Promise<void> {
    for (const column of this.#evaluation.columns) if (column.kind === "number") column.bigs.clear();
    const findings = this.#events.read(block, from, to);
    this.#findTooFarAhead(block, from, to, findings);
    let rows = goodRows(to - from, findings);
    if (this.#evaluation.needed) {
      const evaluated = await this.#evaluation.run(rows);
      rows = evaluated.rows;
      for (const [row, found] of evaluated.findings) findings.set(row, found);
    }
    const tooLong = findLongKeys(this.#tables, rows);
    if (tooLong.size > 0) {
      for (const [row, found] of tooLong) findings.set(row, found);
      rows = rows.filter((row) => !tooLong.has(row));
    }
    result.addBad(from, to, findings);
    result.addTime(latest(this.#events.timeMs.values, to - from, findings));
    for (const [index, added] of this.#fold.add(rows, this.#events.timeMs.values, watermark, floors).entries())
      result.addTable(index, from, added);
  }

  /** Events of more than maxAhead after their record. A record without a time holds nothing against its event. */
  #findTooFarAhead(block: RecordBlock, from: number, to: number, findings: Map<number, Finding>): void {
    const { maxAheadMs } = this.#options;
    for (let row = from; row < to; row++) {
      const record = block.timestamps[row] as number;
      const time = this.#events.timeMs.values[row - from] as number;
      if (time <= record + maxAheadMs || record < 0 || findings.has(row - from)) continue;
      const [event, produced] = [new Date(time).toISOString(), new Date(record).toISOString()];
      findings.set(
        row - from,
        finding(
          "TooFarAhead",
          `the event is of ${event}, its record of ${produced}, more than ${maxAheadMs} ms before`,
        ),
      );
    }
  }

  #forget(): void {
    this.#fold.clear();
    this.#events.renewTexts(this.#evaluation.columns);
  }

  *#textColumns() {
    for (const column of this.#allColumns()) if (column.kind === "text") yield column;
  }

  *#allColumns(): Iterable<Column> {
    yield* this.#events.columns.values();
    yield* this.#evaluation.columns;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }
}

function latest(timeMs: Float64Array, count: number, findings: ReadonlyMap<number, Finding>): number {
  let time = -Infinity;
  for (let row = 0; row < count; row++) {
    const candidate = timeMs[row] as number;
    if (candidate > time && !findings.has(row)) time = candidate;
  }
  return time;
}

/** Events whose group key is too long for an index of PostgreSQL. */
function findLongKeys(tables: readonly TableColumns[], rows: Int32Array): ReadonlyMap<number, Finding> {
  const found = new Map<number, Finding>();
  for (const { table, inside, groups } of tables) {
    const texts = groups.filter((column) => column.kind === "text");
    if (texts.reduce((sum, { dictionary }) => sum + dictionary.longest, 0) <= MAX_KEY_BYTES) continue;
    for (const row of rows) {
      if (inside !== null && inside.values[row] !== 1) continue;
      let bytes = 0;
      for (const { dictionary, values } of texts) {
        const code = values[row] as number;
        if (code !== NULL_CODE) bytes += dictionary.length(code);
      }
      if (bytes > MAX_KEY_BYTES)
        found.set(
          row,
          finding(
            "GroupKeyTooLong",
            `the group of ${table.name} has ${bytes} bytes of text, more than ${MAX_KEY_BYTES}`,
          ),
        );
    }
  }
  return found;
}

/** Adds up what the slices of a block give. */
class Tally {
  readonly #tables: { table: string; counted: number; late: number }[];
  readonly #bad: { row: number; reason: string; detail: string }[] = [];
  readonly #late = new Map<number, string[]>();
  #accepted = 0;
  #maxEventTime = -Infinity;

  constructor(tables: readonly string[]) {
    this.#tables = tables.map((table) => ({ table, counted: 0, late: 0 }));
  }

  addBad(from: number, to: number, findings: ReadonlyMap<number, Finding>): void {
    this.#accepted += to - from - findings.size;
    for (const [row, { reason, detail }] of findings) this.#bad.push({ row: from + row, reason, detail });
  }

  /** @param time milliseconds, -Infinity for none */
  addTime(time: number): void {
    this.#maxEventTime = Math.max(this.#maxEventTime, time);
  }

  addTable(index: number, from: number, added: Added): void {
    const entry = this.#tables[index];
    if (entry === undefined) return;
    entry.counted += added.counted;
    entry.late += added.late;
    for (const row of added.leftOut) this.#late.set(from + row, [...(this.#late.get(from + row) ?? []), entry.table]);
  }

  toBlockResult(): BlockResult {
    return {
      accepted: this.#accepted,
      bad: this.#bad.sort((a, b) => a.row - b.row),
      late: [...this.#late].sort(([a], [b]) => a - b).map(([row, tables]) => ({ row, tables })),
      tables: this.#tables,
      maxEventTime: this.#maxEventTime === -Infinity ? null : this.#maxEventTime,
    };
  }
}
