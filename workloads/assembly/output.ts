/** A buffer of our own that grows with what is written to it, and how bytes and lengths are written. */
import { allocate, release } from "./dictionary";

/** Vectors are written whole. */
const SLACK: u32 = 16;
const LONG: u32 = 512;

let block: u32 = 0;
let capacity: u32 = 0;
let used: u32 = 0;

/** Begins anew: what was written has no meaning any more. */
export function begin(): void {
  used = 0;
}

/** Where the next bytes go: so many, and a vector's rest. What was asked for before may have moved. */
export function roomFor(more: u32): u32 {
  const needed = used + more + SLACK;
  if (needed > capacity) {
    const larger = max(2 * capacity, needed);
    const moved = allocate(larger);
    if (block != 0) {
      memory.copy(moved, block, used);
      release(block);
    }
    block = moved;
    capacity = larger;
  }
  return block + used;
}

/** @param at behind the last byte @returns bytes so far */
export function endAt(at: u32): u32 {
  used = at - block;
  return used;
}

/** Where it begins. */
export function outputStart(): u32 {
  return block;
}

/** Bytes so far. */
export function outputBytes(): u32 {
  return used;
}

/** Copies to where as many bytes, and a vector's rest, may be written. @returns behind the last */
export function copy(to: u32, from: u32, length: u32): u32 {
  if (length > LONG) memory.copy(to, from, length);
  else for (let at: u32 = 0; at < length; at += 16) v128.store(to + at, v128.load(from + at));
  return to + length;
}

/** Writes a whole number as a zigzag varint. @returns behind it */
export function writeVarint(to: u32, value: i64): u32 {
  let at = to;
  let left: u64 = (value << 1) ^ (value >> 63);
  for (; left > 0x7f; left >>= 7) store<u8>(at++, (<u32>(left & 0x7f)) | 0x80);
  store<u8>(at, <u32>left);
  return at + 1;
}

export function varintBytes(value: i64): u32 {
  const zigzag: u64 = (value << 1) ^ (value >> 63);
  return (70 - <u32>clz(zigzag | 1)) / 7;
}
