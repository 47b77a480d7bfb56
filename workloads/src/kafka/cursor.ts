/** Reads Kafka's numbers from a buffer, one after another. Lengths and offsets stay below 2^53, so they are numbers. */
import { CorruptBatch } from "./errors.ts";

const HIGH = 0x1_0000_0000;

export class Cursor {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  int8(): number {
    const value = this.bytes.readInt8(this.at);
    this.at += 1;
    return value;
  }

  int16(): number {
    const value = this.bytes.readInt16BE(this.at);
    this.at += 2;
    return value;
  }

  int32(): number {
    const value = this.bytes.readInt32BE(this.at);
    this.at += 4;
    return value;
  }

  int64(): number {
    const value = int64At(this.bytes, this.at);
    this.at += 8;
    return value;
  }

  /** Zigzag, at most 64 bits. */
  varint(): number {
    const { bytes } = this;
    const first = bytes[this.at++] ?? this.#past();
    if (first < 0x80) return (first >>> 1) ^ -(first & 1);
    const second = bytes[this.at++] ?? this.#past();
    let value = (first & 0x7f) | ((second & 0x7f) << 7);
    if (second < 0x80) return (value >>> 1) ^ -(value & 1);
    let scale = 0x4000;
    for (let i = 2; i < 10; i++) {
      const byte = bytes[this.at++] ?? this.#past();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 0x80;
    }
    throw new CorruptBatch("a number has more than 64 bits");
  }

  unsignedVarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 5; i++) {
      const byte = this.bytes[this.at++] ?? this.#past();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new CorruptBatch("a length has more than 32 bits");
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Buffer {
    const end = this.at + length;
    if (length < 0 || end > this.bytes.length) this.#past();
    const view = this.bytes.subarray(this.at, end);
    this.at = end;
    return view;
  }

  /** Skips tagged fields, but for those that `known` reads. */
  taggedFields(known?: (tag: number, field: Cursor) => void): void {
    for (let left = this.unsignedVarint(); left > 0; left--) {
      const tag = this.unsignedVarint();
      const field = new Cursor(this.take(this.unsignedVarint()));
      known?.(tag, field);
    }
  }

  #past(): never {
    throw new CorruptBatch("the bytes end inside a value");
  }
}

export function int64At(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * HIGH + bytes.readUInt32BE(at + 4);
}
