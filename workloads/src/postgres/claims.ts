/** Who writes each table, and whether they are at work. */
import type { Connection } from "./connection.ts";
import type { TableRef } from "@caudal/crds";
import { identifier, literal } from "./core/identifiers.ts";
import type { Claim, Owner } from "./core/table-decision.ts";
import { DatabaseRefused } from "./errors.ts";

/** Says to others, for as long as this connection lives, that workers of the owner's uid are at work. */
export async function announce(connection: Connection, owner: Owner): Promise<void> {
  await connection.query("announce", { text: `select pg_advisory_lock_shared(${presence(owner.uid)})` });
}

function presence(uid: string): string {
  return `hashtextextended(${literal(`caudal uid ${uid}`)}, 0)`;
}

/** Claims a table that nobody has. @param adopted whether it was there before */
export async function claimTable(
  connection: Connection,
  owner: Owner,
  table: { readonly name: string; readonly hash: string; readonly meaning?: string },
  adopted = false,
): Promise<void> {
  await connection.query("claim table", {
    text: `insert into caudal.claims (table_name, pipeline, stage, uid, plan, adopted, meaning)
      values ($1, $2, $3, $4, $5, $6, $7)`,
    values: [table.name, owner.pipeline, owner.stage, owner.uid, table.hash, adopted, table.meaning ?? null],
  });
  // Progress that outlived its table and claim belongs to nothing.
  await connection.query("claim table", {
    text: "delete from caudal.progress where pipeline = $1 and output = $2",
    values: [owner.pipeline, table.name],
  });
}

/** The pipeline was created again: its claim and progress pass on to the new uid. */
export async function inheritTable(connection: Connection, owner: Owner, table: string): Promise<void> {
  await connection.query("inherit table", {
    text: `update caudal.claims set uid = $2, retired_uids = array_append(retired_uids, uid), claimed_at = now()
      where table_name = $1`,
    values: [table, owner.uid],
  });
  await connection.query("inherit table", {
    text: "update caudal.progress set uid = $3 where pipeline = $1 and output = $2",
    values: [owner.pipeline, table, owner.uid],
  });
}

export async function readClaim(connection: Connection, table: string): Promise<Claim | null> {
  const { rows } = await connection.query<{
    pipeline: string;
    stage: string;
    uid: string;
    plan: string;
    retired_uids: string[];
    adopted: boolean;
    meaning: string | null;
  }>("read claim", {
    text: "select pipeline, stage, uid, plan, retired_uids, adopted, meaning from caudal.claims where table_name = $1",
    values: [table],
  });
  const row = rows[0];
  if (row === undefined) return null;
  const { retired_uids: retiredUids, ...rest } = row;
  return { ...rest, retiredUids };
}

/** Remembers the definition of a table that an earlier release made. */
export async function keepMeaning(
  connection: Connection,
  { name, hash, meaning }: { readonly name: string; readonly hash: string; readonly meaning?: string },
): Promise<void> {
  if (meaning === undefined) return;
  await connection.query("keep meaning", {
    text: "update caudal.claims set meaning = $3 where table_name = $1 and plan = $2 and meaning is null",
    values: [name, hash, meaning],
  });
}

/** By table, what tells its claim from one that was made after the table had been forgotten. */
export async function readIncarnations(
  connection: Connection,
  tables: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await connection.query<{ table_name: string; claimed_at: string }>("read claim", {
    text: "select table_name, claimed_at::text from caudal.claims where table_name = any($1::text[])",
    values: [tables],
  });
  return new Map(rows.map(({ table_name, claimed_at }) => [table_name, claimed_at]));
}

export async function readColumns(connection: Connection, place: { readonly schema: string; readonly name: string }) {
  const { rows } = await connection.query<{ name: string; type: string }>("read columns", {
    text: `select a.attname as name, format_type(a.atttypid, a.atttypmod) as type
      from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p')
      order by a.attnum`,
    values: [place.schema, place.name],
  });
  return rows.length === 0 ? null : rows;
}

/** Columns of the primary key, in its order; none where there is none. @param table as SQL writes it */
export async function readKey(connection: Connection, table: string): Promise<readonly string[]> {
  const { rows } = await connection.query<{ name: string }>("read key", {
    text: `select a.attname as name
      from pg_index i, unnest(i.indkey) with ordinality as k(attnum, place), pg_attribute a
      where i.indrelid = to_regclass($1) and i.indisprimary and a.attrelid = i.indrelid and a.attnum = k.attnum
      order by k.place`,
    values: [table],
  });
  return rows.map(({ name }) => name);
}

/**
 * Makes the schema of a table that is to be made, where there is none.
 *
 * @throws DatabaseRefused when the user may not: the message says what to run
 */
export async function ensureSchema(connection: Connection, { schema }: TableRef): Promise<void> {
  if (await exists(connection, "to_regnamespace($1) is not null", [identifier(schema)])) return;
  try {
    await connection.query("create schema", { text: `create schema ${identifier(schema)}` });
  } catch (error) {
    if (!(error instanceof DatabaseRefused)) throw error;
    throw new DatabaseRefused(
      `there is no schema ${schema}, and it cannot be made (${error.message}): let the owner of the database run create schema ${identifier(schema)} and grant usage, create on it to this user`,
      { cause: error },
    );
  }
}

export async function isPresent(connection: Connection, uid: string): Promise<boolean> {
  // Held until this transaction ends, which is when the claim has passed on.
  return await exists(connection, `not pg_try_advisory_xact_lock(${presence(uid)})`);
}

export async function exists(
  connection: Connection,
  condition: string,
  values: readonly unknown[] = [],
): Promise<boolean> {
  const { rows } = await connection.query<{ found: boolean }>("observe table", {
    text: `select ${condition} as found`,
    values,
  });
  return rows[0]?.found === true;
}
