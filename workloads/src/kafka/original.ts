/** A record as it was produced, decoded again on demand: only bad records need it. */
import { Cursor } from "./cursor.ts";
import type { OriginalRecord } from "./record-block.ts";
import { type RecordBatch, unpack } from "./record-batch.ts";

/** A batch and the rows of the block that came from it. */
export interface Segment {
  readonly batch: RecordBatch;
  readonly firstRow: number;
  readonly rows: number;
  readonly fetchOffset: number;
}

interface Unpacked {
  readonly records: Buffer;
  /** Where each row's record begins, after its length. */
  readonly positions: Uint32Array;
}

/** The records of one block. It keeps at most one batch unpacked: bad records come in runs. */
export class Originals {
  readonly #segments: readonly Segment[];
  #last: { readonly segment: Segment; readonly unpacked: Unpacked } | undefined;

  constructor(segments: readonly Segment[]) {
    this.#segments = segments;
  }

  /** @throws RangeError when the block has no such row */
  record(row: number): OriginalRecord {
    const segment = this.#segments.find(({ firstRow, rows }) => row >= firstRow && row < firstRow + rows);
    if (segment === undefined) throw new RangeError(`the block has no row ${row}`);
    if (this.#last?.segment !== segment) this.#last = { segment, unpacked: locate(segment) };
    const { records, positions } = this.#last.unpacked;
    return decode(segment.batch, new Cursor(records, positions[row - segment.firstRow]));
  }
}

/** @param cursor at the record's attributes */
function decode(batch: RecordBatch, cursor: Cursor): OriginalRecord {
  cursor.at++;
  const timestampDelta = cursor.varint();
  const offset = batch.baseOffset + cursor.varint();
  return { offset, timestamp: batch.appendTime ?? batch.baseTimestamp + timestampDelta, ...bodyOf(cursor) };
}

/** What follows a record's place and time. @param cursor at the length of its key */
export function bodyOf(cursor: Cursor): Pick<OriginalRecord, "key" | "value" | "headers"> {
  const key = bytes(cursor);
  const value = bytes(cursor);
  const headers: (readonly [string, Buffer | null])[] = [];
  for (let left = cursor.varint(); left > 0; left--) {
    const name = cursor.take(cursor.varint()).toString("utf8");
    headers.push([name, bytes(cursor)]);
  }
  return { key, value, headers };
}

function bytes(cursor: Cursor): Buffer | null {
  const length = cursor.varint();
  // A copy: a record in hand must not keep its whole batch.
  return length < 0 ? null : Buffer.from(cursor.take(length));
}

/** Finds where the records begin. */
function locate({ batch, rows, fetchOffset }: Segment): Unpacked {
  const records = unpack(batch);
  const positions = new Uint32Array(rows);
  const cursor = new Cursor(records);
  let row = 0;
  for (let i = 0; i < batch.count; i++) {
    const length = cursor.varint();
    const begin = cursor.at;
    cursor.at++;
    cursor.varint();
    if (batch.baseOffset + cursor.varint() >= fetchOffset) positions[row++] = begin;
    cursor.at = begin + length;
  }
  return { records, positions };
}
