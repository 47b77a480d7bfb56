/**
 * Keys of the objects of a row, or of a value alone, to find one that an object has twice. Each object has a number of its own; an entry of the
 * table is the hash of a key and the number of its object, and is free where that number is of an earlier one.
 */
import { allocate } from "./dictionary";

const ENTRIES: u32 = 1024;
const MASK: u32 = ENTRIES - 1;
/** More keys than this are left to the strict reader: the table is half empty at least. */
const MAX_KEYS: u32 = ENTRIES / 2;

let table: u32 = 0;
/** Number of the last object, and of the first one of the row. */
let object: u32 = 0;
let first: u32 = 0;
let count: u32 = 0;

/** Begins with a row, or a value. */
export function beginKeys(): void {
  if (table == 0) table = allocate(ENTRIES << 3);
  if (object == 0 || object > 0xf000_0000) {
    memory.fill(table, 0, ENTRIES << 3);
    object = 0;
  }
  first = object + 1;
  count = 0;
}

/** @returns the number of a new object */
export function beginObject(): u32 {
  return ++object;
}

/** Adds a key, bytes [from, to). @returns whether it is certain that the object does not have it yet */
export function isNewKey(owner: u32, from: u32, to: u32): bool {
  if (++count > MAX_KEYS) return false;
  const hash = keyHash(from, to);
  let slot = (hash + owner) & MASK;
  let entry = table + (slot << 3);
  for (let known = load<u32>(entry); known >= first; known = load<u32>(entry)) {
    // Another key of the same hash is as rare as it is harmless.
    if (known == owner && load<u32>(entry + 4) == hash) return false;
    slot = (slot + 1) & MASK;
    entry = table + (slot << 3);
  }
  store<u32>(entry, owner);
  store<u32>(entry + 4, hash);
  return true;
}

/** Words are multiplied in. It is apart from the dictionaries' hash, which is computed in place where it stands alone. */
function keyHash(from: u32, to: u32): u32 {
  let hash: u64 = to - from;
  let at = from;
  for (; at + 8 <= to; at += 8) hash = rotl<u64>((hash ^ load<u64>(at)) * 0x9e3779b97f4a7c15, 31);
  const bits = <u64>(to - at) * 8;
  hash = (hash ^ (load<u64>(at) & (((<u64>1) << bits) - 1))) * 0x9e3779b97f4a7c15;
  return <u32>(hash >> 32);
}
