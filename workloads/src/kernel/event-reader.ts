/** Slices of a block as columns of events: what the scanner is certain of, and the strict reader's verdict on the rest. */
import { pathOf, type TopicConfig } from "@caudal/crds";
import { partitionOf, type Records } from "../kafka/record-block.ts";
import { type Finding, NO_TIME, duckdbTypeOf } from "@caudal/pipeline/sql";
import { type DuckDB, openDuckDB } from "@caudal/pipeline/duckdb";
import { type Column, makeColumn, type NumberColumn, type TextColumn } from "./columns.ts";
import { Dictionary } from "./dictionary.ts";
import type { EvaluationHost } from "./evaluation.ts";
import type { Flight, Flights, Origin } from "./flights.ts";
import type { HeldSlice } from "./held-slice.ts";
import { RecordFields } from "./record-fields.ts";
import { Rewritten } from "./rewritten.ts";
import { type Placed, ScanMemory } from "./scan-memory.ts";
import { ScanRoom } from "./scan-room.ts";
import { isTooLarge, Scanner } from "./scanner.ts";
import { type Located, StrictReader } from "./strict-reader.ts";
import { TIME_LIMITS, type TimeLimits } from "./time-limit.ts";

/** A block is read in slices of at most this. */
export const SLICE_ROWS = 16_384;
const SLICE_BYTES = 4 * 1024 * 1024;
/** A dictionary that is larger is begun anew where nothing refers to it. */
const MAX_TEXTS = 65_536;
const MAX_TEXT_BYTES = 4 * 1024 * 1024;
export const SPAN_BYTES = 8;

/** What evaluation may take. */
export interface EvaluationBounds {
  /** Bound of DuckDB's memory, 128MB without one. */
  readonly memoryLimit?: string;
  readonly limits?: TimeLimits;
  /** Where the next life of this process finds what it died of. */
  readonly flights?: Flights;
  /** Told the time, in epoch milliseconds, of one event of each slice, where a number may have been read in a wrong unit. */
  readonly onTime?: (ms: number) => void;
}

/** What a field is that an event lacks. */
const NULL = Buffer.from("null");

/** What of the records is wanted as it was written. */
export interface Written {
  /** Fields, each once. */
  readonly fields: readonly string[];
  /** Whether whole records are: they go on as they came. */
  readonly whole: boolean;
}

export class EventReader implements EvaluationHost {
  readonly limits: TimeLimits;
  readonly flight: Flight | undefined;
  /** Of what was read last. */
  origin: Origin = { topic: "", partition: () => 0, offset: (row) => row };
  readonly memory = new ScanMemory();
  /** By field name, of those that are used. */
  readonly columns: ReadonlyMap<string, Placed<Column>>;
  /** Event times. */
  readonly timeMs: Placed<NumberColumn>;
  /** By name of a located field, a list of where in memory each row's value is: where it begins and ends, two words. */
  readonly spans: ReadonlyMap<string, number>;
  readonly #written: Written | undefined;
  /** By list of spans, the place of its field in the topic. */
  readonly #places: readonly number[];
  readonly #null: number;
  readonly #room: ScanRoom;
  readonly #topic: TopicConfig;
  readonly #memoryLimit: string;
  readonly #scanner: Scanner;
  readonly #strict: StrictReader;
  readonly #beside: RecordFields;
  readonly #onTime: EvaluationBounds["onTime"];
  #duckdb: Promise<DuckDB> | undefined;
  #undecided: readonly number[] = [];

  /**
   * @param used fields whose values are wanted; the others are checked all the same
   * @param written undefined where nothing of the records is wanted as it was written
   */
  constructor(
    topic: TopicConfig,
    used: ReadonlySet<string>,
    written?: Written,
    { memoryLimit = "128MB", limits = TIME_LIMITS, flights, onTime }: EvaluationBounds = {},
  ) {
    this.#onTime = isUnitGuessed(topic) ? onTime : undefined;
    this.#topic = topic;
    this.#memoryLimit = memoryLimit;
    this.limits = limits;
    this.flight = flights?.slot();
    this.columns = new Map(
      topic.fields
        .filter(({ name }) => used.has(name))
        .map(({ name, type }) => [name, makeColumn(this.memory, duckdbTypeOf(type), SLICE_ROWS)]),
    );
    this.timeMs = this.memory.numberColumn(SLICE_ROWS);
    this.#written = written;
    const located = written?.fields ?? [];
    this.spans = new Map(located.map((name) => [name, this.memory.allocate(SPAN_BYTES * SLICE_ROWS)]));
    const inJson = { ...topic, fields: topic.fields.filter((field) => pathOf(field) !== undefined) };
    this.#places = located.map((name) => inJson.fields.findIndex((field) => field.name === name));
    this.#null = this.memory.keep(NULL);
    const { spans, columns, timeMs } = this;
    const whole = written?.whole ?? false;
    this.#scanner = new Scanner(this.memory, inJson, { columns, timeMs, spans, whole }, SLICE_ROWS);
    this.#strict = new StrictReader(inJson, columns, timeMs);
    this.#beside = new RecordFields(topic, columns);
    this.#room = new ScanRoom(this.memory);
  }

  /** What was read last, in memory, where the records are wanted. */
  get slice(): HeldSlice {
    return this.#scanner.slice;
  }

  /** Rows of what was read last that the scanner has left to the strict reader. */
  get undecided(): readonly number[] {
    return this.#undecided;
  }

  /** Reads rows [from, to) of the records into the columns, from row 0 on. @returns by row of the slice, why it is no event */
  read(block: Records, from: number, to: number): Map<number, Finding> {
    const { topic, offsets } = block;
    this.origin = {
      topic,
      partition: (row) => partitionOf(block, from + row),
      offset: (row) => offsets[from + row] as number,
    };
    for (const column of this.columns.values()) if (column.kind === "number") column.bigs.clear();
    const undecided = this.#scanner.scan(block, from, to);
    this.#undecided = undecided;
    const findings = undecided.length === 0 ? new Map<number, Finding>() : this.#decide(block, from, to, undecided);
    this.#beside.read(block, from, to, findings);
    if (this.#topic.timestamp === undefined) this.#takeRecordTimes(block, from, to, findings);
    if (this.#onTime !== undefined && !findings.has(0)) this.#onTime(this.timeMs.values[0] as number);
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

  async renew(): Promise<void> {
    const spent = this.#duckdb;
    this.#duckdb = undefined;
    (await spent)?.close();
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
    this.flight?.release();
    (await this.#duckdb)?.close();
  }

  #decide(block: Records, from: number, to: number, rows: readonly number[]): Map<number, Finding> {
    if (this.#written === undefined) return this.#strict.read(block, from, rows);
    if (isTooLarge(block, from, to)) this.slice.hold(block, from, to);
    const rewritten = new Rewritten(this.memory, this.slice, block, from);
    const findings = this.#strict.read(block, from, rows, (row, values) => {
      this.#locate(row, values, rewritten);
    });
    rewritten.put(this.#room);
    return findings;
  }

  /** Says where the values of an undecided row are that is an event after all. */
  #locate(row: number, { starts, ends, repeats }: Located, rewritten: Rewritten): void {
    const { base } = this.slice;
    const { words } = this.memory;
    for (const [index, list] of [...this.spans.values()].entries()) {
      const start = starts[this.#places[index] ?? -1] ?? -1;
      const end = ends[this.#places[index] ?? -1] ?? -1;
      const at = (list >>> 2) + 2 * row;
      words[at] = start < 0 ? this.#null : base + start;
      words[at + 1] = start < 0 ? this.#null + NULL.length : base + end;
      if (repeats && start >= 0) rewritten.addValue(at, start, end);
    }
    // Bytes that may be read in two ways do not go on.
    if (repeats && this.#written?.whole === true) rewritten.addRecord(row);
  }

  #takeRecordTimes(block: Records, from: number, to: number, findings: Map<number, Finding>): void {
    for (let row = from; row < to; row++) {
      const time = block.timestamps[row] as number;
      this.timeMs.values[row - from] = time;
      if (time < 0 && !findings.has(row - from)) findings.set(row - from, NO_TIME);
    }
  }
}

/** Whether nobody has said what numbers in the field of the event's time count. */
function isUnitGuessed({ timestamp, fields }: TopicConfig): boolean {
  const field = fields.find(({ name }) => name === timestamp);
  return field?.type === "timestamp" && field.unit === undefined;
}

function isLarge({ dictionary }: TextColumn): boolean {
  return dictionary.size > MAX_TEXTS || dictionary.textBytes > MAX_TEXT_BYTES;
}

/** Where the slice ends that begins at a row. */
export function endOfSlice({ starts, ends }: Records, from: number, to: number): number {
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
