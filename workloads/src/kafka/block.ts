/**
 * From the bytes of a fetch to a RecordBlock. A record of a batch, all lengths and deltas zigzag varints:
 *
 *   length · attributes int8 · timestampDelta · offsetDelta · keyLength, key · valueLength, value ·
 *   headerCount, then each nameLength, name, valueLength, value
 *
 * A length of -1 is null.
 */
import { type AbortedTransaction, committedBatches } from "./aborted.ts";
import { Cursor } from "./cursor.ts";
import { CorruptBatch } from "./errors.ts";
import { NULL_VALUE, type OriginalRecord, type RecordBlock } from "./record-block.ts";
import { readBatches, type RecordBatch, unpack } from "./record-batch.ts";
import { Originals, type Segment } from "./original.ts";
import { Traceparents } from "./traceparents.ts";

export interface FetchedBytes {
  readonly topic: string;
  readonly partition: number;
  /** Records before it are not wanted: a batch may begin earlier. */
  readonly fetchOffset: number;
  readonly lastStableOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly records: Buffer;
}

export interface DecodedBlock {
  readonly block: RecordBlock;
  /** Length of the records that it was made of, as they came. */
  readonly packedBytes: number;
}

/**
 * Decodes one partition's part of a fetch as committed reads see it.
 *
 * @param unpackBytes compressed batches are unpacked until they come to this: at least one, and the rest is left to be
 * fetched again
 * @throws CorruptBatch, FormatUnsupported
 */
export function decodeBlock(fetched: FetchedBytes, unpackBytes = Infinity): DecodedBlock {
  const { fetchOffset, lastStableOffset } = fetched;
  // The broker ends a committed fetch at the last stable offset; what is beyond could still be aborted.
  const batches = readBatches(fetched.records).filter(
    (batch) => batch.lastOffset >= fetchOffset && batch.baseOffset < lastStableOffset,
  );
  const committed = committedBatches(batches, fetched.aborted);
  const gathered = gather(committed, fetched.records, unpackBytes);
  const taken = committed.slice(0, gathered.places.length);
  const rest = committed[taken.length];
  const last = rest === undefined ? batches.at(-1) : taken.at(-1);
  const columns = new Columns(taken, fetchOffset, gathered);
  const originals = new Originals(columns.segments);
  const block = {
    topic: fetched.topic,
    partition: fetched.partition,
    count: columns.count,
    nextOffset: last === undefined ? fetchOffset : last.lastOffset + 1,
    leaderEpoch: last?.leaderEpoch ?? -1,
    offsets: columns.offsets.subarray(0, columns.count),
    timestamps: columns.timestamps.subarray(0, columns.count),
    bytes: columns.bytes,
    starts: columns.starts.subarray(0, columns.count),
    ends: columns.ends.subarray(0, columns.count),
    heads: columns.heads.subarray(0, columns.count),
    tails: columns.tails.subarray(0, columns.count),
    traceparents: columns.traceparents.list,
    original: (row: number): OriginalRecord => originals.record(row),
  };
  return { block, packedBytes: taken.reduce((sum, { packed }) => sum + packed.length, 0) };
}

/** The columns of a block while they are filled. They are made as large as they can become, once. */
class Columns {
  readonly offsets: Float64Array;
  readonly timestamps: Float64Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly heads: Int32Array;
  readonly tails: Int32Array;
  readonly bytes: Buffer;
  readonly segments: Segment[] = [];
  readonly traceparents = new Traceparents();
  count = 0;

  constructor(batches: readonly RecordBatch[], fetchOffset: number, { bytes, places }: Gathered) {
    const rows = batches.reduce((sum, batch) => sum + batch.count, 0);
    this.offsets = new Float64Array(rows);
    this.timestamps = new Float64Array(rows);
    this.starts = new Int32Array(rows);
    this.ends = new Int32Array(rows);
    this.heads = new Int32Array(rows);
    this.tails = new Int32Array(rows);
    this.bytes = bytes;
    batches.forEach((batch, index) => {
      const firstRow = this.count;
      const { from, to } = places[index] ?? { from: 0, to: 0 };
      this.#add(batch, from, to, fetchOffset);
      this.segments.push({ batch, firstRow, rows: this.count - firstRow, fetchOffset });
    });
  }

  /** @param at where the batch's records begin in `bytes` @param limit where they end */
  #add(batch: RecordBatch, at: number, limit: number, fetchOffset: number): void {
    const { offsets, timestamps, starts, ends, heads, tails, bytes } = this;
    const { baseOffset, baseTimestamp, appendTime } = batch;
    const cursor = new Cursor(bytes, at);
    let row = this.count;
    for (let i = 0; i < batch.count; i++) {
      const length = cursor.varint();
      const end = cursor.at + length;
      if (length < 0 || end > limit) throw tornRecord(batch);
      cursor.at++;
      const timestampDelta = cursor.varint();
      const offset = baseOffset + cursor.varint();
      if (offset < fetchOffset) {
        cursor.at = end;
        continue;
      }
      heads[row] = cursor.at;
      tails[row] = end;
      const keyLength = cursor.varint();
      if (keyLength > 0) cursor.at += keyLength;
      const valueLength = cursor.varint();
      const start = cursor.at;
      const valueEnd = valueLength > 0 ? start + valueLength : start;
      if (valueEnd >= end) throw tornRecord(batch);
      starts[row] = start;
      ends[row] = valueLength < 0 ? NULL_VALUE : valueEnd;
      offsets[row] = offset;
      timestamps[row] = appendTime ?? baseTimestamp + timestampDelta;
      row++;
      if (bytes[valueEnd] !== 0 && !this.traceparents.full) {
        cursor.at = valueEnd;
        this.traceparents.collect(cursor);
      }
      cursor.at = end;
    }
    this.count = row;
  }
}

interface Gathered {
  readonly bytes: Buffer;
  /** Where the records of each batch are in them. */
  readonly places: readonly { readonly from: number; readonly to: number }[];
}

/** The records of the batches in one buffer: what was fetched, or a new one where something has to be unpacked. */
function gather(batches: readonly RecordBatch[], fetched: Buffer, unpackBytes: number): Gathered {
  if (batches.every(({ codec }) => codec === 0)) {
    const places = batches.map(({ packed }) => {
      const from = packed.byteOffset - fetched.byteOffset;
      return { from, to: from + packed.length };
    });
    return { bytes: fetched, places };
  }
  const unpacked: Buffer[] = [];
  const places: { from: number; to: number }[] = [];
  let end = 0;
  for (const batch of batches) {
    if (end >= unpackBytes) break;
    const bytes = unpack(batch);
    unpacked.push(bytes);
    places.push({ from: end, to: (end += bytes.length) });
  }
  const [only] = unpacked;
  return { bytes: unpacked.length === 1 && only !== undefined ? only : Buffer.concat(unpacked, end), places };
}

function tornRecord(batch: RecordBatch): CorruptBatch {
  return new CorruptBatch(`a record of the batch at offset ${batch.baseOffset} ends outside it`);
}
