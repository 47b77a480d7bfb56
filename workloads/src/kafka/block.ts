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
import { type OriginalRecord, type RecordBlock, ValueKind } from "./record-block.ts";
import { readBatches, type RecordBatch, unpack } from "./record-batch.ts";
import { Originals, type Segment } from "./original.ts";
import { Traceparents } from "./traceparents.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;

export interface FetchedBytes {
  readonly topic: string;
  readonly partition: number;
  /** Records before it are not wanted: a batch may begin earlier. */
  readonly fetchOffset: number;
  readonly lastStableOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly records: Buffer;
}

/**
 * Decodes one partition's part of a fetch as committed reads see it.
 *
 * @throws CorruptBatch, FormatUnsupported
 */
export function decodeBlock(fetched: FetchedBytes): RecordBlock {
  const { fetchOffset, lastStableOffset } = fetched;
  // The broker ends a committed fetch at the last stable offset; what is beyond could still be aborted.
  const batches = readBatches(fetched.records).filter(
    (batch) => batch.lastOffset >= fetchOffset && batch.baseOffset < lastStableOffset,
  );
  const last = batches.at(-1);
  const columns = new Columns(committedBatches(batches, fetched.aborted), fetchOffset);
  const originals = new Originals(columns.segments);
  return {
    topic: fetched.topic,
    partition: fetched.partition,
    count: columns.count,
    nextOffset: last === undefined ? fetchOffset : last.lastOffset + 1,
    leaderEpoch: last?.leaderEpoch ?? -1,
    offsets: columns.offsets.subarray(0, columns.count),
    timestamps: columns.timestamps.subarray(0, columns.count),
    kinds: columns.kinds.subarray(0, columns.count),
    lines: columns.lines.subarray(0, columns.length),
    lineEnds: columns.lineEnds.subarray(0, columns.count),
    traceparents: columns.traceparents.list,
    original: (row: number): OriginalRecord => originals.record(row),
  };
}

/** The columns of a block while they are filled. They are made as large as they can become, once. */
class Columns {
  readonly offsets: Float64Array;
  readonly timestamps: Float64Array;
  readonly kinds: Uint8Array;
  readonly lineEnds: Uint32Array;
  readonly lines: Buffer;
  readonly segments: Segment[] = [];
  readonly traceparents = new Traceparents();
  count = 0;
  length = 0;

  constructor(batches: readonly RecordBatch[], fetchOffset: number) {
    const rows = batches.reduce((sum, batch) => sum + batch.count, 0);
    const unpacked = batches.map(unpack);
    this.offsets = new Float64Array(rows);
    this.timestamps = new Float64Array(rows);
    this.kinds = new Uint8Array(rows);
    this.lineEnds = new Uint32Array(rows);
    // A record has at least 7 bytes besides its value: more than its line has.
    this.lines = Buffer.allocUnsafeSlow(unpacked.reduce((sum, records) => sum + records.length, 0));
    batches.forEach((batch, index) => {
      const firstRow = this.count;
      this.#add(batch, unpacked[index] ?? batch.packed, fetchOffset);
      this.segments.push({ batch, firstRow, rows: this.count - firstRow, fetchOffset });
    });
    this.#endLines();
  }

  #add(batch: RecordBatch, records: Buffer, fetchOffset: number): void {
    const { offsets, timestamps, kinds, lineEnds, lines } = this;
    const { baseOffset, baseTimestamp, appendTime } = batch;
    const cursor = new Cursor(records);
    let row = this.count;
    let to = this.length;
    for (let i = 0; i < batch.count; i++) {
      const length = cursor.varint();
      const end = cursor.at + length;
      if (length < 0 || end > records.length) throw tornRecord(batch);
      cursor.at++;
      const timestampDelta = cursor.varint();
      const offset = baseOffset + cursor.varint();
      if (offset < fetchOffset) {
        cursor.at = end;
        continue;
      }
      const keyLength = cursor.varint();
      if (keyLength > 0) cursor.at += keyLength;
      const valueLength = cursor.varint();
      const valueEnd = cursor.at + valueLength;
      if (valueEnd >= end) throw tornRecord(batch);
      if (valueLength > 0) {
        records.copy(lines, to, cursor.at, valueEnd);
        to += valueLength;
        cursor.at = valueEnd;
      } else {
        kinds[row] = valueLength === 0 ? ValueKind.Empty : ValueKind.Null;
        lines[to++] = QUOTE;
        lines[to++] = QUOTE;
      }
      lines[to++] = SPACE;
      offsets[row] = offset;
      timestamps[row] = appendTime ?? baseTimestamp + timestampDelta;
      lineEnds[row] = to;
      row++;
      if (records[cursor.at] !== 0 && !this.traceparents.full) this.traceparents.collect(cursor);
      cursor.at = end;
    }
    this.count = row;
    this.length = to;
  }

  /** Breaks inside values become spaces, which JSON reads alike between tokens; then each line gets its LF. */
  #endLines(): void {
    const { lines, lineEnds, count } = this;
    const written = lines.subarray(0, this.length);
    for (const lineBreak of [CR, LF])
      for (let at = written.indexOf(lineBreak); at >= 0; at = written.indexOf(lineBreak, at + 1)) written[at] = SPACE;
    for (let row = 0; row < count; row++) lines[(lineEnds[row] ?? 0) - 1] = LF;
  }
}

function tornRecord(batch: RecordBatch): CorruptBatch {
  return new CorruptBatch(`a record of the batch at offset ${batch.baseOffset} ends outside it`);
}
