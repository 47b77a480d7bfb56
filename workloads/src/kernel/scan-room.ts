/** Room in the scanner's memory for one thing at a time; it grows with what is put there. */
import type { ScanMemory } from "./scan-memory.ts";

/** The scanner reads words and vectors beyond an end, up to a byte that stops it. */
const SLACK = 64;
const FIRST_BYTES = 64 * 1024;

export class ScanRoom {
  readonly #memory: ScanMemory;
  #pointer = 0;
  #bytes = 0;

  constructor(memory: ScanMemory) {
    this.#memory = memory;
  }

  /** Copies bytes to where the scanner can read them, until the next call. @returns where */
  put(bytes: Uint8Array): number {
    if (bytes.length + SLACK > this.#bytes) {
      if (this.#pointer !== 0) this.#memory.exports.release(this.#pointer);
      this.#bytes = Math.max(FIRST_BYTES, Math.ceil(1.25 * bytes.length) + SLACK);
      this.#pointer = this.#memory.allocate(this.#bytes);
    }
    const all = this.#memory.bytes;
    all.set(bytes, this.#pointer);
    all.fill(0, this.#pointer + bytes.length, this.#pointer + bytes.length + SLACK);
    return this.#pointer;
  }
}
