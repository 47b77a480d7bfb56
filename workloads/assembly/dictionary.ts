/**
 * Distinct texts with a number each, in memory of our own. A dictionary is a block of words:
 *
 *   0 slots ptr · 4 hashes ptr · 8 ends ptr · 12 bytes ptr · 16 slot mask · 20 size · 24 capacity · 28 bytes used ·
 *   32 bytes capacity · 36 longest text
 *
 * Slots are an open-addressed table of codes (-1: free), twice as many as the capacity. Text c is bytes
 * [ends[c], ends[c + 1]): ends[0] is 0.
 */

const SLOTS: u32 = 0;
const HASHES: u32 = 4;
const ENDS: u32 = 8;
const BYTES: u32 = 12;
const MASK: u32 = 16;
const SIZE: u32 = 20;
const CAPACITY: u32 = 24;
const USED: u32 = 28;
const BYTES_CAPACITY: u32 = 32;
const LONGEST: u32 = 36;
const STRUCT_BYTES: u32 = 40;

const FIRST_CAPACITY: u32 = 1024;
const FIRST_BYTES: u32 = 16 * 1024;
/** Words are read whole: what lies behind a text is masked out, but has to be there. */
const SLACK: u32 = 16;

export function makeDictionary(): u32 {
  const dictionary = allocate(STRUCT_BYTES);
  const ends = allocate((FIRST_CAPACITY + 1) << 2);
  store<u32>(ends, 0);
  store<u32>(dictionary + SLOTS, emptySlots(FIRST_CAPACITY));
  store<u32>(dictionary + HASHES, allocate(FIRST_CAPACITY << 2));
  store<u32>(dictionary + ENDS, ends);
  store<u32>(dictionary + BYTES, allocate(FIRST_BYTES + SLACK));
  store<u32>(dictionary + MASK, 2 * FIRST_CAPACITY - 1);
  store<u32>(dictionary + SIZE, 0);
  store<u32>(dictionary + CAPACITY, FIRST_CAPACITY);
  store<u32>(dictionary + USED, 0);
  store<u32>(dictionary + BYTES_CAPACITY, FIRST_BYTES);
  store<u32>(dictionary + LONGEST, 0);
  return dictionary;
}

export function freeDictionary(dictionary: u32): void {
  release(load<u32>(dictionary + SLOTS));
  release(load<u32>(dictionary + HASHES));
  release(load<u32>(dictionary + ENDS));
  release(load<u32>(dictionary + BYTES));
  release(dictionary);
}

/** The code of bytes [from, to), which are copied when they are new. At least 8 bytes have to lie behind them. */
export function code(dictionary: u32, from: u32, to: u32): u32 {
  const length = to - from;
  const hash = hashOf(from, to);
  const mask = load<u32>(dictionary + MASK);
  const slots = load<u32>(dictionary + SLOTS);
  const hashes = load<u32>(dictionary + HASHES);
  const ends = load<u32>(dictionary + ENDS);
  const bytes = load<u32>(dictionary + BYTES);
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const known = load<i32>(slots + (slot << 2));
    if (known < 0) break;
    if (load<u32>(hashes + ((<u32>known) << 2)) != hash) continue;
    const start = load<u32>(ends + ((<u32>known) << 2));
    const end = load<u32>(ends + ((<u32>known) << 2) + 4);
    if (end - start == length && same(bytes + start, from, length)) return known;
  }
  return add(dictionary, hash, from, length);
}

function add(dictionary: u32, hash: u32, from: u32, length: u32): u32 {
  const size = load<u32>(dictionary + SIZE);
  if (size == load<u32>(dictionary + CAPACITY)) grow(dictionary, size);
  const used = load<u32>(dictionary + USED);
  const needed = used + length;
  if (needed > load<u32>(dictionary + BYTES_CAPACITY)) growBytes(dictionary, used, needed);
  memory.copy(load<u32>(dictionary + BYTES) + used, from, length);
  store<u32>(load<u32>(dictionary + ENDS) + ((size + 1) << 2), needed);
  store<u32>(load<u32>(dictionary + HASHES) + (size << 2), hash);
  place(load<u32>(dictionary + SLOTS), load<u32>(dictionary + MASK), hash, size);
  store<u32>(dictionary + USED, needed);
  store<u32>(dictionary + SIZE, size + 1);
  if (length > load<u32>(dictionary + LONGEST)) store<u32>(dictionary + LONGEST, length);
  return size;
}

function grow(dictionary: u32, size: u32): void {
  const capacity = size << 1;
  const hashes = moved(load<u32>(dictionary + HASHES), size << 2, capacity << 2);
  const ends = moved(load<u32>(dictionary + ENDS), (size + 1) << 2, (capacity + 1) << 2);
  release(load<u32>(dictionary + SLOTS));
  const slots = emptySlots(capacity);
  const mask = (capacity << 1) - 1;
  for (let known: u32 = 0; known < size; known++) place(slots, mask, load<u32>(hashes + (known << 2)), known);
  store<u32>(dictionary + SLOTS, slots);
  store<u32>(dictionary + HASHES, hashes);
  store<u32>(dictionary + ENDS, ends);
  store<u32>(dictionary + MASK, mask);
  store<u32>(dictionary + CAPACITY, capacity);
}

function growBytes(dictionary: u32, used: u32, needed: u32): void {
  const doubled = load<u32>(dictionary + BYTES_CAPACITY) << 1;
  const capacity = doubled > needed ? doubled : needed;
  store<u32>(dictionary + BYTES, moved(load<u32>(dictionary + BYTES), used, capacity + SLACK));
  store<u32>(dictionary + BYTES_CAPACITY, capacity);
}

function place(slots: u32, mask: u32, hash: u32, known: u32): void {
  let slot = hash & mask;
  while (load<i32>(slots + (slot << 2)) >= 0) slot = (slot + 1) & mask;
  store<u32>(slots + (slot << 2), known);
}

function emptySlots(capacity: u32): u32 {
  const slots = allocate(capacity << 3);
  memory.fill(slots, 0xff, capacity << 3);
  return slots;
}

/** Words are multiplied in, with the high half brought down each time (as in MurmurHash3's finalizer). */
function hashOf(from: u32, to: u32): u32 {
  let hash: u64 = 0x9e3779b97f4a7c15 ^ (to - from);
  let at = from;
  for (; at + 8 <= to; at += 8) {
    hash = (hash ^ load<u64>(at)) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  if (at < to) {
    const bits = <u64>(to - at) * 8;
    const rest = load<u64>(at) & (((<u64>1) << bits) - 1);
    hash = (hash ^ rest) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  return <u32>hash;
}

/** Whether two runs of bytes are equal. */
export function same(one: u32, other: u32, length: u32): bool {
  let at: u32 = 0;
  for (; at + 8 <= length; at += 8) if (load<u64>(one + at) != load<u64>(other + at)) return false;
  for (; at < length; at++) if (load<u8>(one + at) != load<u8>(other + at)) return false;
  return true;
}

export function allocate(bytes: u32): u32 {
  return <u32>heap.alloc(bytes);
}

export function release(block: u32): void {
  heap.free(block);
}

function moved(block: u32, used: u32, bytes: u32): u32 {
  const larger = allocate(bytes);
  memory.copy(larger, block, used);
  release(block);
  return larger;
}
