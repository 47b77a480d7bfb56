/** The records of one batch: each with its length and its deltas before what was written of it (see write.ts). */
import { begin, copy, endAt, outputBytes, roomFor, varintBytes, writeVarint } from "./output";

export { outputBytes, outputStart } from "./output";

/** Bytes of the length, the attributes and the deltas of a record at most. */
const BEFORE: u32 = 24;

let latest: f64 = 0;

/**
 * Writes a batch of rows, as many as it takes.
 *
 * @param rows list of rows, of which `count` from place `from` on are wanted
 * @param bytes of all rows' records, one after the other; `ends` has where each of them ends
 * @param times by row, epoch milliseconds; the first row's is the base
 * @param most bytes that they may have, if they are more than one
 * @returns how many rows it has
 */
export function writeBatch(rows: u32, count: u32, bytes: u32, ends: u32, times: u32, most: u32): u32 {
  begin();
  latest = load<f64>(times + (load<u32>(rows) << 3));
  const base = <i64>latest;
  for (let i: u32 = 0; i < count; i++) {
    const row = load<u32>(rows + (i << 2));
    const start = row == 0 ? 0 : load<u32>(ends + ((row - 1) << 2));
    const length = load<u32>(ends + (row << 2)) - start;
    if (i > 0 && outputBytes() + BEFORE + length > most) return i;
    const time = load<f64>(times + (row << 3));
    if (time > latest) latest = time;
    const delta = <i64>time - base;
    let at = roomFor(BEFORE + length);
    at = writeVarint(at, 1 + varintBytes(delta) + varintBytes(i) + length);
    store<u8>(at, 0);
    at = writeVarint(at + 1, delta);
    at = writeVarint(at, i);
    endAt(copy(at, bytes + start, length));
  }
  return count;
}

/** The latest time of the last batch. */
export function latestTime(): f64 {
  return latest;
}
