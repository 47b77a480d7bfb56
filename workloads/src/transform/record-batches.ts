/** Records as the batches of their partitions, written by WebAssembly: see workloads/assembly/batch.ts. */
import { BATCH_HEADER_BYTES, BatchEncoder } from "../kafka/batch-encoder.ts";
import { ScanMemory } from "../kernel/scan-memory.ts";
import { ScanRoom } from "../kernel/scan-room.ts";
import type { Rows } from "./output.ts";

export class RecordBatches {
  readonly #memory = new ScanMemory();
  readonly #bytes = new ScanRoom(this.#memory);
  readonly #ends = new ScanRoom(this.#memory);
  readonly #times = new ScanRoom(this.#memory);
  readonly #rows = new ScanRoom(this.#memory);
  /** To be filled again. */
  #free: BatchEncoder[] = [];

  /** Takes batches back that have been written. */
  recycle(batches: Iterable<readonly BatchEncoder[]>): void {
    this.#free = [...batches].flat();
  }

  /**
   * Gives each partition its records, in the order of the rows. A record goes where its key's hash says, one without a key
   * where its source's partition says.
   *
   * @param most bytes that a batch has, if it has more than one record
   */
  encode({ records, partitions: sources }: Rows, partitions: number, most: number): Map<number, BatchEncoder[]> {
    if (records === undefined) return new Map();
    const { values, hashes, timestamps } = records;
    const { rows, ends } = byTarget(
      hashes.map((hash, row) => (hash < 0 ? (sources[row] as number) : hash) % partitions),
      partitions,
    );
    const memory = this.#memory;
    const bytesAt = this.#bytes.put(values.bytes);
    const endsAt = this.#ends.put(bytesOf(values.ends));
    const timesAt = this.#times.put(bytesOf(timestamps));
    const rowsAt = this.#rows.put(bytesOf(rows));
    const batches = new Map<number, BatchEncoder[]>();
    for (let target = 0, from = 0; target < partitions; target++)
      for (const to = ends[target] as number; from < to;) {
        const at = rowsAt + 4 * from;
        const count = memory.exports.writeBatch(at, to - from, bytesAt, endsAt, timesAt, most - BATCH_HEADER_BYTES);
        const start = memory.exports.outputStart();
        const encoded = memory.bytes.subarray(start, start + memory.exports.outputBytes());
        const encoder = this.#free.pop() ?? new BatchEncoder(0);
        encoder.fill(encoded, count, timestamps[rows[from] as number] as number, memory.exports.latestTime());
        batches.set(target, [...(batches.get(target) ?? []), encoder]);
        from += count;
      }
    return batches;
  }
}

/** @returns the rows by target, in their order, and where those of each target end */
function byTarget(targets: Int32Array, count: number): { readonly rows: Int32Array; readonly ends: Int32Array } {
  const ends = new Int32Array(count);
  for (const target of targets) (ends[target] as number)++;
  let sum = 0;
  // Until all rows are placed, where each target's next row goes.
  for (let target = 0; target < count; target++) {
    const rows = ends[target] as number;
    ends[target] = sum;
    sum += rows;
  }
  const rows = new Int32Array(targets.length);
  for (let row = 0; row < targets.length; row++) rows[(ends[targets[row] as number] as number)++] = row;
  return { rows, ends };
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array | Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
