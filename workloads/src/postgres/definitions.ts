/** Which definition of each table was asked for last, and whether workers that have all of theirs accepted are at work. */
import type { Connection } from "./connection.ts";
import { literal } from "./core/identifiers.ts";
import type { Asked, Definition, Owner } from "./core/table-decision.ts";

export async function readAsked(connection: Connection, table: string): Promise<Asked | null> {
  const { rows } = await connection.query<{
    pipeline: string;
    stage: string;
    uid: string;
    plan: string;
    generation: string;
    retired_uids: string[];
  }>("read definition", {
    text: `select pipeline, stage, uid, plan, generation, retired_uids
      from caudal.definitions where table_name = $1 for update`,
    values: [table],
  });
  const row = rows[0];
  if (row === undefined) return null;
  const { retired_uids: retiredUids, generation, ...rest } = row;
  return { ...rest, retiredUids, generation: Number(generation) };
}

/**
 * Remembers what the owner asks for. A uid that is replaced never comes back.
 *
 * @param generation metadata.generation of the pipeline
 */
export async function storeAsked(
  connection: Connection,
  owner: Owner,
  { name, hash }: Definition,
  generation: number,
): Promise<void> {
  await connection.query("store definition", {
    text: `insert into caudal.definitions as d (table_name, pipeline, stage, uid, generation, plan)
      values ($1, $2, $3, $4, $5, $6)
      on conflict (table_name) do update set pipeline = excluded.pipeline, stage = excluded.stage, uid = excluded.uid,
        generation = excluded.generation, plan = excluded.plan, asked_at = now(),
        retired_uids = case
          when d.pipeline <> excluded.pipeline then '{}'
          when d.uid <> excluded.uid then array_append(d.retired_uids, d.uid)
          else d.retired_uids end
      where (d.pipeline, d.stage, d.uid, d.generation, d.plan)
        is distinct from (excluded.pipeline, excluded.stage, excluded.uid, excluded.generation, excluded.plan)`,
    values: [name, owner.pipeline, owner.stage, owner.uid, generation, hash],
  });
}

/**
 * The owner's definitions were written again, in a later generation of the pipeline: nothing that was asked for in
 * between comes before them.
 */
export async function renewAsked(
  connection: Connection,
  owner: Owner,
  tables: readonly Definition[],
  generation: number,
): Promise<void> {
  await connection.query("renew definitions", {
    text: `update caudal.definitions d set stage = $2, plan = t.plan, generation = $4, asked_at = now()
      from unnest($5::text[], $6::text[]) as t(name, plan)
      where d.table_name = t.name and d.pipeline = $1 and d.uid = $3 and d.generation < $4`,
    values: [
      ...[owner.pipeline, owner.stage, owner.uid, generation],
      tables.map(({ name }) => name),
      tables.map(({ hash }) => hash),
    ],
  });
}

/** Says to others, for as long as this connection lives, that a worker of the stage has all of its tables. */
export async function announceWhole(connection: Connection, owner: Owner): Promise<void> {
  await connection.query("announce", { text: `select pg_advisory_lock_shared(${whole(owner)})` });
}

/** Whether a worker of the stage that has all of its tables is at work. */
export async function isServed(connection: Connection, owner: Owner): Promise<boolean> {
  const { rows } = await connection.query<{ served: boolean }>("observe workers", {
    text: `select not pg_try_advisory_xact_lock(${whole(owner)}) as served`,
  });
  return rows[0]?.served === true;
}

function whole({ pipeline, stage }: Owner): string {
  return `hashtextextended(${literal(`caudal whole ${pipeline} ${stage}`)}, 0)`;
}
