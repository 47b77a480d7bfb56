/** Finds the row of a delta that each event belongs to: one for each window and group. */
import { BIG, type Column, numberAt, type NumberColumn, type TextColumn } from "./columns.ts";
import { NULL_CODE } from "./dictionary.ts";
import { grown, picked } from "./arrays.ts";

/** Windows are whole multiples of `advance`; one of `size` begins at each. Milliseconds. */
export interface GroupingWindow {
  readonly size: number;
  readonly advance: number;
}

const FIRST_ENTRIES = 1024;
/** A multiplier that spreads low bits: 2^32 over the golden ratio. */
const SPREAD = 0x9e3779b1 | 0;

export class Grouping {
  readonly window: GroupingWindow;
  readonly #keys: readonly Key[];
  /** By entry: start of its window, and code of each group. */
  #windows = new Float64Array(FIRST_ENTRIES);
  #codes: Int32Array[];
  #hashes = new Int32Array(FIRST_ENTRIES);
  #slots = new Int32Array(2 * FIRST_ENTRIES).fill(-1);
  #size = 0;

  constructor(window: GroupingWindow, groups: readonly Column[]) {
    this.window = window;
    this.#keys = groups.map((column) => (column.kind === "text" ? new TextKey(column) : new NumberKey(column)));
    this.#codes = groups.map(() => new Int32Array(FIRST_ENTRIES));
  }

  /** Number of windows and groups that were seen. */
  get size(): number {
    return this.#size;
  }

  get heldBytes(): number {
    return (
      this.#windows.length * (20 + 4 * this.#codes.length) +
      this.#keys.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
    );
  }

  /** How many windows hold an event at most. */
  get overlapping(): number {
    return Math.ceil(this.window.size / this.window.advance);
  }

  /**
   * Finds the entries of events, and adds those that are new.
   *
   * @param rows of the events @param count how many of them
   * @param back 0 for the last window that holds an event, 1 for the one before it …
   * @param entries gets the entry of each row of `rows`, -1 where that window does not hold the event or is not kept
   * @param floor windows that end at or before it are not kept
   */
  find(
    rows: Int32Array,
    count: number,
    timeMs: Float64Array,
    back: number,
    entries: Int32Array,
    floor = -Infinity,
  ): void {
    const { size, advance } = this.window;
    const [first, second] = this.#keys.map((key) => key.codes(rows, count));
    const more = this.#keys.slice(2).map((key) => key.codes(rows, count));
    const partial = back * advance + advance > size;
    // The window of the event before: most events of a batch share it.
    let [from, to, start, windowHash] = [Infinity, -Infinity, 0, 0];
    for (let i = 0; i < count; i++) {
      const time = timeMs[rows[i] as number] as number;
      if (!(time >= from && time < to)) {
        from = Math.floor(time / advance) * advance;
        to = from + advance;
        start = from - back * advance;
        windowHash = Math.imul((start / advance) | 0, SPREAD);
      }
      if ((partial && time >= start + size) || start + size <= floor) {
        entries[i] = -1;
        continue;
      }
      let hash = windowHash;
      if (first !== undefined) hash = Math.imul(hash ^ (first[i] as number), SPREAD);
      if (second !== undefined) hash = Math.imul(hash ^ (hash >>> 15) ^ (second[i] as number), SPREAD);
      for (const codes of more) hash = Math.imul(hash ^ (hash >>> 15) ^ (codes[i] as number), SPREAD);
      hash ^= hash >>> 15;
      entries[i] = this.#entry(hash, start, i, first, second, more);
    }
  }

  /** Starts of the entries' windows, in milliseconds since 1970. */
  windowStarts(order: Uint32Array): Float64Array {
    return picked(this.#windows, order, new Float64Array(order.length));
  }

  /** Whether two entries are of one group. */
  sameGroup(a: number, b: number): boolean {
    return this.#codes.every((codes) => codes[a] === codes[b]);
  }

  /** The entries bytewise by groups and then by window, NULL first. */
  sorted(): Uint32Array {
    const count = this.#size;
    const ranks = this.#keys.map((key, index) => key.ranks((this.#codes[index] as Int32Array).subarray(0, count)));
    return sortedBy([...ranks, rankNumbers(this.#windows.subarray(0, count))], count);
  }

  /** Group columns of the entries, in the given order. */
  groups(order: Uint32Array): Column[] {
    return this.#keys.map((key, index) => {
      const codes = this.#codes[index] as Int32Array;
      return key.column(picked(codes, order, new Int32Array(order.length)));
    });
  }

  /** Forgets all entries. */
  clear(): void {
    this.#size = 0;
    if (this.#windows.length > 64 * FIRST_ENTRIES) {
      this.#windows = new Float64Array(FIRST_ENTRIES);
      this.#hashes = new Int32Array(FIRST_ENTRIES);
      this.#codes = this.#codes.map(() => new Int32Array(FIRST_ENTRIES));
      this.#slots = new Int32Array(2 * FIRST_ENTRIES);
    }
    this.#slots.fill(-1);
    for (const key of this.#keys) key.clear();
  }

  #entry(
    hash: number,
    start: number,
    i: number,
    first: Int32Array | undefined,
    second: Int32Array | undefined,
    more: readonly Int32Array[],
  ): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const [firstCodes, secondCodes] = this.#codes;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number;
      if (entry < 0) return this.#add(hash, start, i, [first, second, ...more]);
      if (
        this.#hashes[entry] === hash &&
        this.#windows[entry] === start &&
        (first === undefined || (firstCodes as Int32Array)[entry] === first[i]) &&
        (second === undefined || (secondCodes as Int32Array)[entry] === second[i]) &&
        (more.length === 0 || more.every((codes, index) => (this.#codes[index + 2] as Int32Array)[entry] === codes[i]))
      )
        return entry;
    }
  }

  #add(hash: number, start: number, i: number, keys: readonly (Int32Array | undefined)[]): number {
    const entry = this.#size++;
    if (entry === this.#windows.length) this.#grow();
    this.#windows[entry] = start;
    this.#hashes[entry] = hash;
    for (const [index, codes] of this.#codes.entries()) codes[entry] = keys[index]?.[i] ?? NULL_CODE;
    this.#place(hash, entry);
    return entry;
  }

  #grow(): void {
    const entries = 2 * this.#windows.length;
    this.#windows = grown(this.#windows, entries, (length) => new Float64Array(length));
    this.#hashes = grown(this.#hashes, entries, (length) => new Int32Array(length));
    this.#codes = this.#codes.map((codes) => grown(codes, entries, (length) => new Int32Array(length)));
    this.#slots = new Int32Array(2 * entries).fill(-1);
    for (let entry = 0; entry < this.#size - 1; entry++) this.#place(this.#hashes[entry] as number, entry);
  }

  #place(hash: number, entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry;
  }
}

/** A group column as codes, whatever it holds. */
interface Key {
  readonly heldBytes: number;
  /** Codes of the rows, NULL_CODE for NULL; they hold until the next call. */
  codes(rows: Int32Array, count: number): Int32Array;
  /** Places of the codes' values in their order, NULL's before all. */
  ranks(codes: Int32Array): Float64Array;
  column(codes: Int32Array): Column;
  clear(): void;
}

class TextKey implements Key {
  readonly heldBytes = 0;
  readonly #column: TextColumn;
  #codes = new Int32Array(0);

  constructor(column: TextColumn) {
    this.#column = column;
  }

  codes(rows: Int32Array, count: number): Int32Array {
    if (this.#codes.length < count) this.#codes = new Int32Array(rows.length);
    const { values } = this.#column;
    for (let i = 0; i < count; i++) this.#codes[i] = values[rows[i] as number] as number;
    return this.#codes;
  }

  ranks(codes: Int32Array): Float64Array {
    const { dictionary } = this.#column;
    const used = new Uint8Array(dictionary.size);
    for (const code of codes) if (code >= 0) used[code] = 1;
    let count = 0;
    const present = new Uint32Array(dictionary.size);
    for (let code = 0; code < used.length; code++) if (used[code] === 1) present[count++] = code;
    const prefixes = dictionary.prefixes();
    const byText = (a: number, b: number) =>
      (prefixes[a] as number) - (prefixes[b] as number) || dictionary.compare(a, b);
    return ranksOf(codes, present.subarray(0, count).sort(byText), used.length);
  }

  column(codes: Int32Array): Column {
    return { kind: "text", dictionary: this.#column.dictionary, values: codes };
  }

  clear(): void {
    // The dictionary is its column's.
  }
}

class NumberKey implements Key {
  readonly #column: NumberColumn;
  #codeOf = new Map<number | bigint, number>();
  #values: (number | bigint)[] = [];
  #codes = new Int32Array(0);

  constructor(column: NumberColumn) {
    this.#column = column;
  }

  get heldBytes(): number {
    return 64 * this.#values.length;
  }

  codes(rows: Int32Array, count: number): Int32Array {
    if (this.#codes.length < count) this.#codes = new Int32Array(rows.length);
    const { values } = this.#column;
    for (let i = 0; i < count; i++) {
      const row = rows[i] as number;
      const value = values[row] as number;
      this.#codes[i] = Number.isNaN(value) ? NULL_CODE : this.#code(numberAt(this.#column, row));
    }
    return this.#codes;
  }

  ranks(codes: Int32Array): Float64Array {
    const values = this.#values;
    const present = Uint32Array.from(new Set(codes)).filter((code) => code < values.length);
    present.sort((a, b) => {
      const [one, other] = [values[a] as number | bigint, values[b] as number | bigint];
      return one < other ? -1 : one > other ? 1 : 0;
    });
    return ranksOf(codes, present, values.length);
  }

  column(codes: Int32Array): Column {
    const bigs = new Map<number, bigint>();
    const values = Float64Array.from(codes, (code, i) => {
      const value = code < 0 ? NaN : (this.#values[code] as number | bigint);
      if (typeof value === "number") return value;
      bigs.set(i, value);
      return BIG;
    });
    return { kind: "number", values, bigs };
  }

  clear(): void {
    this.#codeOf.clear();
    this.#values = [];
  }

  #code(value: number | bigint): number {
    // 0 and -0 are one group.
    const known = this.#codeOf.get(value);
    if (known !== undefined) return known;
    const code = this.#values.push(value) - 1;
    this.#codeOf.set(value, code);
    return code;
  }
}

/** @param present codes in the order of their values @param size of all codes */
function ranksOf(codes: Int32Array, present: Uint32Array, size: number): Float64Array {
  const rankOf = new Float64Array(size);
  for (let rank = 0; rank < present.length; rank++) rankOf[present[rank] as number] = rank + 1;
  const ranks = new Float64Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    ranks[i] = code < 0 ? 0 : (rankOf[code] as number);
  }
  return ranks;
}

/** Places of numbers among the distinct ones. */
function rankNumbers(numbers: Float64Array): Float64Array {
  const distinct = new Set<number>();
  for (let i = 0; i < numbers.length; i++) distinct.add(numbers[i] as number);
  const rankOf = new Map([...distinct].sort((a, b) => a - b).map((number, rank) => [number, rank]));
  const ranks = new Float64Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) ranks[i] = rankOf.get(numbers[i] as number) ?? 0;
  return ranks;
}

/** Entries 0 to count - 1 in the order of their ranks, the first of them first. */
function sortedBy(ranks: readonly Float64Array[], count: number): Uint32Array {
  const order = new Uint32Array(count);
  // Where all ranks and the entry fit into one whole number, numbers are sorted, which costs a fifth of comparing entries.
  const keys = new Float64Array(count);
  let span = 1;
  for (const rank of ranks) {
    let most = 0;
    for (let entry = 0; entry < count; entry++) {
      const value = rank[entry] as number;
      if (value > most) most = value;
    }
    for (let entry = 0; entry < count; entry++)
      keys[entry] = (keys[entry] as number) * (most + 1) + (rank[entry] as number);
    span *= most + 1;
  }
  if (span * count <= Number.MAX_SAFE_INTEGER) {
    for (let entry = 0; entry < count; entry++) keys[entry] = (keys[entry] as number) * count + entry;
    keys.sort();
    for (let i = 0; i < count; i++) order[i] = (keys[i] as number) % count;
    return order;
  }
  for (let entry = 0; entry < count; entry++) order[entry] = entry;
  return order.sort((a, b) => {
    for (const rank of ranks) {
      const difference = (rank[a] as number) - (rank[b] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  });
}
