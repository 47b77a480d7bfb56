/** Builds one record batch (format v2, see record-batch.ts) straight into a buffer, without an object a record. */
import { crc32c } from "@platformatic/kafka";

/** What a batch is filled to: below the usual max.message.bytes of 1 MiB, with room for one record. */
export const BATCH_BYTES = 512 * 1024;
export const BATCH_HEADER_BYTES = 61;
const CRC_FROM = 21;

export type Bytes = Buffer | string | null;
export type Header = readonly [name: string, value: Buffer | string | null];

/** Numbers the records of a producer, so that the broker recognises one that comes twice. */
export interface ProducerNumbers {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  /** The batch is part of a transaction. */
  readonly transactional?: boolean;
}

/** Bit of a batch's attributes. */
const TRANSACTIONAL = 0x10;

export class BatchEncoder {
  #bytes: Buffer;
  #at = BATCH_HEADER_BYTES;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;

  /** @param capacity bytes to begin with; it grows */
  constructor(capacity = 64 * 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(capacity, BATCH_HEADER_BYTES));
  }

  /** Begins anew, in the same memory: what was finished before has no meaning any more. */
  clear(): void {
    this.#at = BATCH_HEADER_BYTES;
    this.#count = 0;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of the batch so far. */
  get size(): number {
    return this.#at;
  }

  /** @param timestamp whole epoch milliseconds */
  append(timestamp: number, key: Bytes, value: Bytes, headers: readonly Header[] = []): void {
    if (this.#count === 0) this.#baseTimestamp = this.#maxTimestamp = timestamp;
    else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    const delta = timestamp - this.#baseTimestamp;
    const keyLength = lengthOf(key);
    const valueLength = lengthOf(value);
    let size = 1 + varintSize(delta) + varintSize(this.#count) + fieldSize(keyLength) + fieldSize(valueLength);
    size += varintSize(headers.length);
    for (const [name, content] of headers) size += fieldSize(lengthOf(name)) + fieldSize(lengthOf(content));
    this.#reserve(size + 10);
    this.#varint(size);
    this.#bytes[this.#at++] = 0;
    this.#varint(delta);
    this.#varint(this.#count);
    this.#field(key, keyLength);
    this.#field(value, valueLength);
    this.#varint(headers.length);
    for (const [name, content] of headers) {
      this.#field(name, lengthOf(name));
      this.#field(content, lengthOf(content));
    }
    this.#count++;
  }

  /**
   * Begins anew with records that are encoded.
   *
   * @param bytes of the records, numbered from 0, with times counted from `baseTimestamp`
   * @param maxTimestamp the latest of them
   */
  fill(bytes: Uint8Array, count: number, baseTimestamp: number, maxTimestamp: number): void {
    this.clear();
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, BATCH_HEADER_BYTES);
    this.#at = BATCH_HEADER_BYTES + bytes.length;
    this.#count = count;
    this.#baseTimestamp = baseTimestamp;
    this.#maxTimestamp = maxTimestamp;
  }

  /** The finished batch, a view of the encoder's buffer; it may be finished again with other numbers. */
  finish({ producerId, producerEpoch, baseSequence, transactional = false }: ProducerNumbers): Buffer {
    const bytes = this.#bytes.subarray(0, this.#at);
    bytes.writeBigInt64BE(0n, 0);
    bytes.writeInt32BE(this.#at - 12, 8);
    bytes.writeInt32BE(-1, 12);
    bytes.writeInt8(2, 16);
    bytes.writeInt16BE(transactional ? TRANSACTIONAL : 0, CRC_FROM);
    bytes.writeInt32BE(this.#count - 1, 23);
    bytes.writeBigInt64BE(BigInt(this.#baseTimestamp), 27);
    bytes.writeBigInt64BE(BigInt(this.#maxTimestamp), 35);
    bytes.writeBigInt64BE(producerId, 43);
    bytes.writeInt16BE(producerEpoch, 51);
    bytes.writeInt32BE(baseSequence, 53);
    bytes.writeInt32BE(this.#count, 57);
    bytes.writeUInt32BE(crc32c(bytes.subarray(CRC_FROM)), 17);
    return bytes;
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + more));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  #field(value: Bytes, length: number): void {
    this.#varint(length);
    if (value === null) return;
    if (typeof value !== "string") value.copy(this.#bytes, this.#at);
    // A byte a character: ASCII, which is faster to write as what it also is.
    else if (value.length === length) this.#bytes.write(value, this.#at, "latin1");
    else this.#bytes.write(value, this.#at);
    this.#at += length;
  }

  /** Zigzag varint of a whole number below 2^52. */
  #varint(value: number): void {
    let left = value >= 0 ? value * 2 : -value * 2 - 1;
    while (left > 0x7f) {
      this.#bytes[this.#at++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    this.#bytes[this.#at++] = left;
  }
}

/** Bytes that a value has, -1 for null. */
function lengthOf(value: Bytes): number {
  if (value === null) return -1;
  return typeof value === "string" ? Buffer.byteLength(value) : value.length;
}

function fieldSize(length: number): number {
  return varintSize(length) + Math.max(0, length);
}

function varintSize(value: number): number {
  let left = value >= 0 ? value * 2 : -value * 2 - 1;
  let size = 1;
  while (left > 0x7f) {
    left = Math.floor(left / 0x80);
    size++;
  }
  return size;
}
