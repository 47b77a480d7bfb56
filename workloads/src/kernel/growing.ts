/** Lists that grow while rows are gathered, and are then given away whole; what was added since a mark can be taken back. */
import type { DeltaColumn } from "./delta.ts";
import type { Column } from "./columns.ts";
import { BIG } from "./columns.ts";
import type { Values } from "./rows.ts";

const FIRST = 1024;

type Numbers = Float64Array | Int32Array;

export class GrowingList<T extends Numbers> {
  readonly #make: (length: number) => T;
  #values: T;
  length = 0;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#values = make(FIRST);
  }

  /** The elements so far, with room for as many more behind them. */
  room(more: number): T {
    if (this.length + more > this.#values.length) {
      const longer = this.#make(Math.max(2 * this.#values.length, this.length + more));
      longer.set(this.#values);
      this.#values = longer;
    }
    return this.#values;
  }

  /** @returns what takes back all that is added from now on */
  mark(): () => void {
    const { length } = this;
    return () => void (this.length = length);
  }

  /** Gives the elements away. */
  take(): T {
    const taken = this.#values.subarray(0, this.length) as T;
    this.#values = this.#make(Math.max(FIRST, this.length));
    this.length = 0;
    return taken;
  }

  clear(): void {
    this.length = 0;
  }
}

export const growingFloats = () => new GrowingList((length) => new Float64Array(length));
export const growingInts = () => new GrowingList((length) => new Int32Array(length));

/** Values of bytes, one after the other. */
export class GrowingValues {
  #bytes = Buffer.allocUnsafeSlow(64 * FIRST);
  /** Bytes so far. */
  at = 0;
  readonly starts = growingInts();
  readonly ends = growingInts();

  /** The bytes so far, with room for as many more from {@link at} on. */
  room(more: number): Buffer {
    if (this.at + more > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.at + more));
      this.#bytes.copy(larger, 0, 0, this.at);
      this.#bytes = larger;
    }
    return this.#bytes;
  }

  /** Adds copies of values that lie one after the other. @param ends where in `source` each ends; the first begins at 0 */
  addAll(source: Uint8Array, ends: Uint32Array): void {
    this.room(source.length).set(source, this.at);
    const starts = this.starts.room(ends.length);
    const places = this.ends.room(ends.length);
    let start = this.at;
    for (let i = 0; i < ends.length; i++) {
      starts[this.starts.length++] = start;
      places[this.ends.length++] = start = this.at + (ends[i] as number);
    }
    this.at += source.length;
  }

  /** See {@link GrowingList.mark}. */
  mark(): () => void {
    const { at } = this;
    const back = [this.starts.mark(), this.ends.mark()];
    return () => {
      this.at = at;
      for (const take of back) take();
    };
  }

  take(): Values {
    const taken = { bytes: this.#bytes.subarray(0, this.at), starts: this.starts.take(), ends: this.ends.take() };
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(64 * FIRST, this.at));
    this.at = 0;
    return taken;
  }

  clear(): void {
    this.at = 0;
    this.starts.clear();
    this.ends.clear();
  }
}

/** A column of a batch. */
export class GrowingColumn {
  readonly #kind: Column["kind"];
  readonly #numbers = growingFloats();
  readonly #lengths = growingInts();
  readonly #texts = new GrowingValues();
  #bigs = new Map<number, bigint>();

  constructor(kind: Column["kind"]) {
    this.#kind = kind;
  }

  get bytes(): number {
    return 8 * this.#numbers.length + 4 * this.#lengths.length + this.#texts.at;
  }

  /** Adds the rows' elements of a slice's column. */
  add(column: Column, rows: Int32Array): void {
    if (column.kind === "text") {
      const codes = rows.map((row) => column.values[row] as number);
      const { bytes, lengths } = column.dictionary.gather(codes);
      this.#lengths.room(lengths.length).set(lengths, this.#lengths.length);
      this.#lengths.length += lengths.length;
      this.#texts.room(bytes.length).set(bytes, this.#texts.at);
      this.#texts.at += bytes.length;
      return;
    }
    const values = this.#numbers.room(rows.length);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const value = column.values[row] as number;
      if (value === BIG) this.#bigs.set(this.#numbers.length, column.bigs.get(row) ?? 0n);
      values[this.#numbers.length++] = value;
    }
  }

  /** See {@link GrowingList.mark}. */
  mark(): () => void {
    const { length } = this.#numbers;
    const back = [this.#numbers.mark(), this.#lengths.mark(), this.#texts.mark()];
    return () => {
      for (const take of back) take();
      for (const row of this.#bigs.keys()) if (row >= length) this.#bigs.delete(row);
    };
  }

  take(): DeltaColumn {
    if (this.#kind === "text") return { kind: "text", bytes: this.#texts.take().bytes, lengths: this.#lengths.take() };
    const bigs = this.#bigs;
    this.#bigs = new Map();
    return { kind: "number", values: this.#numbers.take(), bigs };
  }

  clear(): void {
    this.#numbers.clear();
    this.#lengths.clear();
    this.#texts.clear();
    this.#bigs.clear();
  }
}
