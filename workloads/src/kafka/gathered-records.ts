/**
 * A few records of several blocks as one, copied: what has come in all partitions is worked on in one go, and may wait for
 * a moment, while a block holds only until more is asked for.
 */
import { NULL_VALUE, type OriginalRecord, type RecordBlock, type Records } from "./record-block.ts";
import { Cursor } from "./cursor.ts";
import { bodyOf } from "./original.ts";

interface Piece {
  readonly block: Pick<RecordBlock, "partition">;
  readonly bytes: Buffer;
  readonly offsets: Float64Array;
  readonly timestamps: Float64Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly heads: Int32Array;
  readonly tails: Int32Array;
}

export class GatheredRecords {
  #pieces: Piece[] = [];
  #topic = "";
  /** Records so far, and bytes of them. */
  count = 0;
  bytes = 0;

  /** Unbroken runs of records, each of one partition. */
  get pieces(): number {
    return this.#pieces.length;
  }

  /** Adds rows [from, to) of a block, at least one. */
  add(block: RecordBlock, from: number, to: number): void {
    const first = block.heads[from] as number;
    const bytes = Buffer.from(block.bytes.subarray(first, block.tails[to - 1]));
    const shift = this.bytes - first;
    const moved = (places: Int32Array) => places.slice(from, to).map((at) => (at === NULL_VALUE ? at : at + shift));
    this.#topic = block.topic;
    this.#pieces.push({
      block: { partition: block.partition },
      bytes,
      offsets: block.offsets.slice(from, to),
      timestamps: block.timestamps.slice(from, to),
      starts: moved(block.starts),
      ends: moved(block.ends),
      heads: moved(block.heads),
      tails: moved(block.tails),
    });
    this.count += to - from;
    this.bytes += bytes.length;
  }

  /** Gives all of them, in the order in which they were added, and forgets them. */
  take(): Records {
    const { count } = this;
    const partitions = new Int32Array(count);
    const [offsets, timestamps] = [new Float64Array(count), new Float64Array(count)];
    const [starts, ends, heads, tails] = [0, 1, 2, 3].map(() => new Int32Array(count)) as [
      ...[Int32Array, Int32Array, Int32Array, Int32Array],
    ];
    let row = 0;
    for (const piece of this.#pieces) {
      partitions.fill(piece.block.partition, row, row + piece.offsets.length);
      offsets.set(piece.offsets, row);
      timestamps.set(piece.timestamps, row);
      starts.set(piece.starts, row);
      ends.set(piece.ends, row);
      heads.set(piece.heads, row);
      tails.set(piece.tails, row);
      row += piece.offsets.length;
    }
    const bytes = Buffer.concat(this.#pieces.map((piece) => piece.bytes));
    const original = (at: number): OriginalRecord => ({
      offset: offsets[at] as number,
      timestamp: timestamps[at] as number,
      ...bodyOf(new Cursor(bytes, heads[at])),
    });
    const taken = { topic: this.#topic, partition: partitions[0] ?? 0, partitions, count, offsets, timestamps };
    this.clear();
    return { ...taken, bytes, starts, ends, heads, tails, original };
  }

  clear(): void {
    this.#pieces = [];
    this.count = this.bytes = 0;
  }
}
