/**
 * Rows as they go on, written from where their values lie: JSON objects of columns, or values as they came; alone, or as
 * what a record of a batch holds behind its deltas:
 *
 *   keyLength, key · valueLength, value · headerCount, headers
 *
 * Lengths are zigzag varints, -1 is null. A column is a block of words: 0 ptr and 4 length of what stands before its value
 * · 8 ptr of its spans. A span is where a row's value begins and ends: two words.
 *
 * What is written is described by a block of words: 0 ptr and 4 number of the columns (0: values as they came) · ptrs of
 * lists with a word each: 8 the rows to write · by row, counted from a base: 12 where its value begins and 16 ends,
 * 20 where its own key begins, with its length before it, 24 where its headers end, which begin behind its value · by row
 * that is written: 28 gets where it ends, 32 gets Kafka's hash of its key, which is not negative, -1 without a key · 36 ptr
 * and 40 length of what stands behind the last column.
 */
import { QUOTE, byteAt } from "./json";
import { begin, copy, endAt, outputStart, roomFor, writeVarint } from "./output";

const COLUMN_BYTES: u32 = 12;
const PREFIX_LENGTH: u32 = 4;
const SPANS: u32 = 8;

const LETTER_N: u32 = 0x6e;
/** Bytes of the longest varint of a length. */
const VARINT: u32 = 5;
const NO_KEY: i32 = -1;

let columns: u32 = 0;
let lastColumn: u32 = 0;
/** Bytes of an object beside its values. */
let fixedBytes: u32 = 0;
/** What stands behind the last value of an object. */
let close: u32 = 0;
let closeBytes: u32 = 0;
let rows: u32 = 0;
let starts: u32 = 0;
let ends: u32 = 0;
let heads: u32 = 0;
let tails: u32 = 0;
let written: u32 = 0;
let hashes: u32 = 0;

/** @param form block that describes what is written */
export function openRows(form: u32): void {
  columns = load<u32>(form);
  lastColumn = columns + load<u32>(form + 4) * COLUMN_BYTES;
  rows = load<u32>(form + 8);
  starts = load<u32>(form + 12);
  ends = load<u32>(form + 16);
  heads = load<u32>(form + 20);
  tails = load<u32>(form + 24);
  written = load<u32>(form + 28);
  hashes = load<u32>(form + 32);
  close = load<u32>(form + 36);
  closeBytes = load<u32>(form + 40);
  fixedBytes = closeBytes;
  for (let column = columns; column < lastColumn; column += COLUMN_BYTES)
    fixedBytes += load<u32>(column + PREFIX_LENGTH);
}

/** Writes the values of rows, one after the other. @returns where the first begins */
export function writeValues(count: u32, base: u32): u32 {
  begin();
  for (let i: u32 = 0; i < count; i++) {
    const row = load<u32>(rows + (i << 2)) << 2;
    const start = base + load<u32>(starts + row);
    const length = lengthOf(row, start, base + load<u32>(ends + row));
    store<u32>(written + (i << 2), endAt(writeValue(roomFor(length), row, start, length)));
  }
  return outputStart();
}

/**
 * Writes the rest of the records of rows, one after the other.
 *
 * @param keys spans of the JSON that becomes the keys: texts without their quotes, null for none; 0 for rows' own keys
 * @returns where the first begins
 */
export function writeRecords(count: u32, base: u32, keys: u32): u32 {
  begin();
  for (let i: u32 = 0; i < count; i++) {
    const row = load<u32>(rows + (i << 2)) << 2;
    const start = base + load<u32>(starts + row);
    const end = base + load<u32>(ends + row);
    const length = lengthOf(row, start, end);
    if (keys == 0) findOwnKey(base + load<u32>(heads + row));
    else findKey(keys + (row << 1));
    const keyLength = keyEnd - keyStart;
    const headers = base + load<u32>(tails + row) - end;
    let at = roomFor(2 * VARINT + keyLength + length + headers);
    at = copy(writeVarint(at, hasKey ? <i64>keyLength : -1), keyStart, keyLength);
    at = writeValue(writeVarint(at, length), row, start, length);
    store<u32>(written + (i << 2), endAt(copy(at, end, headers)));
    store<i32>(hashes + (i << 2), hasKey ? <i32>(murmur2(keyStart, keyLength) & 0x7fffffff) : NO_KEY);
  }
  return outputStart();
}

/** @param row four times its number */
function lengthOf(row: u32, start: u32, end: u32): u32 {
  if (columns == lastColumn) return end - start;
  let length = fixedBytes;
  for (let column = columns; column < lastColumn; column += COLUMN_BYTES) {
    const span = load<u32>(column + SPANS) + (row << 1);
    length += load<u32>(span + 4) - load<u32>(span);
  }
  return length;
}

/** @param length of the value @returns behind it */
function writeValue(to: u32, row: u32, start: u32, length: u32): u32 {
  if (columns == lastColumn) return copy(to, start, length);
  let at = to;
  for (let column = columns; column < lastColumn; column += COLUMN_BYTES) {
    at = copy(at, load<u32>(column), load<u32>(column + PREFIX_LENGTH));
    const span = load<u32>(column + SPANS) + (row << 1);
    const from = load<u32>(span);
    at = copy(at, from, load<u32>(span + 4) - from);
  }
  return copy(at, close, closeBytes);
}

let keyStart: u32 = 0;
let keyEnd: u32 = 0;
let hasKey: bool = false;

function findKey(span: u32): void {
  keyStart = load<u32>(span);
  keyEnd = load<u32>(span + 4);
  const first = byteAt(keyStart);
  hasKey = first != LETTER_N;
  if (!hasKey) keyEnd = keyStart;
  if (first == QUOTE) {
    keyStart++;
    keyEnd--;
  }
}

function findOwnKey(head: u32): void {
  let at = head;
  let zigzag: u32 = 0;
  for (let shift: u32 = 0; ; shift += 7) {
    const byte = byteAt(at++);
    zigzag |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  hasKey = (zigzag & 1) == 0;
  keyStart = at;
  keyEnd = hasKey ? at + (zigzag >> 1) : at;
}

const M: u32 = 0x5bd1e995;
const SEED: u32 = 0x9747b28c;

/** MurmurHash2 (32 bits) as Kafka's Java client computes it. */
function murmur2(key: u32, length: u32): u32 {
  let hash = SEED ^ length;
  const whole = key + (length & ~3);
  for (let at = key; at < whole; at += 4) {
    let word = load<u32>(at) * M;
    word = (word ^ (word >> 24)) * M;
    hash = (hash * M) ^ word;
  }
  const rest = (length & 3) << 3;
  if (rest != 0) hash = (hash ^ (load<u32>(whole) & ((1 << rest) - 1))) * M;
  hash = (hash ^ (hash >> 13)) * M;
  return hash ^ (hash >> 15);
}
