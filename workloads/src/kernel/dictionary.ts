/** Distinct texts with a number each: a column of texts is then a column of small integers. */
import type { ScanMemory } from "./scan-memory.ts";

/** Code of NULL in every column of codes. */
export const NULL_CODE = -1;

/** Words of a dictionary's block: see workloads/assembly/dictionary.ts. */
const HASHES_AND_SLOTS_BYTES = 16;
const Word = { Ends: 2, Bytes: 3, Size: 5, Capacity: 6, Used: 7, BytesCapacity: 8, Longest: 9 } as const;

/** Texts one after the other, apart from their dictionary. */
export interface Texts {
  readonly bytes: Buffer;
  /** Bytes of each text, -1 for NULL. */
  readonly lengths: Int32Array;
}

/** Texts are bytes of UTF-8. A code is the place of its text in the order in which they came. */
export class Dictionary {
  /** Its block in the scanner's memory. */
  readonly pointer: number;
  readonly #memory: ScanMemory;

  constructor(memory: ScanMemory) {
    this.#memory = memory;
    this.pointer = memory.exports.makeDictionary();
    memory.settle();
  }

  /** Number of texts. */
  get size(): number {
    return this.#word(Word.Size);
  }

  /** Bytes of all texts. */
  get textBytes(): number {
    return this.#word(Word.Used);
  }

  /** Bytes of memory that the dictionary holds. */
  get heldBytes(): number {
    return this.#word(Word.BytesCapacity) + HASHES_AND_SLOTS_BYTES * this.#word(Word.Capacity);
  }

  /** Bytes of the longest text. */
  get longest(): number {
    return this.#word(Word.Longest);
  }

  /** The code of a text, which is added when it is new. */
  code(text: string): number {
    return this.codeOf(Buffer.from(text));
  }

  /** The same of a text's bytes. */
  codeOf(bytes: Uint8Array): number {
    const from = this.#memory.putText(bytes);
    const code = this.#memory.exports.code(this.pointer, from, from + bytes.length);
    this.#memory.settle();
    return code;
  }

  /** Bytes that the text of a code has. */
  length(code: number): number {
    const ends = this.#word(Word.Ends) >>> 2;
    const { words } = this.#memory;
    return (words[ends + code + 1] as number) - (words[ends + code] as number);
  }

  text(code: number): string {
    return this.#view(code).toString("utf8");
  }

  /** Bytewise: negative when the first text is before the second. */
  compare(one: number, other: number): number {
    return Buffer.compare(this.#view(one), this.#view(other));
  }

  /** First six bytes of each text as a number that orders like them: most comparisons end there. */
  prefixes(): Float64Array {
    const { bytes, words } = this.#memory;
    const [start, ends] = [this.#word(Word.Bytes), this.#word(Word.Ends) >>> 2];
    const prefixes = new Float64Array(this.size);
    for (let code = 0; code < prefixes.length; code++) {
      const from = start + (words[ends + code] as number);
      const end = start + (words[ends + code + 1] as number);
      let prefix = 0;
      for (let at = from; at < from + 6; at++) prefix = prefix * 256 + (at < end ? (bytes[at] as number) : 0);
      prefixes[code] = prefix;
    }
    return prefixes;
  }

  /** The texts of codes, with NULL for NULL_CODE. */
  gather(codes: Int32Array): Texts {
    const { bytes, words } = this.#memory;
    const [start, ends] = [this.#word(Word.Bytes), this.#word(Word.Ends) >>> 2];
    const lengths = new Int32Array(codes.length);
    let total = 0;
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i] as number;
      const length = code === NULL_CODE ? -1 : (words[ends + code + 1] as number) - (words[ends + code] as number);
      lengths[i] = length;
      if (length > 0) total += length;
    }
    const gathered = Buffer.allocUnsafeSlow(total);
    let to = 0;
    for (let i = 0; i < codes.length; i++) {
      const length = lengths[i] as number;
      if (length <= 0) continue;
      let from = start + (words[ends + (codes[i] as number)] as number);
      for (const end = to + length; to < end; to++, from++) gathered[to] = bytes[from] as number;
    }
    return { bytes: gathered, lengths };
  }

  /** The texts from a code on, with a NUL between them, which no text holds. */
  joined(from: number): Buffer {
    const texts = Array.from({ length: Math.max(0, this.size - from) }, (_, i) => this.#view(from + i));
    return Buffer.concat(texts.flatMap((text, i) => (i === 0 ? [text] : [NUL, text])));
  }

  /** Gives its memory back: neither it nor columns that were made with it have a meaning any more. */
  free(): void {
    this.#memory.exports.freeDictionary(this.pointer);
  }

  #view(code: number): Buffer {
    const { bytes, words } = this.#memory;
    const ends = this.#word(Word.Ends) >>> 2;
    const start = this.#word(Word.Bytes) + (words[ends + code] as number);
    return Buffer.from(bytes.buffer as ArrayBuffer, start, this.length(code));
  }

  #word(index: number): number {
    return this.#memory.words[(this.pointer >>> 2) + index] as number;
  }
}

const NUL = Buffer.alloc(1);
