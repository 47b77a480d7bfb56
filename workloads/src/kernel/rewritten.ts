/** Values and records of a slice that go on in another form than they came in, because their own has two meanings. */
import { normalForm } from "@caudal/pipeline/json";
import type { Records } from "../kafka/record-block.ts";
import type { HeldSlice } from "./held-slice.ts";
import type { ScanMemory } from "./scan-memory.ts";
import type { ScanRoom } from "./scan-room.ts";

export class Rewritten {
  readonly #memory: ScanMemory;
  readonly #slice: HeldSlice;
  readonly #block: Records;
  readonly #from: number;
  readonly #texts: Buffer[] = [];
  /** Words that say where something is, by where that is among the texts. */
  readonly #places: { readonly word: number; readonly at: number; readonly base: number }[] = [];
  #bytes = 0;

  /** @param slice that is held, and begins at row `from` of the block */
  constructor(memory: ScanMemory, slice: HeldSlice, block: Records, from: number) {
    this.#memory = memory;
    this.#slice = slice;
    this.#block = block;
    this.#from = from;
  }

  /** Rewrites the value in bytes [from, to) of the block. @param span number of the first word of its span in memory */
  addValue(span: number, from: number, to: number): void {
    const [start, end] = this.#add(this.#normal(from, to));
    this.#place(span, start, 0);
    this.#place(span + 1, end, 0);
  }

  /** Rewrites a record's value. @param row in the slice */
  addRecord(row: number): void {
    const { bytes, starts, ends, tails } = this.#block;
    const valueEnd = ends[this.#from + row] ?? 0;
    const { base, starts: startWords, ends: endWords, tails: tailWords } = this.#slice;
    const [start, end] = this.#add(this.#normal(starts[this.#from + row] ?? 0, valueEnd));
    // A record's headers lie behind its value.
    const [, tail] = this.#add(bytes.subarray(valueEnd, tails[this.#from + row]));
    this.#place((startWords >>> 2) + row, start, base);
    this.#place((endWords >>> 2) + row, end, base);
    this.#place((tailWords >>> 2) + row, tail, base);
  }

  /** Puts what was added into memory, where it stays until the room is used again. */
  put(room: ScanRoom): void {
    if (this.#places.length === 0) return;
    const pointer = room.put(Buffer.concat(this.#texts));
    const { words } = this.#memory;
    for (const { word, at, base } of this.#places) words[word] = pointer + at - base;
  }

  #normal(from: number, to: number): Buffer {
    return Buffer.from(normalForm(this.#block.bytes.toString("utf8", from, to)));
  }

  #add(text: Buffer): readonly [start: number, end: number] {
    const start = this.#bytes;
    this.#texts.push(text);
    return [start, (this.#bytes += text.length)];
  }

  #place(word: number, at: number, base: number): void {
    this.#places.push({ word, at, base });
  }
}
