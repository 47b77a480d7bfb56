/**
 * From the bytes of JSON to columns. The scanner only says yes: it takes a row when it is certain what the strict reader
 * would make of it, and leaves every other row to that one.
 *
 * A field is a block of words: 0 key ptr · 4 key length · 8 kind · 12 flags · 16 column ptr (0: only checked) ·
 * 20 dictionary ptr · 24 digits, of a time the unit of its numbers · 28 scale · 32 stamp (64 bits) of the row in which it was seen last · 40 ptr of its spans
 * (0: not wanted), which get where each row's value begins and ends. Columns have a double a row, NaN for NULL, but those of
 * texts, which have a code (i32), -1 for NULL.
 *
 * An object that holds fields is such a block too: its kind is OBJECT, 24 and 28 are ptrs of the first block of its members
 * and behind the last one. The members of the root come first.
 */
import { code, same } from "./dictionary";
import { beginKeys, beginObject, isNewKey } from "./keys";
import {
  CLOSE,
  COLON,
  COMMA,
  FALSE_WORD,
  MINUS,
  NOT_SURE,
  NULL_WORD,
  OPEN,
  POINT,
  QUOTE,
  TRUE_WORD,
  byteAt,
  digitAt,
  endOfSpace,
  endOfText,
  endOfValue,
  endsNumber,
  isUuid,
  isWord,
} from "./json";
import { days, micros, scanDate, scanTime } from "./time";

export { allocate, code, freeDictionary, makeDictionary, release } from "./dictionary";
export { latestTime, outputBytes, outputStart, writeBatch } from "./batch";
export { openRows, writeRecords, writeValues } from "./write";

const FIELD_BYTES: u32 = 48;
const KEY: u32 = 0;
const KEY_LENGTH: u32 = 4;
const KIND: u32 = 8;
const FLAGS: u32 = 12;
const COLUMN: u32 = 16;
const DICTIONARY: u32 = 20;
const DIGITS: u32 = 24;
const SCALE: u32 = 28;
const SEEN: u32 = 32;
const SPANS: u32 = 40;

const NULLABLE: u32 = 1;
const IS_TIME: u32 = 2;

const TEXT: u32 = 0;
const UUID: u32 = 1;
const BOOLEAN: u32 = 2;
const INTEGER: u32 = 3;
const DOUBLE: u32 = 4;
const DECIMAL: u32 = 5;
const TIMESTAMP: u32 = 6;
const DATE: u32 = 7;
const OBJECT: u32 = 9;

/** Digits that a double holds exactly, whatever they are. */
const EXACT_DIGITS: u32 = 15;
const MAX_DIGITS: u32 = 400;
/** Microseconds that a double holds exactly: until the year 2248, and as far before 1970. */
const MAX_TIME: u64 = 8_800_000_000_000_000;
/** Digits of that in nanoseconds. */
const MAX_TIME_DIGITS: u32 = 19;
const SECONDS: u32 = 1;
const MICROSECONDS: u32 = 2;
const NANOSECONDS: u32 = 3;
const POWERS = memory.data<f64>([1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]);

/** `null`, for what an object lacks. */
const NULL_TEXT = memory.data<u8>([0x6e, 0x75, 0x6c, 0x6c]);

let fields: u32 = 0;
let fieldCount: u32 = 0;
/** Behind the blocks of all fields, at any depth. */
let lastField: u32 = 0;
/** Whether an object of the row lacks a field. */
let incomplete: bool = false;
let timeMs: u32 = 0;
let stamp: u64 = 0;
/** Whether records go on as they came. */
let whole: bool = false;
/** Number of a row's own object, where it matters whether it has a key twice. */
let root: u32 = 0;
/** Numbers with more digits than can be read here: field, row, start, end, four words each. */
let deferred: u32 = 0;
let deferredEnd: u32 = 0;
let deferredAt: u32 = 0;

/**
 * @param fieldBlocks blocks of all fields, one after the other
 * @param count of the root's members among them
 * @param all of them
 * @param times column of event times: whole milliseconds, downwards
 * @param later room for numbers that are left to the caller
 * @param wholeRecords whether records go on as they came, so that no object of theirs may have a key twice
 */
export function open(
  fieldBlocks: u32,
  count: u32,
  all: u32,
  times: u32,
  later: u32,
  laterBytes: u32,
  wholeRecords: bool,
): void {
  whole = wholeRecords;
  fields = fieldBlocks;
  fieldCount = count;
  lastField = fieldBlocks + all * FIELD_BYTES;
  timeMs = times;
  deferred = later;
  deferredEnd = later + laterBytes;
}

/**
 * Reads rows whose values lie at starts[row] to ends[row], counted from `base`. An end before its start is a null.
 *
 * @param undecided gets the rows that the strict reader has to decide, a word each; their elements hold anything
 * @returns how many these are
 */
export function scan(base: u32, starts: u32, ends: u32, rows: u32, undecided: u32): u32 {
  let count: u32 = 0;
  deferredAt = deferred;
  for (let row: u32 = 0; row < rows; row++) {
    const start = load<i32>(starts + (row << 2));
    const end = load<i32>(ends + (row << 2));
    const before = deferredAt;
    if (end > start && scanRow(base + start, base + end, row)) continue;
    deferredAt = before;
    store<u32>(undecided + (count << 2), row);
    count++;
  }
  return count;
}

/** Bytes of the entries that the last scan left to the caller. */
export function deferredBytes(): u32 {
  return deferredAt - deferred;
}

function scanRow(start: u32, end: u32, row: u32): bool {
  let at = start;
  if (byteAt(at) != OPEN) {
    at = endOfSpace(at);
    if (byteAt(at) != OPEN) return false;
  }
  at++;
  stamp++;
  if (whole) {
    beginKeys();
    root = beginObject();
  }
  incomplete = false;
  let seen: u32 = 0;
  let expected = fields;
  const last = fields + fieldCount * FIELD_BYTES;
  let next = COMMA;
  if (byteAt(at) != QUOTE) {
    const close = endOfSpace(at);
    if (byteAt(close) == CLOSE) {
      at = close + 1;
      next = CLOSE;
    }
  }
  while (next == COMMA) {
    if (byteAt(at) != QUOTE) {
      at = endOfSpace(at);
      if (byteAt(at) != QUOTE) return false;
    }
    at++;
    let field = expected;
    if (field == last || !isKey(at, field)) field = findField(at, fields, last);
    if (field == last) {
      at = skipUnknown(at, root);
      if (at == NOT_SURE) return false;
    } else {
      if (load<u64>(field + SEEN) == stamp) return false;
      store<u64>(field + SEEN, stamp);
      seen++;
      expected = field + FIELD_BYTES;
      at += load<u32>(field + KEY_LENGTH) + 1;
      if (byteAt(at) != COLON) {
        at = endOfSpace(at);
        if (byteAt(at) != COLON) return false;
      }
      at++;
      if (byteAt(at) <= 0x20) at = endOfSpace(at);
      const value = at;
      at = scanValue(value, row, field);
      if (at == NOT_SURE) return false;
      setSpan(field, row, value, at);
    }
    next = byteAt(at);
    if (next != COMMA && next != CLOSE) {
      at = endOfSpace(at);
      next = byteAt(at);
    }
    at++;
  }
  if (next != CLOSE || at > end) return false;
  if (at < end && endOfSpace(at) < end) return false;
  return (seen == fieldCount && !incomplete) || fillMissing(row);
}

function isKey(at: u32, field: u32): bool {
  const length = load<u32>(field + KEY_LENGTH);
  return byteAt(at + length) == QUOTE && same(at, load<u32>(field + KEY), length);
}

function findField(at: u32, first: u32, last: u32): u32 {
  let field = first;
  while (field < last && !isKey(at, field)) field += FIELD_BYTES;
  return field;
}

function fillMissing(row: u32): bool {
  for (let field = fields; field < lastField; field += FIELD_BYTES) {
    if (load<u64>(field + SEEN) == stamp || load<u32>(field + KIND) == OBJECT) continue;
    if (!(load<u32>(field + FLAGS) & NULLABLE)) return false;
    setNull(field, row);
    setSpan(field, row, NULL_TEXT, NULL_TEXT + 4);
  }
  return true;
}

/** @param at behind the quote that opens the key @returns where its value ends */
function skipUnknown(at: u32, owner: u32): u32 {
  const end = endOfText(at);
  if (end == NOT_SURE || (whole && !isNewKey(owner, at, end))) return NOT_SURE;
  const colon = endOfSpace(end + 1);
  return byteAt(colon) == COLON ? endOfValue(endOfSpace(colon + 1), whole, false) : NOT_SURE;
}

function setNull(field: u32, row: u32): void {
  const column = load<u32>(field + COLUMN);
  if (column == 0) return;
  if (load<u32>(field + DICTIONARY) != 0) store<i32>(column + (row << 2), -1);
  else store<f64>(column + (row << 3), NaN);
}

function setSpan(field: u32, row: u32, from: u32, to: u32): void {
  const spans = load<u32>(field + SPANS);
  if (spans != 0) store<u64>(spans + (row << 3), ((<u64>to) << 32) | from);
}

function setNumber(field: u32, row: u32, value: f64): void {
  const column = load<u32>(field + COLUMN);
  if (column != 0) store<f64>(column + (row << 3), value);
}

function setText(field: u32, row: u32, from: u32, to: u32): void {
  const column = load<u32>(field + COLUMN);
  if (column != 0) store<u32>(column + (row << 2), code(load<u32>(field + DICTIONARY), from, to));
}

/** @returns behind the value */
function scanValue(at: u32, row: u32, field: u32): u32 {
  const byte = byteAt(at);
  if (byte == 0x6e) {
    if (!(load<u32>(field + FLAGS) & NULLABLE) || !isWord(at, NULL_WORD)) return NOT_SURE;
    if (load<u32>(field + KIND) == OBJECT) incomplete = true;
    else setNull(field, row);
    return at + 4;
  }
  switch (load<u32>(field + KIND)) {
    case TEXT: {
      if (byte != QUOTE) return NOT_SURE;
      const end = endOfText(at + 1);
      if (end == NOT_SURE) return NOT_SURE;
      setText(field, row, at + 1, end);
      return end + 1;
    }
    case UUID: {
      if (byte != QUOTE || byteAt(at + 37) != QUOTE || !isUuid(at + 1)) return NOT_SURE;
      setText(field, row, at + 1, at + 37);
      return at + 38;
    }
    case BOOLEAN: {
      if (isWord(at, TRUE_WORD)) {
        setNumber(field, row, 1);
        return at + 4;
      }
      if (!isWord(at, FALSE_WORD) || byteAt(at + 4) != 0x65) return NOT_SURE;
      setNumber(field, row, 0);
      return at + 5;
    }
    case INTEGER:
      return scanInteger(at, row, field);
    case DOUBLE:
      return scanDouble(at, row, field);
    case DECIMAL:
      return scanDecimal(at, row, field);
    case TIMESTAMP:
      return scanTimestamp(at, row, field);
    case DATE: {
      if (byte != QUOTE) return NOT_SURE;
      const end = scanDate(at + 1);
      if (end != NOT_SURE) setNumber(field, row, <f64>days);
      return end;
    }
    case OBJECT:
      return scanObject(at, row, field);
    default:
      return scanJson(at, row, field);
  }
}

/** An object that holds fields; a value of another kind holds none. @returns behind it */
function scanObject(start: u32, row: u32, object: u32): u32 {
  if (byteAt(start) != OPEN) {
    incomplete = true;
    return endOfValue(start, whole, false);
  }
  const owner = whole ? beginObject() : 0;
  const first = load<u32>(object + DIGITS);
  const last = load<u32>(object + SCALE);
  let missing = (last - first) / FIELD_BYTES;
  let expected = first;
  let at = endOfSpace(start + 1);
  let next = byteAt(at) == CLOSE ? CLOSE : COMMA;
  while (next == COMMA) {
    if (byteAt(at) != QUOTE) return NOT_SURE;
    at++;
    let field = expected;
    if (field == last || !isKey(at, field)) field = findField(at, first, last);
    if (field == last) at = skipUnknown(at, owner);
    else {
      if (load<u64>(field + SEEN) == stamp) return NOT_SURE;
      store<u64>(field + SEEN, stamp);
      missing--;
      expected = field + FIELD_BYTES;
      at = endOfSpace(at + load<u32>(field + KEY_LENGTH) + 1);
      if (byteAt(at) != COLON) return NOT_SURE;
      const value = endOfSpace(at + 1);
      at = scanValue(value, row, field);
      if (at != NOT_SURE) setSpan(field, row, value, at);
    }
    if (at == NOT_SURE) return NOT_SURE;
    at = endOfSpace(at);
    next = byteAt(at);
    if (next == COMMA) at = endOfSpace(at + 1);
  }
  if (next != CLOSE) return NOT_SURE;
  if (missing > 0) incomplete = true;
  return at + 1;
}

/** A value of any kind. As a text it has no space between its tokens. */
function scanJson(at: u32, row: u32, field: u32): u32 {
  const isRead = load<u32>(field + COLUMN) != 0;
  const goesOn = whole || load<u32>(field + SPANS) != 0;
  if (!whole) beginKeys();
  const end = endOfValue(at, isRead || goesOn, isRead);
  if (isRead && end != NOT_SURE) setText(field, row, at, end);
  return end;
}

/** Of the number that was read last: its sign, its digits as one whole number, and how many stand on each side of the point. */
let negative: bool = false;
let digitsValue: u64 = 0;
let wholeDigits: u32 = 0;
let fractionDigits: u32 = 0;

/** Reads sign, digits and a fraction as JSON has them. @returns behind them; NOT_SURE where there is no number */
function readNumber(start: u32): u32 {
  let at = start;
  negative = byteAt(at) == MINUS;
  if (negative) at++;
  const first = at;
  let value: u64 = 0;
  for (let digit = digitAt(at); digit <= 9; digit = digitAt(++at)) value = value * 10 + digit;
  wholeDigits = at - first;
  fractionDigits = 0;
  if (wholeDigits == 0 || (digitAt(first) == 0 && wholeDigits > 1)) return NOT_SURE;
  if (byteAt(at) == POINT) {
    const point = ++at;
    for (let digit = digitAt(at); digit <= 9; digit = digitAt(++at)) value = value * 10 + digit;
    fractionDigits = at - point;
    if (fractionDigits == 0) return NOT_SURE;
  }
  digitsValue = value;
  return at;
}

/** Reads a whole number of at most so many digits. -0 is none: what it is depends on the type. */
function readWhole(start: u32, most: u32): u32 {
  const end = readNumber(start);
  if (end == NOT_SURE || fractionDigits != 0 || wholeDigits > most || !endsNumber(byteAt(end))) return NOT_SURE;
  return negative && digitsValue == 0 ? NOT_SURE : end;
}

function scanInteger(start: u32, row: u32, field: u32): u32 {
  const end = readWhole(start, EXACT_DIGITS);
  const bound = load<u32>(field + DIGITS);
  if (end == NOT_SURE || (bound != 0 && digitsValue >= bound)) return NOT_SURE;
  setNumber(field, row, negative ? -(<f64>digitsValue) : <f64>digitsValue);
  return end;
}

function scanDouble(start: u32, row: u32, field: u32): u32 {
  const end = readNumber(start);
  if (end == NOT_SURE || !endsNumber(byteAt(end))) return NOT_SURE;
  const digits = wholeDigits + fractionDigits;
  if (digits > EXACT_DIGITS) return defer(start, end, row, field, digits);
  // -0 is 0 where it is written as a whole number, and -0.0 is not.
  if (negative && digitsValue == 0) return NOT_SURE;
  // A whole number of 15 digits over a power of ten of 15 at most: one rounding, to the nearest.
  const magnitude = <f64>digitsValue / load<f64>(POWERS + (fractionDigits << 3));
  setNumber(field, row, negative ? -magnitude : magnitude);
  return end;
}

/** Leaves a number to the caller, who reads all that there are. */
function defer(start: u32, end: u32, row: u32, field: u32, digits: u32): u32 {
  if (load<u32>(field + COLUMN) == 0 && digits < MAX_DIGITS / 2) return end;
  if (digits > MAX_DIGITS || deferredAt + 16 > deferredEnd) return NOT_SURE;
  store<u32>(deferredAt, (field - fields) / FIELD_BYTES);
  store<u32>(deferredAt + 4, row);
  store<u32>(deferredAt + 8, start);
  store<u32>(deferredAt + 12, end);
  deferredAt += 16;
  return end;
}

/** A number, or a string of one; the point is left out. */
function scanDecimal(start: u32, row: u32, field: u32): u32 {
  const quoted = byteAt(start) == QUOTE;
  const end = readNumber(quoted ? start + 1 : start);
  if (end == NOT_SURE || (quoted ? byteAt(end) != QUOTE : !endsNumber(byteAt(end)))) return NOT_SURE;
  const scale = load<u32>(field + SCALE);
  const digits = wholeDigits + scale;
  if (fractionDigits > scale || digits > load<u32>(field + DIGITS) || digits > EXACT_DIGITS) return NOT_SURE;
  const magnitude = <f64>digitsValue * load<f64>(POWERS + ((scale - fractionDigits) << 3));
  setNumber(field, row, negative && digitsValue != 0 ? -magnitude : magnitude);
  return quoted ? end + 1 : end;
}

function scanTimestamp(start: u32, row: u32, field: u32): u32 {
  if (byteAt(start) == QUOTE) {
    const end = scanTime(start + 1);
    if (end != NOT_SURE) setTime(field, row, micros);
    return end;
  }
  const end = readWhole(start, MAX_TIME_DIGITS);
  if (end == NOT_SURE) return NOT_SURE;
  const us = microsOf(load<u32>(field + DIGITS));
  if (us > MAX_TIME) return NOT_SURE;
  setTime(field, row, negative ? -(<i64>us) : <i64>us);
  return end;
}

/** Microseconds of the number that was read last; more than any time has where a double would not hold them. */
function microsOf(unit: u32): u64 {
  if (unit == MICROSECONDS) return digitsValue;
  if (unit == NANOSECONDS) return digitsValue % 1000 == 0 ? digitsValue / 1000 : u64.MAX_VALUE;
  const factor: u64 = unit == SECONDS ? 1_000_000 : 1000;
  return digitsValue > MAX_TIME / factor ? u64.MAX_VALUE : digitsValue * factor;
}

function setTime(field: u32, row: u32, us: i64): void {
  setNumber(field, row, <f64>us);
  if (load<u32>(field + FLAGS) & IS_TIME) store<f64>(timeMs + (row << 3), Math.floor(<f64>us / 1000));
}
