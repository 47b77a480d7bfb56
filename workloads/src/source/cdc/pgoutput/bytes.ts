/** Reads the integers and texts of the replication protocol, big-endian, one behind the other. */
import { ReplicationUnreadable } from "../../errors.ts";

export class Bytes {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  /** A letter that says what follows. */
  tag(): string {
    return String.fromCharCode(this.int8());
  }

  int8(): number {
    this.#need(1);
    return this.#buffer[this.#at++] ?? 0;
  }

  int16(): number {
    this.#need(2);
    const value = this.#buffer.readInt16BE(this.#at);
    this.#at += 2;
    return value;
  }

  /** Object identifiers are unsigned, and so is everything else of this size here. */
  uint32(): number {
    this.#need(4);
    const value = this.#buffer.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  uint64(): bigint {
    this.#need(8);
    const value = this.#buffer.readBigUInt64BE(this.#at);
    this.#at += 8;
    return value;
  }

  /** UTF-8 up to a zero byte. */
  text(): string {
    const end = this.#buffer.indexOf(0, this.#at);
    if (end < 0) throw new ReplicationUnreadable("a text of a replication message does not end");
    const value = this.#buffer.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return value;
  }

  /** UTF-8 of so many bytes. */
  sized(length: number): string {
    this.#need(length);
    const value = this.#buffer.toString("utf8", this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  rest(): Buffer {
    return this.#buffer.subarray(this.#at);
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#buffer.length)
      throw new ReplicationUnreadable(`a replication message of ${this.#buffer.length} bytes is cut off`);
  }
}
