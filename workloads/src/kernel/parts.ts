/** The parts of aggregates, one value for each entry of a grouping. */
import type { Part } from "@caudal/pipeline/sql";
import { BIG, type Column, numberAt, type NumberColumn, type TextColumn } from "./columns.ts";
import { NULL_CODE } from "./dictionary.ts";
import { grown, picked } from "./arrays.ts";

/** One part of one table. */
export interface PartState {
  readonly heldBytes: number;
  /** Adds events: row i of `rows` to entry i of `entries`, none where that is -1. @param size number of entries there are */
  add(rows: Int32Array, entries: Int32Array, count: number, size: number): void;
  /** Values of the entries, in the given order. */
  column(order: Uint32Array): Column;
  clear(): void;
}

/** @param argument null: every event counts */
export function makePart(part: Part, argument: Column | null): PartState {
  if (argument === null || part.function === "count") return new CountPart(argument);
  if (argument.kind === "text") return new TextExtreme(argument, part.function === "min");
  if (part.function !== "sum") return new NumberExtreme(argument, part.function === "min");
  return part.duckdbType === "DOUBLE" ? new DoubleSum(argument) : new IntegerSum(argument);
}

/** One double an entry. */
class Doubles {
  values = new Float64Array(0);
  readonly #initial: number;

  constructor(initial: number) {
    this.#initial = initial;
  }

  ensure(size: number): Float64Array {
    const before = this.values.length;
    if (size > before) {
      this.values = grown(this.values, size, (length) => new Float64Array(length));
      this.values.fill(this.#initial, before);
    }
    return this.values;
  }

  ordered(order: Uint32Array): Float64Array {
    return picked(this.values, order, new Float64Array(order.length));
  }

  clear(): void {
    if (this.values.length > 65_536) this.values = new Float64Array(0);
    else this.values.fill(this.#initial);
  }
}

class CountPart implements PartState {
  readonly #argument: Column | null;
  readonly #counts = new Doubles(0);

  constructor(argument: Column | null) {
    this.#argument = argument;
  }

  get heldBytes(): number {
    return this.#counts.values.byteLength;
  }

  add(rows: Int32Array, entries: Int32Array, count: number, size: number): void {
    const counts = this.#counts.ensure(size);
    const argument = this.#argument;
    if (argument === null) {
      for (let i = 0; i < count; i++) {
        const entry = entries[i] as number;
        if (entry >= 0) counts[entry] = (counts[entry] as number) + 1;
      }
      return;
    }
    const { values } = argument;
    const isText = argument.kind === "text";
    for (let i = 0; i < count; i++) {
      const entry = entries[i] as number;
      const value = values[rows[i] as number] as number;
      if (entry >= 0 && (isText ? value !== NULL_CODE : value === value)) counts[entry] = (counts[entry] as number) + 1;
    }
  }

  column(order: Uint32Array): Column {
    return { kind: "number", values: this.#counts.ordered(order), bigs: new Map() };
  }

  clear(): void {
    this.#counts.clear();
  }
}

class DoubleSum implements PartState {
  readonly #argument: NumberColumn;
  readonly #sums = new Doubles(NaN);

  constructor(argument: NumberColumn) {
    this.#argument = argument;
  }

  get heldBytes(): number {
    return this.#sums.values.byteLength;
  }

  add(rows: Int32Array, entries: Int32Array, count: number, size: number): void {
    const sums = this.#sums.ensure(size);
    const { values } = this.#argument;
    for (let i = 0; i < count; i++) {
      const entry = entries[i] as number;
      const value = values[rows[i] as number] as number;
      if (entry < 0 || value !== value) continue;
      const sum = sums[entry] as number;
      sums[entry] = sum === sum ? sum + value : value;
    }
  }

  column(order: Uint32Array): Column {
    return { kind: "number", values: this.#sums.ordered(order), bigs: new Map() };
  }

  clear(): void {
    this.#sums.clear();
  }
}

/** Exact at any size: what goes beyond 2^53 is kept apart. */
class IntegerSum implements PartState {
  readonly #argument: NumberColumn;
  readonly #sums = new Doubles(NaN);
  /** By entry, what is to be added to its sum. */
  #large = new Map<number, bigint>();

  constructor(argument: NumberColumn) {
    this.#argument = argument;
  }

  get heldBytes(): number {
    return this.#sums.values.byteLength + 64 * this.#large.size;
  }

  add(rows: Int32Array, entries: Int32Array, count: number, size: number): void {
    const sums = this.#sums.ensure(size);
    const { values } = this.#argument;
    for (let i = 0; i < count; i++) {
      const entry = entries[i] as number;
      const row = rows[i] as number;
      const value = values[row] as number;
      if (entry < 0 || value !== value) continue;
      const before = sums[entry] as number;
      const sum = before === before ? before + value : value;
      if (sum <= Number.MAX_SAFE_INTEGER && sum >= -Number.MAX_SAFE_INTEGER) sums[entry] = sum;
      else {
        const added = BigInt(before === before ? before : 0) + BigInt(numberAt(this.#argument, row));
        this.#large.set(entry, (this.#large.get(entry) ?? 0n) + added);
        sums[entry] = 0;
      }
    }
  }

  column(order: Uint32Array): Column {
    return orderedNumbers(order, this.#sums, (entry) => {
      const large = this.#large.get(entry);
      return large === undefined ? undefined : large + BigInt(this.#sums.values[entry] as number);
    });
  }

  clear(): void {
    this.#sums.clear();
    this.#large.clear();
  }
}

class NumberExtreme implements PartState {
  readonly #argument: NumberColumn;
  readonly #least: boolean;
  readonly #best = new Doubles(NaN);
  /** By entry, the value where {@link BIG} stands for it. */
  #large = new Map<number, bigint>();

  constructor(argument: NumberColumn, least: boolean) {
    this.#argument = argument;
    this.#least = least;
  }

  get heldBytes(): number {
    return this.#best.values.byteLength + 64 * this.#large.size;
  }

  add(rows: Int32Array, entries: Int32Array, count: number, size: number): void {
    const best = this.#best.ensure(size);
    const { values } = this.#argument;
    const least = this.#least;
    for (let i = 0; i < count; i++) {
      const entry = entries[i] as number;
      const row = rows[i] as number;
      const value = values[row] as number;
      if (entry < 0 || value !== value) continue;
      const known = best[entry] as number;
      if (known === BIG || value === BIG) this.#addLarge(entry, row);
      else if (known !== known || (least ? value < known : value > known)) best[entry] = value;
    }
  }

  #addLarge(entry: number, row: number): void {
    const best = this.#best.values;
    const value = numberAt(this.#argument, row);
    const known = this.#large.get(entry) ?? (best[entry] as number);
    if (!Number.isNaN(known) && (this.#least ? value >= known : value <= known)) return;
    this.#large.delete(entry);
    if (typeof value === "number") best[entry] = value;
    else {
      best[entry] = BIG;
      this.#large.set(entry, value);
    }
  }

  column(order: Uint32Array): Column {
    return orderedNumbers(order, this.#best, (entry) => this.#large.get(entry));
  }

  clear(): void {
    this.#best.clear();
    this.#large.clear();
  }
}

class TextExtreme implements PartState {
  readonly #argument: TextColumn;
  readonly #least: boolean;
  #best = new Int32Array(0);

  constructor(argument: TextColumn, least: boolean) {
    this.#argument = argument;
    this.#least = least;
  }

  get heldBytes(): number {
    return this.#best.byteLength;
  }

  add(rows: Int32Array, entries: Int32Array, count: number, size: number): void {
    const before = this.#best.length;
    if (size > before) {
      this.#best = grown(this.#best, size, (length) => new Int32Array(length));
      this.#best.fill(NULL_CODE, before);
    }
    const { values, dictionary } = this.#argument;
    for (let i = 0; i < count; i++) {
      const entry = entries[i] as number;
      const code = values[rows[i] as number] as number;
      if (entry < 0 || code === NULL_CODE) continue;
      const known = this.#best[entry] as number;
      if (known === code) continue;
      if (known === NULL_CODE || dictionary.compare(code, known) < 0 === this.#least) this.#best[entry] = code;
    }
  }

  column(order: Uint32Array): Column {
    const best = this.#best;
    const codes = picked(best, order, new Int32Array(order.length));
    return { kind: "text", dictionary: this.#argument.dictionary, values: codes };
  }

  clear(): void {
    this.#best = new Int32Array(0);
  }
}

function orderedNumbers(order: Uint32Array, numbers: Doubles, large: (entry: number) => bigint | undefined): Column {
  const values = numbers.ordered(order);
  const bigs = new Map<number, bigint>();
  for (const [i, entry] of order.entries()) {
    const value = large(entry);
    if (value === undefined) continue;
    const number = Number(value);
    if (Number.isSafeInteger(number)) values[i] = number;
    else {
      values[i] = BIG;
      bigs.set(i, value);
    }
  }
  return { kind: "number", values, bigs };
}
