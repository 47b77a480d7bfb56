/**
 * A strict reader of JSON (RFC 8259) that says where values are and makes none: numbers keep their digits, texts their
 * escapes. Of a key that an object has several times the last one counts, as it does for JSON.parse and for jsonb.
 */
import { isUtf8 } from "node:buffer";
import type { JsonPath } from "@caudal/crds";
import { type Finding, finding } from "../sql/bad-rows.ts";

/** Objects and arrays inside one another. */
export const MAX_DEPTH = 1000;

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const SPACE = 0x20;
const LOWER_E = 0x65;
const LOWER_U = 0x75;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;
const WORDS = ["true", "false", "null"].map((word) => Buffer.from(word));
/** What may follow a backslash, but for u. */
const ESCAPED = new Set(Buffer.from('"\\/bfnrt'));

const FAILED = -1;
/** Keys that are looked through one by one. */
const FEW_KEYS = 8;

/** A value that is looked for, or one that holds it. */
interface Wanted {
  /** Places of the paths that end here. */
  readonly paths: number[];
  /** By name, as Latin-1 of its UTF-8. */
  readonly members: Map<string, Wanted>;
  readonly elements: Map<number, Wanted>;
  /** Places of the paths that begin with this one. */
  readonly below: number[];
}

export class JsonReader {
  /** By place of the path, where its value begins and ends among the bytes; -1 where the record has none. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly #root: Wanted = newWanted();
  #bytes: Buffer = Buffer.alloc(0);
  #base = 0;
  #repeats = false;
  #halfPair = false;
  #failure = "";

  /** @param paths of values: `["user", "ids", 0]` is 7 in `{"user":{"ids":[7]}}` */
  constructor(paths: readonly JsonPath[]) {
    this.starts = new Int32Array(paths.length);
    this.ends = new Int32Array(paths.length);
    for (const [place, path] of paths.entries()) {
      let wanted = this.#root;
      for (const step of path) {
        wanted = typeof step === "number" ? below(wanted.elements, step) : below(wanted.members, latin1(step));
        wanted.below.push(place);
      }
      wanted.paths.push(place);
    }
  }

  /** Whether an object of the record that was read last, at any depth, has a key more than once. */
  get repeats(): boolean {
    return this.#repeats;
  }

  /**
   * Reads the record in bytes [from, to).
   *
   * @returns why it is no JSON object; undefined where it is one, and {@link starts} and {@link ends} hold its values
   */
  read(bytes: Buffer, from: number, to: number): Finding | undefined {
    const value = bytes.subarray(from, to);
    if (value.length === 0) return finding("EmptyValue", "the value is empty");
    if (!isUtf8(value)) return finding("InvalidText", "the value is not UTF-8");
    if (BYTE_ORDER_MARK.every((byte, at) => value[at] === byte))
      return finding("MalformedJson", "it begins with U+FEFF, a byte order mark, which JSON does not have");
    this.#bytes = value;
    this.#base = from;
    this.#repeats = this.#halfPair = false;
    this.starts.fill(-1);
    this.ends.fill(-1);
    const start = this.#endOfSpace(0);
    const end = this.#value(start, 1, this.#root);
    const last = end === FAILED ? FAILED : this.#endOfSpace(end);
    if (last === FAILED) return finding("MalformedJson", this.#failure);
    if (last < value.length)
      return finding("MalformedJson", `it is no JSON: something follows its end at byte ${last}`);
    if (value[start] !== OPEN) return finding("NotAnObject", `the value is ${kindOf(value[start])}, not an object`);
    if (this.#halfPair) return finding("InvalidText", "a text holds half of a surrogate pair");
    return undefined;
  }

  /** @param depth of an object or array that begins here @param wanted what is looked for in it @returns behind it */
  #value(at: number, depth: number, wanted: Wanted | undefined): number {
    const first = this.#bytes[at];
    if (first === QUOTE) return this.#text(at + 1);
    if (first === OPEN || first === OPEN_LIST) {
      if (depth > MAX_DEPTH)
        return this.#fail(at, `has more than ${MAX_DEPTH} objects and arrays inside one another`, "it");
      return first === OPEN ? this.#object(at + 1, depth, wanted) : this.#list(at + 1, depth, wanted);
    }
    if (first === MINUS || isDigit(first)) return this.#number(at);
    for (const word of WORDS) if (this.#isWord(at, word)) return at + word.length;
    return this.#fail(at, first === undefined ? "it ends where a value is expected" : "no value");
  }

  #object(start: number, depth: number, wanted: Wanted | undefined): number {
    let at = this.#endOfSpace(start);
    if (this.#bytes[at] === CLOSE) return at + 1;
    const keys = new Keys();
    for (;;) {
      if (this.#bytes[at] !== QUOTE) return this.#fail(at, "a key in double quotes is expected");
      const keyEnd = this.#text(at + 1);
      if (keyEnd === FAILED) return FAILED;
      const key = this.#key(at + 1, keyEnd - 1);
      if (!keys.add(key)) this.#repeats = true;
      at = this.#endOfSpace(keyEnd);
      if (this.#bytes[at] !== COLON) return this.#fail(at, "a colon is expected");
      at = this.#endOfSpace(at + 1);
      const member = wanted?.members.get(key);
      if (member !== undefined) this.#forget(member);
      const end = this.#value(at, depth + 1, member);
      if (end === FAILED) return FAILED;
      if (member !== undefined) this.#keep(member, at, end);
      at = this.#endOfSpace(end);
      const next = this.#bytes[at];
      if (next === CLOSE) return at + 1;
      if (next !== COMMA) return this.#fail(at, "a comma or } is expected");
      at = this.#endOfSpace(at + 1);
    }
  }

  #list(start: number, depth: number, wanted: Wanted | undefined): number {
    let at = this.#endOfSpace(start);
    if (this.#bytes[at] === CLOSE_LIST) return at + 1;
    for (let count = 0; ; count++) {
      const element = wanted?.elements.get(count);
      const end = this.#value(at, depth + 1, element);
      if (end === FAILED) return FAILED;
      if (element !== undefined) this.#keep(element, at, end);
      at = this.#endOfSpace(end);
      const next = this.#bytes[at];
      if (next === CLOSE_LIST) return at + 1;
      if (next !== COMMA) return this.#fail(at, "a comma or ] is expected");
      at = this.#endOfSpace(at + 1);
    }
  }

  #keep({ paths }: Wanted, from: number, to: number): void {
    for (const place of paths) {
      this.starts[place] = this.#base + from;
      this.ends[place] = this.#base + to;
    }
  }

  /** What an earlier one of the same key held is not the record's. */
  #forget({ below }: Wanted): void {
    for (const place of below) this.starts[place] = this.ends[place] = -1;
  }

  /** @param start behind the opening quote @returns behind the closing one */
  #text(start: number): number {
    const bytes = this.#bytes;
    for (let at = start; ; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) return at + 1;
      if (byte === undefined) return this.#fail(at, "a text is not ended");
      if (byte < SPACE) return this.#fail(at, "a control character in a text is not escaped");
      if (byte === BACKSLASH) {
        at = this.#escape(at + 1);
        if (at === FAILED) return FAILED;
      }
    }
  }

  /** @param at behind the backslash @returns the escape's last byte */
  #escape(at: number): number {
    const byte = this.#bytes[at];
    if (byte !== LOWER_U) return byte !== undefined && ESCAPED.has(byte) ? at : this.#fail(at, "no escape of JSON's");
    const unit = this.#unit(at + 1);
    if (unit === FAILED) return this.#fail(at, "four hexadecimal digits are expected");
    if (unit < 0xd800 || unit > 0xdfff) return at + 4;
    const isPair = unit < 0xdc00 && this.#bytes[at + 5] === BACKSLASH && this.#bytes[at + 6] === LOWER_U;
    const low = isPair ? this.#unit(at + 7) : FAILED;
    if (low >= 0xdc00 && low <= 0xdfff) return at + 10;
    this.#halfPair = true;
    return at + 4;
  }

  /** The number of four hexadecimal digits. */
  #unit(at: number): number {
    let unit = 0;
    for (let place = at; place < at + 4; place++) {
      const digit = hexDigit(this.#bytes[place]);
      if (digit === FAILED) return FAILED;
      unit = unit * 16 + digit;
    }
    return unit;
  }

  #number(start: number): number {
    let at = this.#bytes[start] === MINUS ? start + 1 : start;
    const first = this.#bytes[at];
    if (!isDigit(first)) return this.#fail(at, "a digit is expected");
    at = first === ZERO ? at + 1 : this.#endOfDigits(at);
    if (isDigit(this.#bytes[at])) return this.#fail(start, "a number begins with 0");
    if (this.#bytes[at] === POINT) {
      if (!isDigit(this.#bytes[++at])) return this.#fail(at, "a digit is expected");
      at = this.#endOfDigits(at);
    }
    // The bit that capital letters lack.
    if (((this.#bytes[at] ?? 0) | 0x20) === LOWER_E) {
      const sign = this.#bytes[++at];
      if (sign === PLUS || sign === MINUS) at++;
      if (!isDigit(this.#bytes[at])) return this.#fail(at, "a digit is expected");
      at = this.#endOfDigits(at);
    }
    return at;
  }

  #endOfDigits(from: number): number {
    let at = from;
    while (isDigit(this.#bytes[at])) at++;
    return at;
  }

  #endOfSpace(from: number): number {
    const bytes = this.#bytes;
    let at = from;
    for (let byte = bytes[at]; byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[++at]);
    return at;
  }

  #isWord(at: number, word: Buffer): boolean {
    for (let i = 0; i < word.length; i++) if (this.#bytes[at + i] !== word[i]) return false;
    return true;
  }

  #key(from: number, to: number): string {
    const key = this.#bytes.toString("latin1", from, to);
    if (!key.includes("\\")) return key;
    return Buffer.from(JSON.parse(this.#bytes.toString("utf8", from - 1, to + 1)) as string).toString("latin1");
  }

  #fail(at: number, what: string, subject = "it is no JSON:"): number {
    this.#failure = `${subject} ${what} at byte ${at}`;
    return FAILED;
  }
}

function newWanted(): Wanted {
  return { paths: [], members: new Map(), elements: new Map(), below: [] };
}

function below<Step>(steps: Map<Step, Wanted>, step: Step): Wanted {
  const wanted = steps.get(step) ?? newWanted();
  steps.set(step, wanted);
  return wanted;
}

function latin1(name: string): string {
  return Buffer.from(name).toString("latin1");
}

/** Keys of one object. */
class Keys {
  readonly #few: string[] = [];
  #many: Set<string> | undefined;

  /** @returns false where it is among them */
  add(key: string): boolean {
    if (this.#many === undefined && this.#few.length < FEW_KEYS) {
      if (this.#few.includes(key)) return false;
      this.#few.push(key);
      return true;
    }
    this.#many ??= new Set(this.#few);
    const before = this.#many.size;
    return this.#many.add(key).size > before;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9;
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return FAILED;
  if (isDigit(byte)) return byte - ZERO;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : FAILED;
}

function kindOf(first: number | undefined): string {
  switch (first) {
    case OPEN_LIST:
      return "an array";
    case QUOTE:
      return "a string";
    case 0x6e:
      return "null";
    case 0x74:
    case 0x66:
      return "a boolean";
    default:
      return "a number";
  }
}
