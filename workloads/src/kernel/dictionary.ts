/** Distinct texts with a number each: a column of texts is then a column of small integers. */

const FIRST_ENTRIES = 1024;
const FIRST_BYTES = 16 * 1024;
const FNV_BASIS = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

const NUL = new Uint8Array(1);

/** Code of NULL in every column of codes. */
export const NULL_CODE = -1;

/** Texts are bytes of UTF-8. A code is the place of its text in the order in which they came. */
export class Dictionary {
  #bytes = new Uint8Array(FIRST_BYTES);
  #ends = new Uint32Array(FIRST_ENTRIES);
  #hashes = new Int32Array(FIRST_ENTRIES);
  /** Open addressing, half full at most. */
  #slots = new Int32Array(2 * FIRST_ENTRIES).fill(-1);
  #size = 0;
  #used = 0;
  #longest = 0;

  /** Number of texts. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of all texts. */
  get textBytes(): number {
    return this.#used;
  }

  /** Bytes of memory that the dictionary holds. */
  get heldBytes(): number {
    return this.#bytes.length + 16 * this.#ends.length;
  }

  /** Bytes of the longest text. */
  get longest(): number {
    return this.#longest;
  }

  /** The code of source[from, to), which is copied when it is new. */
  code(source: Uint8Array, from: number, to: number): number {
    let hash = FNV_BASIS;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ (source[at] as number), FNV_PRIME);
    // The low bits alone choose the slot: let the high ones have a say.
    hash ^= hash >>> 15;
    const length = to - from;
    const [slots, hashes, ends, bytes] = [this.#slots, this.#hashes, this.#ends, this.#bytes];
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const code = slots[slot] as number;
      if (code < 0) return this.#add(hash, source, from, to);
      if (hashes[code] !== hash) continue;
      const start = code === 0 ? 0 : (ends[code - 1] as number);
      if ((ends[code] as number) - start !== length) continue;
      let same = 0;
      while (same < length && bytes[start + same] === source[from + same]) same++;
      if (same === length) return code;
    }
  }

  /** The code of a text. */
  codeOf(text: string): number {
    const bytes = Buffer.from(text);
    return this.code(bytes, 0, bytes.length);
  }

  /** Bytes of a text, as a view that holds until the next one is added. */
  bytes(code: number): Uint8Array {
    return this.#bytes.subarray(this.start(code), this.#ends[code]);
  }

  /** Bytes that the text of a code has. */
  length(code: number): number {
    return (this.#ends[code] ?? 0) - this.start(code);
  }

  /** Writes a text's bytes into `target` from `at` on. */
  copy(code: number, target: Uint8Array, at: number): void {
    const bytes = this.#bytes;
    const end = this.#ends[code] ?? 0;
    for (let from = this.start(code), to = at; from < end; from++, to++) target[to] = bytes[from] as number;
  }

  text(code: number): string {
    return Buffer.from(this.bytes(code)).toString("utf8");
  }

  /** Bytewise: negative when the first text is before the second. */
  compare(one: number, other: number): number {
    return Buffer.compare(this.bytes(one), this.bytes(other));
  }

  /** A text's first six bytes as a number that orders like them: most comparisons end there. */
  prefix(code: number): number {
    const [start, end] = [this.start(code), this.#ends[code] ?? 0];
    let prefix = 0;
    for (let at = start; at < start + 6; at++) prefix = prefix * 256 + (at < end ? (this.#bytes[at] as number) : 0);
    return prefix;
  }

  start(code: number): number {
    return code === 0 ? 0 : (this.#ends[code - 1] ?? 0);
  }

  /** The texts from a code on, with a NUL between them, which no text holds. */
  joined(from: number): Buffer {
    const texts = Array.from({ length: Math.max(0, this.#size - from) }, (_, i) => this.bytes(from + i));
    return Buffer.concat(texts.flatMap((text, i) => (i === 0 ? [text] : [NUL, text])));
  }

  #add(hash: number, source: Uint8Array, from: number, to: number): number {
    const code = this.#size;
    if (code === this.#ends.length) this.#grow();
    const end = this.#used + to - from;
    if (end > this.#bytes.length) this.#bytes = grown(this.#bytes, end, (length) => new Uint8Array(length));
    this.#bytes.set(source.subarray(from, to), this.#used);
    this.#ends[code] = this.#used = end;
    this.#hashes[code] = hash;
    this.#longest = Math.max(this.#longest, to - from);
    this.#size++;
    this.#place(hash, code);
    return code;
  }

  #grow(): void {
    const entries = 2 * this.#ends.length;
    this.#ends = grown(this.#ends, entries, (length) => new Uint32Array(length));
    this.#hashes = grown(this.#hashes, entries, (length) => new Int32Array(length));
    this.#slots = new Int32Array(2 * entries).fill(-1);
    for (let code = 0; code < this.#size; code++) this.#place(this.#hashes[code] as number, code);
  }

  #place(hash: number, code: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & mask;
    this.#slots[slot] = code;
  }
}

type Numbers = Uint8Array | Uint32Array | Int32Array | Float64Array;

/** A longer copy: at least `atLeast`, and twice as long as before. */
export function grown<T extends Numbers>(array: T, atLeast: number, make: (length: number) => T): T {
  const longer = make(Math.max(2 * array.length, atLeast));
  longer.set(array);
  return longer;
}
