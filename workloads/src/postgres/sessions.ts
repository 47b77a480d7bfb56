/** Old sessions, and the locks of groups that have none left. */
import type { TablePlan } from "@caudal/pipeline/sql";
import type { Connection } from "./connection.ts";
import { qualified, storage } from "./core/identifiers.ts";
import { groupHash } from "./core/group-hash.ts";
import { groupLocks } from "./core/session-groups.ts";
import { endColumn } from "./core/window-ends.ts";

/**
 * Deletes sessions that have ended, oldest first, in one transaction that holds their groups as a commit does. Sessions of
 * groups that a commit holds are left for the next call.
 *
 * @param floor epoch milliseconds at or before which they ended
 * @returns how many; fewer than the limit: there are no more for now
 */
export async function deleteSessions(
  connection: Connection,
  table: TablePlan,
  floor: number,
  limit: number,
): Promise<number> {
  const [place, locks, hash] = [qualified(storage(table)), groupLocks(table), groupHash(table, "t")];
  const { column, after } = endColumn(table);
  const time = "(timestamptz 'epoch' + $1::bigint * interval '1 millisecond')";
  const ended = `t.${column} <= ${time} - ${after} and t."window_end" <= ${time}`;
  return await connection.inTransaction("delete old rows", async () => {
    const { rows } = await connection.query<{ hash: string }>("delete old rows", {
      name: `lock old rows of ${table.name}`,
      text: `select l.hash from ${locks} l
        where l.hash = any(array(select ${hash} from ${place} t where ${ended} order by t.${column} limit $2))
        order by l.hash for update skip locked`,
      values: [floor, limit],
    });
    if (rows.length === 0) return 0;
    const held = rows.map((row) => row.hash);
    const deleted = await connection.query("delete old rows", {
      name: `delete old rows of ${table.name}`,
      text: `delete from ${place} where ctid = any(array(
        select t.ctid from ${place} t where ${hash} = any($2::bigint[]) and ${ended}
        order by t.${column} limit $3))`,
      values: [floor, held, limit],
    });
    await connection.query("delete old rows", {
      name: `unlock groups of ${table.name}`,
      text: `delete from ${locks} l where l.hash = any($1::bigint[])
        and not exists (select from ${place} t where ${hash} = l.hash)`,
      values: [held],
    });
    return deleted.rowCount ?? 0;
  });
}
