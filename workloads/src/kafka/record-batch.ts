/**
 * Record batches, format v2 (Kafka 0.11 and newer):
 *
 *   baseOffset int64 · length int32 · leaderEpoch int32 · magic int8 (2) · crc uint32 · attributes int16 ·
 *   lastOffsetDelta int32 · baseTimestamp int64 · maxTimestamp int64 · producerId int64 · producerEpoch int16 ·
 *   baseSequence int32 · count int32 · records
 *
 * `length` counts from leaderEpoch on; the CRC-32C covers attributes to the end. Attributes: bits 0–2 codec, bit 3 the
 * broker's time for all records, bit 4 transactional, bit 5 control. The records alone are compressed.
 */
import { crc32c } from "@platformatic/kafka";
import { decompress } from "./codec.ts";
import { Cursor, int64At } from "./cursor.ts";
import { CorruptBatch, FormatUnsupported } from "./errors.ts";

const HEADER = 61;
const BEFORE_LENGTH = 12;
const CRC_FROM = 21;

export interface RecordBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  readonly codec: number;
  readonly transactional: boolean;
  readonly control: boolean;
  /** Time of all records when the broker stamps them, else undefined. */
  readonly appendTime: number | undefined;
  readonly baseTimestamp: number;
  readonly producerId: number;
  readonly count: number;
  /** The records, still compressed: a view. */
  readonly packed: Buffer;
}

/**
 * The complete batches of a fetch, in order; brokers cut the last one off where a size limit ends.
 *
 * @throws CorruptBatch when a checksum does not match, FormatUnsupported for message formats v0 and v1
 */
export function readBatches(bytes: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let at = 0; at + HEADER <= bytes.length;) {
    const magic = bytes[at + 16];
    if (magic !== 2)
      throw new FormatUnsupported(
        `records in message format v${magic}: only v2, of Kafka 0.11 and newer, is read; copy the topic with a newer client`,
      );
    const length = bytes.readInt32BE(at + 8);
    const end = at + BEFORE_LENGTH + length;
    if (length < HEADER - BEFORE_LENGTH) throw new CorruptBatch(`a record batch has the length ${length}`);
    if (end > bytes.length) break;
    batches.push(readBatch(bytes, at, end));
    at = end;
  }
  return batches;
}

function readBatch(bytes: Buffer, at: number, end: number): RecordBatch {
  const baseOffset = int64At(bytes, at);
  const stored = bytes.readUInt32BE(at + 17);
  const computed = crc32c(bytes.subarray(at + CRC_FROM, end));
  if (stored !== computed)
    throw new CorruptBatch(`the checksum of the batch at offset ${baseOffset} is ${computed}, and should be ${stored}`);
  const attributes = bytes.readInt16BE(at + CRC_FROM);
  return {
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(at + 23),
    leaderEpoch: bytes.readInt32BE(at + 12),
    codec: attributes & 0x07,
    transactional: (attributes & 0x10) !== 0,
    control: (attributes & 0x20) !== 0,
    appendTime: (attributes & 0x08) === 0 ? undefined : int64At(bytes, at + 35),
    baseTimestamp: int64At(bytes, at + 27),
    producerId: int64At(bytes, at + 43),
    count: bytes.readInt32BE(at + 57),
    packed: bytes.subarray(at + HEADER, end),
  };
}

/** The records of a batch, unpacked. @throws CorruptBatch, FormatUnsupported */
export function unpack(batch: RecordBatch): Buffer {
  return decompress(batch.codec, batch.packed);
}

/** A transaction's end marker: whether it aborts. Its key is a version and a type (0 abort, 1 commit), both int16. */
export function isAbortMarker(batch: RecordBatch): boolean {
  if (!batch.control || batch.count === 0) return false;
  const cursor = new Cursor(unpack(batch));
  cursor.varint();
  cursor.int8();
  cursor.varint();
  cursor.varint();
  const keyLength = cursor.varint();
  if (keyLength < 4) throw new CorruptBatch(`the control record at offset ${batch.baseOffset} has no type`);
  cursor.int16();
  return cursor.int16() === 0;
}
