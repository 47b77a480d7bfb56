/** Letting go of old windows: the floor first, in a transaction of its own, and then what lies below it, a little at a time. */
import type { TablePlan } from "@caudal/pipeline/sql";
import type { Connection } from "./connection.ts";
import { qualified, storage } from "./core/identifiers.ts";
import type { Owner } from "./core/table-decision.ts";
import { MARK_WAIT_MS, mine, ownership } from "./housekeeping.ts";
import { TransactionConflict } from "./errors.ts";
import { milliseconds } from "./core/table-ddl.ts";
import { deleteSessions } from "./sessions.ts";
import { endColumn } from "./core/window-ends.ts";

/**
 * Raises the floor to the stage's watermark less the table's retention, at a boundary between windows. It never goes
 * back, also when retention becomes longer. Waits for the commits that hold the row.
 *
 * @param table with a retention
 * @returns the floor, epoch milliseconds; null while there is none, and for a table that the owner does not have
 */
export async function raiseFloor(connection: Connection, owner: Owner, table: TablePlan): Promise<number | null> {
  try {
    await moveFloor(connection, owner, table);
  } catch (error) {
    if (!(error instanceof TransactionConflict)) throw error;
  }
  return await readFloor(connection, owner, table);
}

async function moveFloor(connection: Connection, owner: Owner, table: TablePlan): Promise<void> {
  const old = `w.watermark - ${milliseconds(table.retention ?? 0)}`;
  // What has not been put into the outbox is kept for it; least() alone would take no account of NULL.
  const kept =
    table.emit === undefined
      ? old
      : `case when c.emitted_end is not null then least(${old}, c.emitted_end - interval '1 microsecond') end`;
  await connection.inTransaction("raise floor", async () => {
    await connection.query("raise floor", { text: `set local lock_timeout = ${MARK_WAIT_MS}` });
    await connection.query("raise floor", {
      text: `update caudal.claims c set floor = f.floor
        from (
          select date_bin(${milliseconds(table.advance)}, ${kept}, timestamptz 'epoch') as floor
          from caudal.claims c join caudal.watermarks w on w.pipeline = $1 and w.stage = $2 where ${mine}
        ) f
        where ${mine} and (c.floor is null or c.floor < f.floor)`,
      values: ownership(owner, table),
    });
  });
}

async function readFloor(connection: Connection, owner: Owner, table: TablePlan): Promise<number | null> {
  const { rows } = await connection.query<{ floor: string | null }>("raise floor", {
    text: `select floor(extract(epoch from c.floor) * 1000) as floor from caudal.claims c where ${mine}`,
    values: ownership(owner, table),
  });
  const floor = rows[0]?.floor ?? null;
  return floor === null ? null : Number(floor);
}

/**
 * Deletes rows that nothing above the floor needs, oldest first; rows that someone holds are left for the next call.
 *
 * @param floor as {@link raiseFloor} has committed it
 * @returns how many; fewer than the limit: there are no more for now
 */
export async function deleteBelow(
  connection: Connection,
  table: TablePlan,
  floor: number,
  limit: number,
): Promise<number> {
  if (table.gap !== undefined) return await deleteSessions(connection, table, floor, limit);
  const { column, after } = endColumn(table);
  const place = qualified(storage(table));
  const { rowCount } = await connection.query("delete old rows", {
    name: `delete old rows of ${table.name}`,
    text: `delete from ${place} where ctid = any(array(
        select ctid from ${place}
        where ${column} <= timestamptz 'epoch' + $1::bigint * interval '1 millisecond' - ${after}
        order by ${column} limit $2 for update skip locked))`,
    values: [floor, limit],
  });
  return rowCount ?? 0;
}
