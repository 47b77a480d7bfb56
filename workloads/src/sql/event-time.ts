/** Event times of the table `event`, held against the times of their records. */
import { type Finding, finding } from "./bad-rows.ts";
import type { DuckDB } from "./duckdb.ts";
import { ROW, TIME } from "./event-columns.ts";
import type { Slice } from "./lines.ts";

/**
 * No event up to this time, in microseconds, can be too far ahead of its own record: all records are later than the
 * earliest. null when no record has a time, and nothing can be too far ahead.
 */
export function safeUntil({ block, from, to }: Slice, maxAheadMs: number): number | null {
  let earliest = Infinity;
  for (const time of block.timestamps.subarray(from, to)) if (time >= 0 && time < earliest) earliest = time;
  return earliest === Infinity ? null : Math.floor(earliest + maxAheadMs) * 1000;
}

/** Finds the events of more than `maxAheadMs` after their record. A record without a time holds nothing against its event. */
export async function findTooFarAhead(
  duckdb: DuckDB,
  { block }: Slice,
  maxAheadMs: number,
  safe: number,
): Promise<ReadonlyMap<number, Finding>> {
  const found = new Map<number, Finding>();
  const suspects = await duckdb.rows(
    `select ${ROW} as n, ${TIME} / 1000 as t from event where ${TIME} > ${safe}::hugeint`,
  );
  for (const { n, t } of suspects) {
    const [row, time] = [Number(n), Number(t)];
    const record = block.timestamps[row] ?? -1;
    if (record < 0 || time <= record + maxAheadMs) continue;
    const [event, produced] = [new Date(time).toISOString(), new Date(record).toISOString()];
    found.set(
      row,
      finding("TooFarAhead", `the event is of ${event}, its record of ${produced}, more than ${maxAheadMs} ms before`),
    );
  }
  return found;
}
