/** Letting go of old windows: the floor first, in a transaction of its own, and then what lies below it, a little at a time. */
import type { TablePlan } from "../sql/plan.ts";
import type { Connection } from "./connection.ts";
import { identifier, literal, qualified, storage } from "./core/identifiers.ts";
import type { Owner } from "./core/table-decision.ts";
import { TransactionConflict } from "./errors.ts";
import { milliseconds } from "./core/table-ddl.ts";
import { deleteSessions } from "./sessions.ts";
import { endColumn } from "./core/window-ends.ts";

/** A commit holds the floor's row for as long as it lasts; a floor that waits longer is raised at the next turn. */
const FLOOR_WAIT_MS = 2_000;
const INDEX_MS = 3_600_000;

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
  await connection.inTransaction("raise floor", async () => {
    await connection.query("raise floor", { text: `set local lock_timeout = ${FLOOR_WAIT_MS}` });
    await connection.query("raise floor", {
      text: `update caudal.claims c set floor = w.floor
        from (select date_bin(${milliseconds(table.advance)}, watermark - ${milliseconds(table.retention ?? 0)}, timestamptz 'epoch') as floor
              from caudal.watermarks where pipeline = $1 and stage = $2) w
        where ${mine} and (c.floor is null or c.floor < w.floor)`,
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

/** Conditions on the claim `c`: a worker of another definition or another pipeline lets go of nothing. */
const mine = "c.pipeline = $1 and c.stage = $2 and c.table_name = $3 and c.uid = $4 and c.plan = $5";

function ownership(owner: Owner, table: TablePlan): readonly string[] {
  return [owner.pipeline, owner.stage, table.name, owner.uid, table.hash];
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

/**
 * Makes the index by which old rows are found, without holding up commits. One that was left half made, by a crash, is
 * made again.
 */
export async function ensureEndIndex(connection: Connection, table: TablePlan): Promise<void> {
  const { schema, name } = storage(table);
  const index = `${name}_by_end`;
  const { rows } = await connection.query<{ valid: boolean }>("find index", {
    text: `select i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid
      join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`,
    values: [schema, index],
  });
  if (rows[0]?.valid === true) return;
  const place = qualified({ schema, name: index });
  if (rows[0] !== undefined) await connection.query("make index", { text: `drop index concurrently ${place}` });
  const on = `${qualified({ schema, name })} (${endColumn(table).column})`;
  const text = `create index concurrently ${identifier(index)} on ${on}`;
  await connection.querySlowly("make index", { text }, INDEX_MS);
}

/** One process at a time keeps house for a stage: asked again and again, granted when the one before is gone. */
export async function tryToLead(connection: Connection, { pipeline, stage }: Owner): Promise<boolean> {
  const { rows } = await connection.query<{ leads: boolean }>("try to lead", {
    text: `select pg_try_advisory_lock(hashtextextended(${literal(`caudal housekeeping ${pipeline} ${stage}`)}, 0)) as leads`,
  });
  return rows[0]?.leads === true;
}
