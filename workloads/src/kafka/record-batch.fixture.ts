/** Encodes record batches for tests, as a broker would keep them. */
import { crc32c } from "@platformatic/kafka";

export interface FixtureRecord {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly key?: Buffer | string | null;
  readonly value?: Buffer | string | null;
  readonly headers?: readonly (readonly [string, Buffer | string | null])[];
}

export interface FixtureBatch {
  readonly baseOffset: number;
  readonly records: readonly FixtureRecord[];
  readonly leaderEpoch?: number;
  readonly attributes?: number;
  readonly lastOffsetDelta?: number;
  readonly baseTimestamp?: number;
  readonly maxTimestamp?: number;
  readonly producerId?: number;
  readonly pack?: (records: Buffer) => Buffer;
}

export const TRANSACTIONAL = 0x10;
export const CONTROL = 0x20;
export const APPEND_TIME = 0x08;

export function encodeBatch(batch: FixtureBatch): Buffer {
  const { records, pack = (bytes: Buffer): Buffer => bytes } = batch;
  const packed = pack(Buffer.concat(records.map(encodeRecord)));
  const header = Buffer.alloc(61);
  header.writeBigInt64BE(BigInt(batch.baseOffset), 0);
  header.writeInt32BE(49 + packed.length, 8);
  header.writeInt32BE(batch.leaderEpoch ?? 0, 12);
  header.writeInt8(2, 16);
  header.writeInt16BE(batch.attributes ?? 0, 21);
  header.writeInt32BE(batch.lastOffsetDelta ?? Math.max(0, records.length - 1), 23);
  header.writeBigInt64BE(BigInt(batch.baseTimestamp ?? 0), 27);
  header.writeBigInt64BE(BigInt(batch.maxTimestamp ?? batch.baseTimestamp ?? 0), 35);
  header.writeBigInt64BE(BigInt(batch.producerId ?? -1), 43);
  header.writeInt16BE(-1, 51);
  header.writeInt32BE(-1, 53);
  header.writeInt32BE(records.length, 57);
  const bytes = Buffer.concat([header, packed]);
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
  return bytes;
}

/** The batch that ends a transaction. */
export function encodeMarker(baseOffset: number, producerId: number, kind: "abort" | "commit"): Buffer {
  const key = Buffer.from([0, 0, 0, kind === "abort" ? 0 : 1]);
  return encodeBatch({
    baseOffset,
    producerId,
    attributes: TRANSACTIONAL | CONTROL,
    records: [{ key, value: Buffer.alloc(6) }],
  });
}

function encodeRecord(record: FixtureRecord, index: number): Buffer {
  const headers = record.headers ?? [];
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(record.timestampDelta ?? 0),
    varint(record.offsetDelta ?? index),
    field(record.key ?? null),
    field(record.value ?? null),
    varint(headers.length),
    ...headers.flatMap(([name, value]) => [field(name), field(value)]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function field(value: Buffer | string | null): Buffer {
  if (value === null) return varint(-1);
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(bytes.length), bytes]);
}

/** Zigzag varint of up to 64 bits. */
export function varint(value: number): Buffer {
  let left = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes: number[] = [];
  while (left > 0x7fn) {
    bytes.push(Number(left & 0x7fn) | 0x80);
    left >>= 7n;
  }
  return Buffer.from([...bytes, Number(left)]);
}
