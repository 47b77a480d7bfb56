/** A slice of a block in the scanner's memory: its records, and where in them each row's key, value and headers are. */
import type { Records } from "../kafka/record-block.ts";
import type { ScanMemory } from "./scan-memory.ts";
import { ScanRoom } from "./scan-room.ts";

export class HeldSlice {
  /** Lists with a word a row, counted from {@link base}: see Records. */
  readonly starts: number;
  readonly ends: number;
  readonly heads: number;
  readonly tails: number;
  readonly #memory: ScanMemory;
  readonly #room: ScanRoom;
  #base = 0;

  /** @param rows that a slice has at most */
  constructor(memory: ScanMemory, rows: number) {
    this.#memory = memory;
    this.#room = new ScanRoom(memory);
    this.starts = memory.allocate(4 * rows);
    this.ends = memory.allocate(4 * rows);
    this.heads = memory.allocate(4 * rows);
    this.tails = memory.allocate(4 * rows);
  }

  /** Where byte 0 of the block's bytes would lie. */
  get base(): number {
    return this.#base;
  }

  /** Holds rows [from, to) of the block instead of what was held before. */
  hold(block: Records, from: number, to: number): void {
    const first = block.heads[from] ?? 0;
    this.#base = this.#room.put(block.bytes.subarray(first, first + sliceBytes(block, from, to))) - first;
    const { words } = this.#memory;
    words.set(block.starts.subarray(from, to), this.starts >>> 2);
    words.set(block.ends.subarray(from, to), this.ends >>> 2);
    words.set(block.heads.subarray(from, to), this.heads >>> 2);
    words.set(block.tails.subarray(from, to), this.tails >>> 2);
  }
}

/** Bytes from the first row's key to the last one's headers, with what is between them in the log. */
export function sliceBytes({ heads, tails }: Records, from: number, to: number): number {
  return (tails[to - 1] ?? 0) - (heads[from] ?? 0);
}
