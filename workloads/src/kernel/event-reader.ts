/** Slices of a block as columns of events: what the scanner is certain of, and the strict reader's verdict on the rest. */
import type { TopicConfig } from "@caudal/crds";
import type { RecordBlock } from "../kafka/record-block.ts";
import { type Finding, NO_TIME } from "../sql/bad-rows.ts";
import { type DuckDB, openDuckDB } from "../sql/duckdb.ts";
import { duckdbTypeOf } from "../sql/fields.ts";
import { type Column, makeColumn, type NumberColumn, type TextColumn } from "./columns.ts";
import { Dictionary } from "./dictionary.ts";
import type { HeldSlice } from "./held-slice.ts";
import { Members } from "./members.ts";
import { type Placed, ScanMemory } from "./scan-memory.ts";
import { isTooLarge, Scanner } from "./scanner.ts";
import { StrictReader } from "./strict-reader.ts";

/** A block is read in slices of at most this. */
export const SLICE_ROWS = 16_384;
const SLICE_BYTES = 4 * 1024 * 1024;
/** A dictionary that is larger is begun anew where nothing refers to it. */
const MAX_TEXTS = 65_536;
const MAX_TEXT_BYTES = 4 * 1024 * 1024;
export const SPAN_BYTES = 8;
/** What a field is that an event lacks. */
const NULL = Buffer.from("null");

export class EventReader {
  readonly memory = new ScanMemory();
  /** By field name, of those that are used. */
  readonly columns: ReadonlyMap<string, Placed<Column>>;
  /** Event times. */
  readonly timeMs: Placed<NumberColumn>;
  /** By name of a located field, a list of where in memory each row's value is: where it begins and ends, two words. */
  readonly spans: ReadonlyMap<string, number>;
  readonly #wantsRecords: boolean;
  readonly #members: Members;
  readonly #null: number;
  readonly #topic: TopicConfig;
  readonly #memoryLimit: string;
  readonly #scanner: Scanner;
  #duckdb: Promise<DuckDB> | undefined;
  #strict: StrictReader | undefined;
  #undecided: readonly number[] = [];

  /**
   * @param used fields whose values are wanted; the others are checked all the same
   * @param located fields that are wanted as they were written, each once; undefined where the records are not wanted at all
   * @param memoryLimit bound of DuckDB's memory
   */
  constructor(topic: TopicConfig, used: ReadonlySet<string>, located?: readonly string[], memoryLimit = "128MB") {
    this.#topic = topic;
    this.#memoryLimit = memoryLimit;
    this.columns = new Map(
      topic.fields
        .filter(({ name }) => used.has(name))
        .map(({ name, type }) => [name, makeColumn(this.memory, duckdbTypeOf(type), SLICE_ROWS)]),
    );
    this.timeMs = this.memory.numberColumn(SLICE_ROWS);
    this.#wantsRecords = located !== undefined;
    this.spans = new Map((located ?? []).map((name) => [name, this.memory.allocate(SPAN_BYTES * SLICE_ROWS)]));
    this.#members = new Members(located ?? []);
    this.#null = this.memory.keep(NULL);
    this.#scanner = new Scanner(this.memory, topic, this.columns, this.timeMs, SLICE_ROWS, this.spans);
  }

  /** What was read last, in memory, where the records are wanted. */
  get slice(): HeldSlice {
    return this.#scanner.slice;
  }

  /** Rows of what was read last that the scanner has left to the strict reader. */
  get undecided(): readonly number[] {
    return this.#undecided;
  }

  /** Reads rows [from, to) of the block into the columns, from row 0 on. @returns by row of the slice, why it is no event */
  async read(block: RecordBlock, from: number, to: number): Promise<Map<number, Finding>> {
    for (const column of this.columns.values()) if (column.kind === "number") column.bigs.clear();
    const undecided = this.#scanner.scan(block, from, to);
    this.#undecided = undecided;
    const findings = undecided.length === 0 ? new Map<number, Finding>() : await this.#decide(block, from, undecided);
    if (undecided.length > 0 && this.#wantsRecords) this.#locate(block, from, to, findings);
    if (this.#topic.timestamp === undefined) this.#takeRecordTimes(block, from, to, findings);
    return findings;
  }

  /** The one DuckDB of this reader, opened when it is first needed. */
  async duckdb(): Promise<DuckDB> {
    this.#duckdb ??= openDuckDB({ memoryLimit: this.#memoryLimit });
    try {
      return await this.#duckdb;
    } catch (error) {
      // Whoever tries again opens another one.
      this.#duckdb = undefined;
      throw error;
    }
  }

  /** Begins large dictionaries anew; codes from before have no meaning any more. @param more columns besides the fields' */
  renewTexts(more: readonly Column[]): void {
    for (const column of [...this.columns.values(), ...more])
      if (column.kind === "text" && isLarge(column)) {
        column.dictionary.free();
        column.dictionary = new Dictionary(this.memory);
      }
  }

  async close(): Promise<void> {
    (await this.#duckdb)?.close();
  }

  async #decide(block: RecordBlock, from: number, rows: readonly number[]): Promise<Map<number, Finding>> {
    this.#strict ??= new StrictReader(await this.duckdb(), this.#topic, this.columns, this.timeMs);
    return await this.#strict.read(block, from, rows);
  }

  /** Finds the values of the undecided rows that are events after all. */
  #locate(block: RecordBlock, from: number, to: number, findings: ReadonlyMap<number, Finding>): void {
    if (isTooLarge(block, from, to)) this.slice.hold(block, from, to);
    const { base } = this.slice;
    const { words } = this.memory;
    const { starts, ends } = this.#members;
    const lists = [...this.spans.values()];
    for (const row of this.#undecided) {
      if (findings.has(row)) continue;
      this.#members.find(block.bytes, block.starts[from + row] as number, block.ends[from + row] as number);
      for (const [index, list] of lists.entries()) {
        const start = starts[index] as number;
        const at = (list >>> 2) + 2 * row;
        words[at] = start < 0 ? this.#null : base + start;
        words[at + 1] = start < 0 ? this.#null + NULL.length : base + (ends[index] as number);
      }
    }
  }

  #takeRecordTimes(block: RecordBlock, from: number, to: number, findings: Map<number, Finding>): void {
    for (let row = from; row < to; row++) {
      const time = block.timestamps[row] as number;
      this.timeMs.values[row - from] = time;
      if (time < 0 && !findings.has(row - from)) findings.set(row - from, NO_TIME);
    }
  }
}

function isLarge({ dictionary }: TextColumn): boolean {
  return dictionary.size > MAX_TEXTS || dictionary.textBytes > MAX_TEXT_BYTES;
}

/** Where the slice ends that begins at a row. */
export function endOfSlice({ starts, ends }: RecordBlock, from: number, to: number): number {
  const most = (starts[from] ?? 0) + SLICE_BYTES;
  let end = Math.min(to, from + SLICE_ROWS);
  if ((ends[end - 1] ?? 0) <= most && (starts[end - 1] ?? 0) <= most) return end;
  for (end = from + 1; end < to && (ends[end] ?? 0) <= most; end++);
  return end;
}

/** Rows of a slice that are events. */
export function goodRows(count: number, findings: ReadonlyMap<number, Finding>): Int32Array {
  const rows = new Int32Array(count);
  for (let row = 0; row < count; row++) rows[row] = row;
  return findings.size === 0 ? rows : rows.filter((row) => !findings.has(row));
}
