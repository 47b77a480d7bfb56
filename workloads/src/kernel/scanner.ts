/** Runs the WebAssembly scanner over slices of a block: bytes of JSON in, columns out. */
import type { TopicConfig } from "@caudal/crds";
import type { RecordBlock } from "../kafka/record-block.ts";
import type { Column, NumberColumn } from "./columns.ts";
import type { Placed, ScanMemory } from "./scan-memory.ts";

/** How a field's value is read: see workloads/assembly/index.ts. */
const KINDS: Readonly<Record<string, number>> = {
  string: 0,
  uuid: 1,
  boolean: 2,
  integer: 3,
  bigint: 3,
  double: 4,
  timestamp: 6,
  date: 7,
  json: 8,
};
const DECIMAL = 5;
const NULLABLE = 1;
const IS_TIME = 2;
const FIELD_BYTES = 40;
/** Words of a field's block. */
const COLUMN = 4;
const DICTIONARY = 5;
const ENTRY_BYTES = 16;
const INT32 = 2 ** 31;
/** A slice with more bytes than this is left to the strict reader: it has one value, or values far apart. */
const MAX_INPUT = 16 * 1024 * 1024;

export class Scanner {
  readonly #memory: ScanMemory;
  readonly #columns: readonly (Placed<Column> | undefined)[];
  readonly #fields: number;
  readonly #starts: number;
  readonly #ends: number;
  readonly #undecided: number;
  readonly #deferred: number;

  /**
   * @param columns by field name, for those that SQL reads
   * @param timeMs gets the event times where a field holds them: whole milliseconds, downwards
   * @param rows that a slice has at most
   */
  constructor(
    memory: ScanMemory,
    topic: TopicConfig,
    columns: ReadonlyMap<string, Placed<Column>>,
    timeMs: Placed<NumberColumn>,
    rows: number,
  ) {
    this.#memory = memory;
    this.#columns = topic.fields.map(({ name }) => columns.get(name));
    this.#starts = memory.allocate(4 * rows);
    this.#ends = memory.allocate(4 * rows);
    this.#undecided = memory.allocate(4 * rows);
    this.#deferred = memory.allocate(ENTRY_BYTES * rows);
    this.#fields = memory.allocate(Math.max(1, FIELD_BYTES * topic.fields.length));
    for (const [index, field] of topic.fields.entries()) this.#writeField(index, field, field.name === topic.timestamp);
    memory.exports.open(this.#fields, topic.fields.length, timeMs.pointer, this.#deferred, ENTRY_BYTES * rows);
  }

  /**
   * Reads rows [from, to) of the block into the columns, from row 0 on.
   *
   * @returns rows of the slice, counted from 0, that the strict reader has to decide; their elements hold anything
   */
  scan(block: RecordBlock, from: number, to: number): number[] {
    const rows = to - from;
    const starts = block.starts.subarray(from, to);
    const ends = block.ends.subarray(from, to);
    const first = starts[0] ?? 0;
    const last = Math.max(ends[rows - 1] ?? 0, starts[rows - 1] ?? 0);
    if (last - first > MAX_INPUT) return Array.from({ length: rows }, (_, row) => row);
    this.#writeColumns();
    const input = this.#memory.put(block.bytes.subarray(first, last));
    const { words } = this.#memory;
    words.set(starts, this.#starts >>> 2);
    words.set(ends, this.#ends >>> 2);
    const count = this.#memory.exports.scan(input - first, this.#starts, this.#ends, rows, this.#undecided);
    this.#memory.settle();
    const undecided = Array.from(this.#memory.words.subarray(this.#undecided >>> 2, (this.#undecided >>> 2) + count));
    return this.#readDeferred(undecided);
  }

  #writeField(index: number, { name, type, nullable }: TopicConfig["fields"][number], isTime: boolean): void {
    const [, precision = "0", scale = "0"] = /^decimal\((\d+),(\d+)\)$/.exec(type) ?? [];
    const key = Buffer.from(name);
    const keyAt = this.#memory.allocate(key.length + 8);
    this.#memory.bytes.set(key, keyAt);
    const flags = (nullable && !isTime ? NULLABLE : 0) | (isTime ? IS_TIME : 0);
    const digits = type === "integer" ? INT32 : Number(precision);
    const block = [keyAt, key.length, KINDS[type] ?? DECIMAL, flags, 0, 0, digits, Number(scale), 0, 0];
    this.#memory.words.set(block, this.#wordOf(index));
  }

  /** Dictionaries are replaced now and then. */
  #writeColumns(): void {
    const { words } = this.#memory;
    for (const [index, column] of this.#columns.entries()) {
      if (column === undefined) continue;
      words[this.#wordOf(index) + COLUMN] = column.pointer;
      words[this.#wordOf(index) + DICTIONARY] = column.kind === "text" ? column.dictionary.pointer : 0;
    }
  }

  #wordOf(field: number): number {
    return (this.#fields + FIELD_BYTES * field) >>> 2;
  }

  /** Numbers of more than 15 digits are JavaScript's to read. @returns the undecided rows, with those that it cannot read */
  #readDeferred(undecided: number[]): number[] {
    const { bytes, words } = this.#memory;
    const end = (this.#deferred + this.#memory.exports.deferredBytes()) >>> 2;
    for (let at = this.#deferred >>> 2; at < end; at += 4) {
      const [field = 0, row = 0, from = 0, to = 0] = words.subarray(at, at + 4);
      const value = Number(Buffer.from(bytes.buffer, from, to - from).toString("latin1"));
      const column = this.#columns[field];
      if (!Number.isFinite(value)) undecided.push(row);
      else if (column !== undefined) column.values[row] = value;
    }
    return undecided;
  }
}
