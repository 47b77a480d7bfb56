/** What the replica that keeps house for a stage needs of PostgreSQL. */
import type { TablePlan } from "@caudal/pipeline/sql";
import type { Connection } from "./connection.ts";
import type { Index } from "./core/final-rows.ts";
import { identifier, literal, qualified, storage } from "./core/identifiers.ts";
import type { Owner } from "./core/table-decision.ts";

/** A commit holds the row of its tables' marks for as long as it lasts; a mark that waits longer is moved at the next turn. */
export const MARK_WAIT_MS = 2_000;
const INDEX_MS = 3_600_000;

/** One process at a time keeps house for a stage: asked again and again, granted when the one before is gone. */
export async function tryToLead(connection: Connection, { pipeline, stage }: Owner): Promise<boolean> {
  const { rows } = await connection.query<{ leads: boolean }>("try to lead", {
    text: `select pg_try_advisory_lock(hashtextextended(${literal(`caudal housekeeping ${pipeline} ${stage}`)}, 0)) as leads`,
  });
  return rows[0]?.leads === true;
}

/** Conditions on the claim `c`: a worker of another definition or another pipeline moves no mark. */
export const mine = "c.pipeline = $1 and c.stage = $2 and c.table_name = $3 and c.uid = $4 and c.plan = $5";

/** Values of {@link mine}. */
export function ownership(owner: Owner, table: TablePlan): readonly string[] {
  return [owner.pipeline, owner.stage, table.name, owner.uid, table.hash];
}

/** Whether the owner has the table, under this definition. */
export async function isOwned(connection: Connection, owner: Owner, table: TablePlan): Promise<boolean> {
  const { rows } = await connection.query("find claim", {
    name: "find claim",
    text: `select from caudal.claims c where ${mine}`,
    values: ownership(owner, table),
  });
  return rows.length > 0;
}

/**
 * Makes an index of a table's rows, without holding up commits. One that was left half made, by a crash, is made again. What
 * else has its name, such as another table, is left alone.
 */
export async function ensureIndex(connection: Connection, table: TablePlan, index: Index): Promise<void> {
  const { schema, name } = storage(table);
  const names = [index.name, `#${index.name}`];
  const { rows } = await connection.query<{ name: string; ours: boolean; valid: boolean }>("find index", {
    text: `select c.relname as name, coalesce(i.indrelid = to_regclass($3), false) as ours, coalesce(i.indisvalid, false) as valid
      from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_index i on i.indexrelid = c.oid
      where n.nspname = $1 and c.relname = any($2::text[])`,
    values: [schema, names, qualified({ schema, name })],
  });
  const found = rows.find(({ ours }) => ours);
  if (found?.valid === true) return;
  if (found !== undefined) {
    const place = qualified({ schema, name: found.name });
    await connection.query("make index", { text: `drop index concurrently ${place}` });
  }
  const free = names.find((candidate) => rows.every((row) => row.ours || row.name !== candidate)) ?? index.name;
  const text = `create index concurrently ${identifier(free)} on ${qualified({ schema, name })} (${index.columns})`;
  await connection.querySlowly("make index", { text }, INDEX_MS);
}
