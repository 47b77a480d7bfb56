/** The batch kernel: blocks of records in, merged deltas out. */
import type { AggregatorConfig, TopicConfig } from "@caudal/crds";
import type { RecordBlock } from "../kafka/record-block.ts";
import { Accumulator, type LatePolicy } from "./accumulator.ts";
import type { Finding } from "./bad-rows.ts";
import { takeCensus } from "./census.ts";
import { type DuckDB, openDuckDB } from "./duckdb.ts";
import { Evaluation, MAX_KEY_BYTES } from "./evaluation.ts";
import { EventTable } from "./event-table.ts";
import { type Slice, slices } from "./lines.ts";
import type { AggregatorPlan, BlockResult, Delta } from "./plan.ts";

export interface KernelOptions {
  /** An event further ahead of its record's time than this is bad. */
  readonly maxAheadMs: number;
  readonly lateEvents: AggregatorConfig["lateEvents"];
  /** Bound of DuckDB's memory, 256MB without one. */
  readonly memoryLimit?: string;
}

export interface BlockInput {
  /** Epoch milliseconds; windows that end at or before it are closed. null: none is. */
  readonly watermark: number | null;
  /** First row, 0 without. */
  readonly from?: number;
  /** Row after the last, the block's count without. */
  readonly to?: number;
}

/** A block is computed in pieces of at most this. */
const MAX_ROWS = 65_536;
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * Computes in one DuckDB of its own. Calls are done one after another in the order in which they were made; a call that
 * throws may have added a part of its block, so that only `discard` may follow.
 */
export class Kernel {
  readonly #duckdb: DuckDB;
  readonly #events: EventTable;
  readonly #evaluation: Evaluation;
  readonly #accumulators: readonly Accumulator[];
  readonly #policy: LatePolicy;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(duckdb: DuckDB, plan: AggregatorPlan, topic: TopicConfig, options: KernelOptions) {
    this.#duckdb = duckdb;
    this.#events = new EventTable(
      duckdb,
      topic,
      new Set([...plan.fields, ...plan.tables.flatMap((table) => table.fields)]),
      options.maxAheadMs,
    );
    this.#evaluation = new Evaluation(duckdb, plan);
    this.#accumulators = this.#evaluation.tables.map(
      (columns, index) => new Accumulator(duckdb, this.#evaluation.source, columns, index),
    );
    this.#policy = options.lateEvents;
  }

  /** @param plan of all tables, or with some of them left out */
  static async open(plan: AggregatorPlan, topic: TopicConfig, options: KernelOptions): Promise<Kernel> {
    const kernel = new Kernel(await openDuckDB({ memoryLimit: options.memoryLimit ?? "256MB" }), plan, topic, options);
    await kernel.discard();
    return kernel;
  }

  /** Upper bound of the rows of all deltas together. */
  get pendingRows(): number {
    return this.#accumulators.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** Estimate of the memory that they take. */
  get pendingBytes(): number {
    return this.#accumulators.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Computes rows [from, to) of a block and merges them into what is pending. */
  async add(block: RecordBlock, input: BlockInput): Promise<BlockResult> {
    return await this.#inTurn(async () => {
      const result = new Tally(this.#evaluation.tables.map(({ table }) => table.name));
      for (const slice of slices(block, input.from ?? 0, input.to ?? block.count, MAX_ROWS, MAX_BYTES))
        await this.#addSlice(slice, input.watermark, result);
      for (const accumulator of this.#accumulators) await accumulator.compact();
      return result.toBlockResult();
    });
  }

  /** Gives what is pending and forgets it. Tables without rows are left out. */
  async take(): Promise<readonly Delta[]> {
    return await this.#inTurn(async () => {
      const deltas: Delta[] = [];
      for (const accumulator of this.#accumulators) if (accumulator.rows > 0) deltas.push(await accumulator.read());
      await this.#forget();
      return deltas;
    });
  }

  /** Forgets what is pending. */
  async discard(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#forget();
    });
  }

  async close(): Promise<void> {
    await this.#inTurn(() => {
      this.#duckdb.close();
      return Promise.resolve();
    });
  }

  async #addSlice(slice: Slice, watermark: number | null, result: Tally): Promise<void> {
    const loaded = await this.#events.load(slice);
    const { findings } = loaded;
    const before = findings.size;
    for (const [row, found] of await this.#evaluation.run()) findings.set(row, found);
    let census = await this.#takeCensus(watermark);
    if (census.some(({ longestKey }) => longestKey > MAX_KEY_BYTES)) {
      const tooLong = await this.#evaluation.findLongKeys();
      await this.#evaluation.takeOut(tooLong.keys());
      for (const [row, found] of tooLong) findings.set(row, found);
      census = await this.#takeCensus(watermark);
    }
    result.addBad(slice, findings);
    result.addTime(findings.size === before ? loaded.latest : await this.#events.takeOut(findings.keys()));
    for (const [index, table] of census.entries()) {
      const added = await this.#accumulators[index]?.add(table, watermark, this.#policy);
      if (added !== undefined) result.addTable(index, added);
    }
  }

  async #takeCensus(watermark: number | null) {
    return await takeCensus(this.#duckdb, this.#evaluation.source, this.#evaluation.tables, watermark);
  }

  async #forget(): Promise<void> {
    for (const accumulator of this.#accumulators) await accumulator.open();
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }
}

/** Adds up what the slices of a block give. */
class Tally {
  readonly #tables: { table: string; counted: number; late: number }[];
  readonly #bad: { row: number; reason: string; detail: string }[] = [];
  readonly #late = new Map<number, string[]>();
  #accepted = 0;
  #maxEventTime: number | null = null;

  constructor(tables: readonly string[]) {
    this.#tables = tables.map((table) => ({ table, counted: 0, late: 0 }));
  }

  addBad({ from, to }: Slice, findings: ReadonlyMap<number, Finding>): void {
    this.#accepted += to - from - findings.size;
    for (const [row, { reason, detail }] of findings) this.#bad.push({ row, reason, detail });
  }

  /** @param micros as DuckDB gives it, null for none */
  addTime(micros: unknown): void {
    if (typeof micros !== "string") return;
    // Whole milliseconds, downwards: a watermark may be late, never early.
    const time = Math.floor(Number(micros) / 1000);
    this.#maxEventTime = Math.max(time, this.#maxEventTime ?? -Infinity);
  }

  addTable(index: number, added: { counted: number; late: number; leftOut: readonly number[] }): void {
    const entry = this.#tables[index];
    if (entry === undefined) return;
    entry.counted += added.counted;
    entry.late += added.late;
    for (const row of added.leftOut) {
      const tables = this.#late.get(row) ?? [];
      this.#late.set(row, [...tables, entry.table]);
    }
  }

  toBlockResult(): BlockResult {
    return {
      accepted: this.#accepted,
      bad: this.#bad.sort((a, b) => a.row - b.row),
      late: [...this.#late].sort(([a], [b]) => a - b).map(([row, tables]) => ({ row, tables })),
      tables: this.#tables,
      maxEventTime: this.#maxEventTime,
    };
  }
}
