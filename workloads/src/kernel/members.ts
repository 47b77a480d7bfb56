/** Where the members of a JSON object are. Only for values that are known to be valid JSON with an object as its root. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const CLOSE = 0x7d;
const CLOSE_LIST = 0x5d;
const OPEN = 0x7b;
const OPEN_LIST = 0x5b;
const SPACE = 0x20;

export class Members {
  /** By name, where its value begins and ends; -1 where the object lacks it. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly #names: readonly Buffer[];
  readonly #texts: readonly string[];

  /** @param names of the members that are looked for */
  constructor(names: readonly string[]) {
    this.#texts = names;
    this.#names = names.map((name) => Buffer.from(name));
    this.starts = new Int32Array(names.length);
    this.ends = new Int32Array(names.length);
  }

  /** Finds them in bytes [from, to). */
  find(bytes: Uint8Array, from: number, to: number): void {
    this.starts.fill(-1);
    this.ends.fill(-1);
    let at = from;
    while (bytes[at] !== OPEN) at++;
    at = endOfSpace(bytes, at + 1);
    for (let next = 0, left = this.starts.length; left > 0 && at < to && bytes[at] !== CLOSE;) {
      const key = at + 1;
      const keyEnd = endOfText(bytes, key);
      const index = this.#indexOf(bytes, key, keyEnd, next);
      at = endOfSpace(bytes, keyEnd + 1) + 1; // behind the colon
      at = endOfSpace(bytes, at);
      const end = endOfValue(bytes, at);
      if (index >= 0) {
        this.starts[index] = at;
        this.ends[index] = end;
        next = index + 1;
        left--;
      }
      at = endOfSpace(bytes, end);
      if (bytes[at] === COMMA) at = endOfSpace(bytes, at + 1);
    }
  }

  /** @param guess the name that comes next where members stand in order */
  #indexOf(bytes: Uint8Array, from: number, to: number, guess: number): number {
    if (this.#is(guess, bytes, from, to)) return guess;
    for (let index = 0; index < this.#names.length; index++) if (this.#is(index, bytes, from, to)) return index;
    for (let at = from; at < to; at++)
      if (bytes[at] === BACKSLASH) {
        const text = Buffer.from(bytes.buffer, bytes.byteOffset + from - 1, to - from + 2).toString("utf8");
        return this.#texts.indexOf(JSON.parse(text) as string);
      }
    return -1;
  }

  #is(index: number, bytes: Uint8Array, from: number, to: number): boolean {
    const name = this.#names[index];
    if (name?.length !== to - from) return false;
    for (let i = 0; i < name.length; i++) if (name[i] !== bytes[from + i]) return false;
    return true;
  }
}

function endOfSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while ((bytes[at] as number) <= SPACE) at++;
  return at;
}

/** @param at behind the opening quote @returns the place of the closing one */
function endOfText(bytes: Uint8Array, at: number): number {
  let place = at;
  for (let byte = bytes[place]; byte !== QUOTE; byte = bytes[place]) place += byte === BACKSLASH ? 2 : 1;
  return place;
}

function endOfValue(bytes: Uint8Array, from: number): number {
  const first = bytes[from];
  if (first === QUOTE) return endOfText(bytes, from + 1) + 1;
  if (first === OPEN || first === OPEN_LIST) return endOfNested(bytes, from);
  let at = from;
  for (let byte = bytes[at] as number; byte !== COMMA && byte !== CLOSE && byte !== CLOSE_LIST && byte > SPACE;)
    byte = bytes[++at] as number;
  return at;
}

function endOfNested(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let depth = 0; ; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfText(bytes, at + 1);
    else if (byte === OPEN || byte === OPEN_LIST) depth++;
    else if ((byte === CLOSE || byte === CLOSE_LIST) && --depth === 0) return at + 1;
  }
}
