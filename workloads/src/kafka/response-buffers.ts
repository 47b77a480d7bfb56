/**
 * Memory for fetched bytes, used again and again: a new buffer for every response would keep the garbage collector busy
 * for a fifth of the time. Of two, one is read while the next response arrives in the other.
 */
export class ResponseBuffers {
  #current = Buffer.alloc(0);
  #other = Buffer.alloc(0);

  /** One buffer of the chunks from `from` on. It holds until the second call after this one. */
  gather(chunks: readonly Buffer[], from: number, length: number): Buffer {
    [this.#current, this.#other] = [this.#other, this.#current];
    if (this.#current.length < length) this.#current = Buffer.allocUnsafeSlow(Math.ceil(length * 1.25));
    let skipped = from;
    let at = 0;
    for (const chunk of chunks) {
      const start = Math.min(skipped, chunk.length);
      skipped -= start;
      at += chunk.copy(this.#current, at, start, Math.min(chunk.length, start + length - at));
    }
    return this.#current.subarray(0, at);
  }
}
