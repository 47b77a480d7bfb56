/**
 * From the bytes of JSON to columns, without an object an event. The scanner only says yes: it takes a row when it is
 * certain what the strict reader would make of it, and leaves every other row to that one.
 */
import { isUtf8 } from "node:buffer";
import type { TopicConfig } from "@caudal/crds";
import { NULL_VALUE, type RecordBlock } from "../kafka/record-block.ts";
import { type Column, setNull } from "./columns.ts";
import { endOfSpace, endOfValue, isLowerHex, NOT_SURE, PLAIN } from "./json-scan.ts";
import { scanDate, scanTime } from "./time-scan.ts";

/** How a field's value is read. */
const Kind = {
  Text: 0,
  Uuid: 1,
  Boolean: 2,
  Integer: 3,
  Double: 4,
  Decimal: 5,
  Timestamp: 6,
  Date: 7,
  Other: 8,
} as const;

const KINDS: Readonly<Record<string, number>> = {
  string: Kind.Text,
  uuid: Kind.Uuid,
  boolean: Kind.Boolean,
  integer: Kind.Integer,
  bigint: Kind.Integer,
  double: Kind.Double,
  timestamp: Kind.Timestamp,
  date: Kind.Date,
  json: Kind.Other,
};

/** Digits that a double holds exactly, whatever they are. */
const EXACT_DIGITS = 15;
const POWERS = Array.from({ length: EXACT_DIGITS + 8 }, (_, power) => Number(`1e${power}`));
/** Milliseconds whose microseconds a double holds exactly: until the year 2250, and as far before 1970. */
const MAX_TIME_MS = 8_800_000_000_000;
const INT32 = 2 ** 31;

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;

interface Field {
  readonly key: Uint8Array;
  readonly kind: number;
  readonly nullable: boolean;
  /** Where values go; undefined for a field that no SQL reads and that is only checked. */
  readonly column: Column | undefined;
  readonly digits: number;
  readonly scale: number;
}

export class Scanner {
  readonly #fields: readonly Field[];
  /** By field, the last row in which it was seen. */
  readonly #seenIn: Int32Array;
  readonly #namesInLowerCase: ReadonlySet<string>;
  readonly #timeField: number;
  readonly #timeMs: Float64Array;
  #stamp = 0;

  /**
   * @param columns by field name, for those that SQL reads
   * @param timeMs gets the event times where a field holds them: whole milliseconds, downwards
   */
  constructor(topic: TopicConfig, columns: ReadonlyMap<string, Column>, timeMs: Float64Array) {
    this.#fields = topic.fields.map(({ name, type, nullable }) => {
      const [, precision = "0", scale = "0"] = /^decimal\((\d+),(\d+)\)$/.exec(type) ?? [];
      return {
        key: Buffer.from(name),
        kind: KINDS[type] ?? Kind.Decimal,
        nullable: nullable && name !== topic.timestamp,
        column: columns.get(name),
        digits: type === "integer" ? INT32 : Number(precision),
        scale: Number(scale),
      };
    });
    this.#seenIn = new Int32Array(topic.fields.length);
    this.#namesInLowerCase = new Set(topic.fields.map(({ name }) => name.toLowerCase()));
    this.#timeField = topic.fields.findIndex(({ name }) => name === topic.timestamp);
    this.#timeMs = timeMs;
  }

  /**
   * Reads rows [from, to) of the block into the columns, from row 0 on.
   *
   * @returns rows of the slice, counted from 0, that the strict reader has to decide; their elements hold anything
   */
  scan(block: RecordBlock, from: number, to: number): number[] {
    const { bytes, starts, ends } = block;
    const undecided: number[] = [];
    for (let row = from; row < to; row++) {
      const end = ends[row] as number;
      if (end === NULL_VALUE || !this.#scanRow(bytes, starts[row] as number, end, row - from))
        undecided.push(row - from);
    }
    return undecided;
  }

  #scanRow(bytes: Uint8Array, start: number, end: number, row: number): boolean {
    const fields = this.#fields;
    const stamp = ++this.#stamp;
    let at = start;
    if (bytes[at] !== OPEN) {
      at = endOfSpace(bytes, at);
      if (bytes[at] !== OPEN) return false;
    }
    at++;
    let seen = 0;
    let expected = 0;
    let next = COMMA;
    if (bytes[at] !== QUOTE && bytes[endOfSpace(bytes, at)] === CLOSE) {
      at = endOfSpace(bytes, at) + 1;
      next = CLOSE;
    }
    while (next === COMMA) {
      if (bytes[at] !== QUOTE) {
        at = endOfSpace(bytes, at);
        if (bytes[at] !== QUOTE) return false;
      }
      at++;
      let index = expected;
      let field = fields[index];
      if (field === undefined || !isKey(bytes, at, field.key)) {
        index = this.#findField(bytes, at);
        field = fields[index];
      }
      if (field === undefined) {
        at = this.#skipUnknown(bytes, at);
        if (at === NOT_SURE) return false;
      } else {
        if (this.#seenIn[index] === stamp) return false;
        this.#seenIn[index] = stamp;
        seen++;
        expected = index + 1;
        at += field.key.length + 1;
        if (bytes[at] !== COLON) at = endOfSpace(bytes, at);
        if (bytes[at++] !== COLON) return false;
        if (bytes[at] === SPACE) at++;
        at = this.#scanValue(bytes, at, row, field, index === this.#timeField);
        if (at === NOT_SURE) return false;
      }
      next = bytes[at] as number;
      if (next !== COMMA && next !== CLOSE) {
        at = endOfSpace(bytes, at);
        next = bytes[at] as number;
      }
      at++;
    }
    if (next !== CLOSE || (at !== end && endOfSpace(bytes, at) < end)) return false;
    return at <= end && (seen === fields.length || this.#fillMissing(row, stamp));
  }

  #fillMissing(row: number, stamp: number): boolean {
    for (const [index, { nullable, column }] of this.#fields.entries()) {
      if (this.#seenIn[index] === stamp) continue;
      if (!nullable) return false;
      if (column !== undefined) setNull(column, row);
    }
    return true;
  }

  #findField(bytes: Uint8Array, at: number): number {
    const fields = this.#fields;
    for (let index = 0; index < fields.length; index++)
      if (isKey(bytes, at, (fields[index] as Field).key)) return index;
    return -1;
  }

  /** @param at after the quote that opens the key @returns where its value ends */
  #skipUnknown(bytes: Uint8Array, at: number): number {
    let end = at;
    while (PLAIN[bytes[end] as number] === 1) end++;
    if (bytes[end] !== QUOTE) return NOT_SURE;
    // A name that differs in case alone, or is not ASCII: whether it is the same is not for us to say.
    const name = Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at)
      .toString("latin1")
      .toLowerCase();
    if (this.#namesInLowerCase.has(name)) return NOT_SURE;
    let value = endOfSpace(bytes, end + 1);
    if (bytes[value] !== COLON) return NOT_SURE;
    value = endOfSpace(bytes, value + 1);
    return endOfValue(bytes, value, 0);
  }

  /** @returns where the value ends */
  #scanValue(bytes: Uint8Array, at: number, row: number, field: Field, isTime: boolean): number {
    const first = bytes[at];
    const { column } = field;
    if (first === 0x6e) {
      // null
      if (!field.nullable || !isWord(bytes, at, 0x6e, 0x75, 0x6c, 0x6c)) return NOT_SURE;
      if (column !== undefined) setNull(column, row);
      return at + 4;
    }
    switch (field.kind) {
      case Kind.Text:
        return scanText(bytes, at, row, column);
      case Kind.Uuid:
        return scanUuid(bytes, at, row, column);
      case Kind.Integer:
        return scanInteger(bytes, at, row, column, field.digits);
      case Kind.Double:
        return scanDouble(bytes, at, row, column);
      case Kind.Decimal:
        return scanDecimal(bytes, at, row, column, field);
      case Kind.Boolean:
        return scanBoolean(bytes, at, row, column);
      case Kind.Timestamp:
        return this.#scanTimestamp(bytes, at, row, column, isTime);
      case Kind.Date:
        return first === QUOTE
          ? scanDate(bytes, at + 1, (days) => column !== undefined && (column.values[row] = days))
          : NOT_SURE;
      default:
        return column === undefined ? endOfValue(bytes, at, 0) : NOT_SURE;
    }
  }

  #scanTimestamp(bytes: Uint8Array, start: number, row: number, column: Column | undefined, isTime: boolean): number {
    if (bytes[start] === QUOTE) {
      const end = scanTime(bytes, start + 1);
      if (end === NOT_SURE) return NOT_SURE;
      const micros = scanTime.micros;
      if (column !== undefined) column.values[row] = micros;
      if (isTime) this.#timeMs[row] = Math.floor(micros / 1000);
      return end;
    }
    let at = start;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    const digits = at;
    let ms = 0;
    for (let byte = bytes[at] as number; byte >= ZERO && byte <= NINE; byte = bytes[++at] as number)
      ms = ms * 10 + byte - ZERO;
    if (at === digits || at - digits > 13 || (bytes[digits] === ZERO && (at - digits > 1 || negative))) return NOT_SURE;
    if (ms > MAX_TIME_MS || !endsNumber(bytes[at])) return NOT_SURE;
    if (negative) ms = -ms;
    if (column !== undefined) column.values[row] = ms * 1000;
    if (isTime) this.#timeMs[row] = ms;
    return at;
  }
}

/** Whether the bytes are the key and the quote that closes it. */
function isKey(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  const length = key.length;
  if (bytes[at + length] !== QUOTE) return false;
  for (let i = 0; i < length; i++) if (bytes[at + i] !== key[i]) return false;
  return true;
}

function isWord(bytes: Uint8Array, at: number, a: number, b: number, c: number, d: number): boolean {
  return bytes[at] === a && bytes[at + 1] === b && bytes[at + 2] === c && bytes[at + 3] === d;
}

/** Whether a number may end before the byte: no point, no exponent, no letter. */
function endsNumber(byte: number | undefined): boolean {
  return byte === COMMA || byte === CLOSE || byte === SPACE || byte === LF || byte === CR || byte === 0x09;
}

function scanText(bytes: Uint8Array, start: number, row: number, column: Column | undefined): number {
  if (bytes[start] !== QUOTE) return NOT_SURE;
  let at = start + 1;
  let all = 0;
  for (let byte = bytes[at] as number; PLAIN[byte] === 1; byte = bytes[++at] as number) all |= byte;
  if (bytes[at] !== QUOTE) return NOT_SURE;
  if (all >= 0x80 && !isUtf8(bytes.subarray(start + 1, at))) return NOT_SURE;
  if (column?.kind === "text") column.values[row] = column.dictionary.code(bytes, start + 1, at);
  return at + 1;
}

function scanUuid(bytes: Uint8Array, start: number, row: number, column: Column | undefined): number {
  const from = start + 1;
  if (bytes[start] !== QUOTE || bytes[from + 36] !== QUOTE || !isLowerHex(bytes, from)) return NOT_SURE;
  if (column?.kind === "text") column.values[row] = column.dictionary.code(bytes, from, from + 36);
  return from + 37;
}

function scanBoolean(bytes: Uint8Array, at: number, row: number, column: Column | undefined): number {
  if (isWord(bytes, at, 0x74, 0x72, 0x75, 0x65)) {
    if (column !== undefined) column.values[row] = 1;
    return at + 4;
  }
  if (!isWord(bytes, at, 0x66, 0x61, 0x6c, 0x73) || bytes[at + 4] !== 0x65) return NOT_SURE;
  if (column !== undefined) column.values[row] = 0;
  return at + 5;
}

/** @param bound of 32-bit integers, 0 for those of 64 bits */
function scanInteger(bytes: Uint8Array, start: number, row: number, column: Column | undefined, bound: number): number {
  let at = start;
  const negative = bytes[at] === MINUS;
  if (negative) at++;
  const digits = at;
  let value = 0;
  for (let byte = bytes[at] as number; byte >= ZERO && byte <= NINE; byte = bytes[++at] as number)
    value = value * 10 + byte - ZERO;
  if (at === digits || at - digits > EXACT_DIGITS || (bytes[digits] === ZERO && (at - digits > 1 || negative)))
    return NOT_SURE;
  if (!endsNumber(bytes[at]) || (bound !== 0 && value >= bound)) return NOT_SURE;
  if (column !== undefined) column.values[row] = negative ? -value : value;
  return at;
}

function scanDouble(bytes: Uint8Array, start: number, row: number, column: Column | undefined): number {
  let at = start;
  const negative = bytes[at] === MINUS;
  if (negative) at++;
  const digits = at;
  let value = 0;
  for (let byte = bytes[at] as number; byte >= ZERO && byte <= NINE; byte = bytes[++at] as number)
    value = value * 10 + byte - ZERO;
  if (at === digits || (bytes[digits] === ZERO && at - digits > 1)) return NOT_SURE;
  let count = at - digits;
  if (bytes[at] === POINT) {
    const fraction = ++at;
    for (let byte = bytes[at] as number; byte >= ZERO && byte <= NINE; byte = bytes[++at] as number)
      value = value * 10 + byte - ZERO;
    if (at === fraction) return NOT_SURE;
    count += at - fraction;
    // A whole number of 15 digits over a power of ten of 22 at most: one rounding, to the nearest.
    if (count <= EXACT_DIGITS) value /= POWERS[at - fraction] as number;
  }
  if (!endsNumber(bytes[at])) return NOT_SURE;
  if (count > EXACT_DIGITS) {
    value = Number(Buffer.from(bytes.buffer, bytes.byteOffset + digits, at - digits).toString("latin1"));
    if (!Number.isFinite(value)) return NOT_SURE;
  }
  // -0 is 0 where it is written as a whole number, and -0.0 is not.
  if (negative && value === 0) return NOT_SURE;
  if (column !== undefined) column.values[row] = negative ? -value : value;
  return at;
}

/** A number, or a string of one; the point is left out. */
function scanDecimal(bytes: Uint8Array, start: number, row: number, column: Column | undefined, field: Field): number {
  const quoted = bytes[start] === QUOTE;
  let at = quoted ? start + 1 : start;
  const negative = bytes[at] === MINUS;
  if (negative) at++;
  const digits = at;
  let value = 0;
  for (let byte = bytes[at] as number; byte >= ZERO && byte <= NINE; byte = bytes[++at] as number)
    value = value * 10 + byte - ZERO;
  const whole = at - digits;
  if (whole === 0 || (bytes[digits] === ZERO && whole > 1)) return NOT_SURE;
  let fraction = 0;
  if (bytes[at] === POINT) {
    const from = ++at;
    for (let byte = bytes[at] as number; byte >= ZERO && byte <= NINE; byte = bytes[++at] as number)
      value = value * 10 + byte - ZERO;
    fraction = at - from;
    if (fraction === 0) return NOT_SURE;
  }
  const { scale } = field;
  if (fraction > scale || whole > field.digits - scale || whole + scale > EXACT_DIGITS) return NOT_SURE;
  if (quoted ? bytes[at++] !== QUOTE : !endsNumber(bytes[at])) return NOT_SURE;
  value *= POWERS[scale - fraction] as number;
  if (column !== undefined) column.values[row] = negative && value !== 0 ? -value : value;
  return at;
}
