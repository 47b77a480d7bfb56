/**
 * The scanner's WebAssembly (sources: workloads/assembly) and its memory, in which the columns of a slice and the
 * dictionaries lie. Each kernel has its own.
 */
import { readFileSync } from "node:fs";
import type { NumberColumn, TextColumn } from "./columns.ts";
import { Dictionary } from "./dictionary.ts";
import { ScanRoom } from "./scan-room.ts";

/** Part of the standard's JavaScript API, which the types of Node leave out. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
}
const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

/** What the module exports; pointers and lengths are bytes. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  allocate(bytes: number): number;
  release(block: number): void;
  makeDictionary(): number;
  freeDictionary(dictionary: number): void;
  code(dictionary: number, from: number, to: number): number;
  open(
    fields: number,
    count: number,
    all: number,
    times: number,
    later: number,
    laterBytes: number,
    whole: boolean,
  ): void;
  scan(base: number, starts: number, ends: number, rows: number, undecided: number): number;
  deferredBytes(): number;
  openRows(form: number): void;
  writeValues(count: number, base: number): number;
  writeRecords(count: number, base: number, keys: number): number;
  writeBatch(rows: number, count: number, bytes: number, ends: number, times: number, most: number): number;
  latestTime(): number;
  outputStart(): number;
  outputBytes(): number;
}

/** Bytes that are read at once. */
const VECTOR = 16;

let compiled: object | undefined;

/** A column that lies in the scanner's memory. */
export type Placed<Column> = Column & { readonly pointer: number };

export class ScanMemory {
  readonly exports: Exports;
  readonly #numbers: { column: NumberColumn; pointer: number; rows: number }[] = [];
  readonly #texts: { column: TextColumn; pointer: number; rows: number }[] = [];
  #buffer: ArrayBuffer;
  #bytes: Uint8Array;
  #words: Uint32Array;
  readonly #text = new ScanRoom(this);

  constructor() {
    compiled ??= new Module(readFileSync(new URL("./scan.wasm", import.meta.url)));
    this.exports = new Instance(compiled).exports as Exports;
    this.#buffer = this.exports.memory.buffer;
    this.#bytes = new Uint8Array(this.#buffer);
    this.#words = new Uint32Array(this.#buffer);
  }

  /** All of it, as it is now: a view does not outlast the next call that allocates. */
  get bytes(): Uint8Array {
    this.settle();
    return this.#bytes;
  }

  get words(): Uint32Array {
    this.settle();
    return this.#words;
  }

  /** Makes the columns' arrays anew where memory has grown and moved. */
  settle(): void {
    const { buffer } = this.exports.memory;
    if (buffer === this.#buffer) return;
    this.#buffer = buffer;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    for (const { column, pointer, rows } of this.#numbers) column.values = new Float64Array(buffer, pointer, rows);
    for (const { column, pointer, rows } of this.#texts) column.values = new Int32Array(buffer, pointer, rows);
  }

  allocate(bytes: number): number {
    const block = this.exports.allocate(bytes);
    this.settle();
    return block;
  }

  numberColumn(rows: number): Placed<NumberColumn> {
    const pointer = this.allocate(8 * rows);
    const values = new Float64Array(this.#buffer, pointer, rows);
    const column = { kind: "number" as const, values, bigs: new Map<number, bigint>(), pointer };
    this.#numbers.push({ column, pointer, rows });
    return column;
  }

  textColumn(rows: number): Placed<TextColumn> {
    const pointer = this.allocate(4 * rows);
    const dictionary = new Dictionary(this);
    const column = {
      ...{ kind: "text" as const, dictionary, pointer },
      values: new Int32Array(this.#buffer, pointer, rows),
    };
    this.#texts.push({ column, pointer, rows });
    this.settle();
    return column;
  }

  /** Copies a text to where a dictionary can read it, until the next call. @returns where */
  putText(bytes: Uint8Array): number {
    return this.#text.put(bytes);
  }

  /** Keeps bytes for good. @returns where */
  keep(bytes: Uint8Array): number {
    const at = this.allocate(bytes.length + VECTOR);
    this.#bytes.set(bytes, at);
    return at;
  }
}
