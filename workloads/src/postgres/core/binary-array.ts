/**
 * Columns as PostgreSQL's arrays in binary form: an eighth of the work of text, on both sides.
 *
 *   dimensions int32 (1) · has nulls int32 · element's type oid · length int32 · first index int32 (1) ·
 *   then each element: length int32 (-1 for NULL), bytes
 *
 * Source: PostgreSQL, array_send, numeric_send and their like.
 */
import { BIG } from "../../kernel/columns.ts";
import type { DeltaColumn, NumberValues, TextValues } from "../../kernel/delta.ts";
import { storageOf } from "../../kernel/storage.ts";
import type { GroupColumn } from "@caudal/pipeline/sql";

/** Times and dates count from 2000-01-01. */
const EPOCH_DAYS = 10_957;
const EPOCH_MS = EPOCH_DAYS * 86_400_000;
const HEADER = 20;
const NULL = -1;
const HIGH = 0x1_0000_0000;

/** How values of one type are written. */
interface Format {
  readonly oid: number;
  /** Bytes of a value, where all have as many. */
  readonly size: number;
  write(view: DataView, at: number, value: number): void;
}

const int8: Format = { oid: 20, size: 8, write: writeInt64 };
const formats: Readonly<Record<string, Format>> = {
  boolean: { oid: 16, size: 1, write: (view, at, value) => view.setUint8(at, value) },
  smallint: { oid: 21, size: 2, write: (view, at, value) => view.setInt16(at, value) },
  integer: { oid: 23, size: 4, write: (view, at, value) => view.setInt32(at, value) },
  bigint: int8,
  real: { oid: 700, size: 4, write: (view, at, value) => view.setFloat32(at, value) },
  "double precision": { oid: 701, size: 8, write: (view, at, value) => view.setFloat64(at, value) },
  date: { oid: 1082, size: 4, write: (view, at, value) => view.setInt32(at, value - EPOCH_DAYS) },
  time: { oid: 1083, size: 8, write: writeInt64 },
  timestamp: { oid: 1114, size: 8, write: writeMicros },
  timestamptz: { oid: 1184, size: 8, write: writeMicros },
};
const TEXT_OID = 25;
const JSONB_OID = 3802;
const JSONB_VERSION = Buffer.from([1]);
const UUID_OID = 2950;
const NUMERIC_OID = 1700;

/** @param of types as a plan names them @throws TypeError for one that no plan has */
export function binaryArray(
  { postgresType, duckdbType }: Pick<GroupColumn, "postgresType" | "duckdbType">,
  column: DeltaColumn,
): Buffer {
  if (column.kind === "text") {
    if (postgresType === "uuid") return uuids(column);
    return postgresType === "jsonb" ? texts(column, JSONB_OID, JSONB_VERSION) : texts(column, TEXT_OID);
  }
  if (postgresType.startsWith("numeric")) return numerics(column, storageOf(duckdbType).scale);
  const format = formats[postgresType];
  if (format === undefined) throw new TypeError(`numbers are no ${postgresType}`);
  return fixed(format, column);
}

/** @param milliseconds since 1970 */
export function windowStarts(milliseconds: Float64Array): Buffer {
  const [array, view] = allocate(1184, milliseconds.length, 8 * milliseconds.length, false);
  let at = HEADER;
  for (const ms of milliseconds) {
    view.setInt32(at, 8);
    const micros = (ms - EPOCH_MS) * 1000;
    if (Number.isSafeInteger(micros)) writeInt64(view, at + 4, micros);
    else view.setBigInt64(at + 4, BigInt(ms - EPOCH_MS) * 1000n);
    at += 12;
  }
  return array;
}

function fixed({ oid, size, write }: Format, { values, bigs }: NumberValues): Buffer {
  let nulls = 0;
  for (const value of values) if (Number.isNaN(value)) nulls++;
  const [array, view] = allocate(oid, values.length, size * (values.length - nulls), nulls > 0);
  let at = HEADER;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value)) {
      view.setInt32(at, NULL);
      at += 4;
      continue;
    }
    view.setInt32(at, size);
    if (value === BIG) writeLarge(view, at + 4, oid, bigs.get(i) ?? 0n);
    else write(view, at + 4, value);
    at += 4 + size;
  }
  return array;
}

/** @param prefix bytes before each value */
function texts({ bytes, lengths }: TextValues, oid: number, prefix = Buffer.alloc(0)): Buffer {
  const [array, view] = allocate(
    oid,
    lengths.length,
    bytes.length + prefix.length * lengths.length,
    lengths.includes(NULL),
  );
  let at = HEADER;
  let from = 0;
  for (const length of lengths) {
    view.setInt32(at, length < 0 ? NULL : length + prefix.length);
    at += 4;
    if (length >= 0) for (const byte of prefix) array[at++] = byte;
    for (const end = from + Math.max(0, length); from < end; from++, at++) array[at] = bytes[from] as number;
  }
  return array.subarray(0, at);
}

function uuids({ bytes, lengths }: TextValues): Buffer {
  const nulls = lengths.reduce((count, length) => count + (length < 0 ? 1 : 0), 0);
  const [array, view] = allocate(UUID_OID, lengths.length, 16 * (lengths.length - nulls), nulls > 0);
  let at = HEADER;
  let from = 0;
  for (const length of lengths) {
    view.setInt32(at, length < 0 ? NULL : 16);
    at += 4;
    if (length < 0) continue;
    array.write(bytes.toString("latin1", from, from + length).replaceAll("-", ""), at, "hex");
    from += length;
    at += 16;
  }
  return array;
}

/**
 * Digits in base 10,000: their number, the weight of the first, the sign, digits after the point, then the digits.
 *
 * @param scale digits after the point that the numbers leave out
 */
function numerics({ values, bigs }: NumberValues, scale: number): Buffer {
  const elements: (readonly number[] | null)[] = Array.from(values, (value, i) =>
    Number.isNaN(value) ? null : digitsOf(value === BIG ? (bigs.get(i) ?? 0n) : BigInt(value), scale),
  );
  const bytes = elements.reduce((sum, digits) => sum + (digits === null ? 0 : 8 + 2 * digits.length), 0);
  const [array, view] = allocate(NUMERIC_OID, values.length, bytes, elements.includes(null));
  let at = HEADER;
  for (const [i, digits] of elements.entries()) {
    view.setInt32(at, digits === null ? NULL : 8 + 2 * digits.length);
    at += 4;
    if (digits === null) continue;
    const negative = values[i] === BIG ? (bigs.get(i) ?? 0n) < 0n : (values[i] as number) < 0;
    view.setInt16(at, digits.length);
    view.setInt16(at + 2, digits.length === 0 ? 0 : digits.length - 1 - Math.ceil(scale / 4));
    view.setUint16(at + 4, negative ? 0x4000 : 0);
    view.setInt16(at + 6, scale);
    at += 8;
    for (const digit of digits) {
      view.setInt16(at, digit);
      at += 2;
    }
  }
  return array;
}

/** Digits in base 10,000, the first not 0; the last group ends where the scale's last group does. */
function digitsOf(value: bigint, scale: number): number[] {
  let rest = (value < 0n ? -value : value) * 10n ** BigInt((4 - (scale % 4)) % 4);
  const digits: number[] = [];
  for (; rest > 0n; rest /= 10_000n) digits.push(Number(rest % 10_000n));
  return digits.reverse();
}

function allocate(oid: number, length: number, bytes: number, hasNulls: boolean): [Buffer, DataView] {
  const array = Buffer.allocUnsafeSlow(HEADER + 4 * length + bytes);
  const view = new DataView(array.buffer, array.byteOffset, array.length);
  view.setInt32(0, 1);
  view.setInt32(4, hasNulls ? 1 : 0);
  view.setInt32(8, oid);
  view.setInt32(12, length);
  view.setInt32(16, 1);
  return [array, view];
}

function writeInt64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / HIGH);
  if (high >= HIGH / 2 || high < -HIGH / 2) throw new RangeError(`${value} has more than 64 bits`);
  view.setInt32(at, high);
  view.setUint32(at + 4, value - high * HIGH);
}

function writeMicros(view: DataView, at: number, value: number): void {
  const micros = value - EPOCH_MS * 1000;
  if (Number.isSafeInteger(micros)) writeInt64(view, at, micros);
  else view.setBigInt64(at, BigInt(value) - BigInt(EPOCH_MS) * 1000n);
}

function writeLarge(view: DataView, at: number, oid: number, value: bigint): void {
  const isTime = oid === formats["timestamp"]?.oid || oid === formats["timestamptz"]?.oid;
  view.setBigInt64(at, isTime ? value - BigInt(EPOCH_MS) * 1000n : value);
}
