/** Runs the WebAssembly scanner over slices of a block: bytes of JSON in, columns out. */
import type { TimeUnit, TopicConfig } from "@caudal/crds";
import type { Records } from "../kafka/record-block.ts";
import type { Column, NumberColumn } from "./columns.ts";
import { fieldTree, rootSize, type TreeNode } from "./field-tree.ts";
import { HeldSlice, sliceBytes } from "./held-slice.ts";
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
/** An object that holds fields. */
const OBJECT = 9;
const NULLABLE = 1;
const IS_TIME = 2;
const UNITS: Readonly<Record<TimeUnit, number>> = { milliseconds: 0, seconds: 1, microseconds: 2, nanoseconds: 3 };
const FIELD_BYTES = 48;
/** Words of a field's block. */
const COLUMN = 4;
const DICTIONARY = 5;
const ENTRY_BYTES = 16;
const INT32 = 2 ** 31;
const MAX_INPUT = 16 * 1024 * 1024;

/** Where what is read goes. */
export interface ScanTargets {
  /** By field name, for those that SQL reads. */
  readonly columns: ReadonlyMap<string, Placed<Column>>;
  /** Gets the event times where a field holds them: whole milliseconds, downwards. */
  readonly timeMs: Placed<NumberColumn>;
  /**
   * By field name, for those whose values are wanted as they were written: a list of where each row's begins and ends in
   * memory, two words each.
   */
  readonly spans?: ReadonlyMap<string, number>;
  /** Whether records go on as they came: then no object of theirs may have a key twice. */
  readonly whole?: boolean;
}

export class Scanner {
  /** What was scanned last, unless it is too large. */
  readonly slice: HeldSlice;
  readonly #memory: ScanMemory;
  /** Undefined where a field is somewhere that the scanner does not look: all rows are the strict reader's then. */
  readonly #nodes: readonly TreeNode[] | undefined;
  /** By node. */
  readonly #columns: readonly (Placed<Column> | undefined)[];
  readonly #fields: number;
  readonly #undecided: number;
  readonly #deferred: number;

  /** @param topic with fields that are in the JSON, and no others @param rows that a slice has at most */
  constructor(memory: ScanMemory, topic: TopicConfig, targets: ScanTargets, rows: number) {
    const { columns, timeMs, spans, whole = false } = targets;
    this.#memory = memory;
    this.slice = new HeldSlice(memory, rows);
    this.#nodes = fieldTree(topic);
    const nodes = this.#nodes ?? [];
    const fields = nodes.map(({ field }) => topic.fields[field ?? -1]);
    this.#columns = fields.map((field) => (field === undefined ? undefined : columns.get(field.name)));
    this.#undecided = memory.allocate(4 * rows);
    this.#deferred = memory.allocate(ENTRY_BYTES * rows);
    this.#fields = memory.allocate(Math.max(1, FIELD_BYTES * nodes.length));
    for (const [index, node] of nodes.entries()) {
      const field = fields[index];
      if (field === undefined) this.#writeObject(index, node);
      else this.#writeField(index, node.name, field, field.name === topic.timestamp, spans?.get(field.name) ?? 0);
    }
    const counts = [Math.min(rootSize(topic), nodes.length), nodes.length] as const;
    memory.exports.open(this.#fields, ...counts, timeMs.pointer, this.#deferred, ENTRY_BYTES * rows, whole);
  }

  /**
   * Reads rows [from, to) of the block into the columns, from row 0 on.
   *
   * @returns rows of the slice, counted from 0, that the strict reader has to decide; their elements hold anything
   */
  scan(block: Records, from: number, to: number): number[] {
    const rows = to - from;
    const isTooMuch = isTooLarge(block, from, to);
    if (!isTooMuch) this.slice.hold(block, from, to);
    if (isTooMuch || this.#nodes === undefined) return Array.from({ length: rows }, (_, row) => row);
    this.#writeColumns();
    const { base, starts, ends } = this.slice;
    const count = this.#memory.exports.scan(base, starts, ends, rows, this.#undecided);
    this.#memory.settle();
    const undecided = Array.from(this.#memory.words.subarray(this.#undecided >>> 2, (this.#undecided >>> 2) + count));
    return this.#readDeferred(undecided);
  }

  #writeObject(index: number, { name, first, last }: TreeNode): void {
    const key = Buffer.from(writtenKey(name));
    const [from, to] = [first, last].map((node) => this.#fields + FIELD_BYTES * node);
    const block = [this.#memory.keep(key), key.length, OBJECT, NULLABLE, 0, 0, from ?? 0, to ?? 0, 0, 0, 0, 0];
    this.#memory.words.set(block, this.#wordOf(index));
  }

  #writeField(
    index: number,
    name: string,
    { type, nullable, unit = "milliseconds" }: TopicConfig["fields"][number],
    isTime: boolean,
    spans: number,
  ): void {
    const [, precision = "0", scale = "0"] = /^decimal\((\d+),(\d+)\)$/.exec(type) ?? [];
    const key = Buffer.from(writtenKey(name));
    const keyAt = this.#memory.keep(key);
    const flags = (nullable && !isTime ? NULLABLE : 0) | (isTime ? IS_TIME : 0);
    const digits = type === "integer" ? INT32 : type === "timestamp" ? UNITS[unit] : Number(precision);
    const block = [keyAt, key.length, KINDS[type] ?? DECIMAL, flags, 0, 0, digits, Number(scale), 0, 0, spans, 0];
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

/** A key as writers of JSON write it, between its quotes. */
function writtenKey(name: string): string {
  return JSON.stringify(name).slice(1, -1);
}

/** A slice that is left to the strict reader: it has one value, or values far apart. */
export function isTooLarge(block: Records, from: number, to: number): boolean {
  return sliceBytes(block, from, to) > MAX_INPUT;
}
