/** Claims and result tables: checked and made once when a worker connects, in one transaction, one process at a time. */
import type { TablePlan } from "../sql/plan.ts";
import type { Connection } from "./connection.ts";
import { literal, qualified, storage } from "./core/identifiers.ts";
import { createTable, createView, storedColumns, viewComment } from "./core/table-ddl.ts";
import { type Claim, decideTable, type Owner, type TableDecision, type TableObserved } from "./core/table-decision.ts";
import { TableRefused } from "./errors.ts";
import { SCHEMA_LOCK } from "./schema.ts";

/**
 * Claims each table for the owner, and makes those that are not there.
 *
 * @throws TableRefused for the first table that the owner may not write; nothing is changed then
 */
export async function prepareTables(
  connection: Connection,
  owner: Owner,
  tables: readonly TablePlan[],
): Promise<readonly { readonly table: TablePlan; readonly action: TableDecision["action"] }[]> {
  return await connection.inTransaction("prepare tables", async () => {
    await connection.query("prepare tables", { text: `select pg_advisory_xact_lock(${SCHEMA_LOCK})` });
    const decided = [];
    for (const table of tables) {
      const decision = decideTable(await observeTable(connection, owner, table), owner);
      if (decision.action === "refuse") throw new TableRefused(decision.reason, decision.message);
      await applyDecision(connection, owner, table, decision.action);
      decided.push({ table, action: decision.action });
    }
    return decided;
  });
}

/** Says to others, for as long as this connection lives, that workers of the owner's uid are at work. */
export async function announce(connection: Connection, owner: Owner): Promise<void> {
  await connection.query("announce", { text: `select pg_advisory_lock_shared(${presence(owner.uid)})` });
}

function presence(uid: string): string {
  return `hashtextextended(${literal(`caudal uid ${uid}`)}, 0)`;
}

async function observeTable(connection: Connection, owner: Owner, table: TablePlan): Promise<TableObserved> {
  const claim = await readClaim(connection, table.name);
  const columns = await readColumns(connection, storage(table));
  return {
    table: table.name,
    plan: table.hash,
    expected: storedColumns(table),
    claim,
    claimantAlive: claim !== null && claim.uid !== owner.uid && (await isPresent(connection, claim.uid)),
    columns,
    nameTaken: await exists(connection, `to_regclass(${literal(`public."${table.name}"`)}) is not null`),
    hasRows: columns !== null && (await exists(connection, `exists (select from ${qualified(storage(table))})`)),
    hasProgress: await exists(connection, `exists (select from caudal.progress where pipeline = $1 and output = $2)`, [
      owner.pipeline,
      table.name,
    ]),
  };
}

async function applyDecision(
  connection: Connection,
  owner: Owner,
  table: TablePlan,
  action: "create" | "keep" | "inherit",
): Promise<void> {
  switch (action) {
    case "keep":
      return await refreshView(connection, table);
    case "create":
      for (const text of createTable(table)) await connection.query("create table", { text });
      await connection.query("claim table", {
        text: "insert into caudal.claims (table_name, pipeline, stage, uid, plan) values ($1, $2, $3, $4, $5)",
        values: [table.name, owner.pipeline, owner.stage, owner.uid, table.hash],
      });
      // Progress that outlived its table and claim belongs to nothing.
      await connection.query("claim table", {
        text: "delete from caudal.progress where pipeline = $1 and output = $2",
        values: [owner.pipeline, table.name],
      });
      return;
    case "inherit":
      await connection.query("inherit table", {
        text: `update caudal.claims set uid = $2, retired_uids = array_append(retired_uids, uid), claimed_at = now()
          where table_name = $1`,
        values: [table.name, owner.uid],
      });
      await connection.query("inherit table", {
        text: "update caudal.progress set uid = $3 where pipeline = $1 and output = $2",
        values: [owner.pipeline, table.name, owner.uid],
      });
      return await refreshView(connection, table);
  }
}

/** Another release may have made the view of panes. */
async function refreshView(connection: Connection, table: TablePlan): Promise<void> {
  if (!table.panes) return;
  const { rows } = await connection.query<{ comment: string | null }>("observe table", {
    text: `select obj_description(to_regclass(${literal(`public."${table.name}"`)}), 'pg_class') as comment`,
  });
  if (rows[0]?.comment === viewComment(table)) return;
  for (const text of createView(table)) await connection.query("make view", { text });
}

async function readClaim(connection: Connection, table: string): Promise<Claim | null> {
  const { rows } = await connection.query<{
    pipeline: string;
    stage: string;
    uid: string;
    plan: string;
    retired_uids: string[];
  }>("read claim", {
    text: "select pipeline, stage, uid, plan, retired_uids from caudal.claims where table_name = $1",
    values: [table],
  });
  const row = rows[0];
  if (row === undefined) return null;
  const { retired_uids: retiredUids, ...rest } = row;
  return { ...rest, retiredUids };
}

async function readColumns(connection: Connection, place: { readonly schema: string; readonly name: string }) {
  const { rows } = await connection.query<{ name: string; type: string }>("read columns", {
    text: `select a.attname as name, format_type(a.atttypid, a.atttypmod) as type
      from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p')
      order by a.attnum`,
    values: [place.schema, place.name],
  });
  return rows.length === 0 ? null : rows;
}

async function isPresent(connection: Connection, uid: string): Promise<boolean> {
  // Held until this transaction ends, which is when the claim has passed on.
  return await exists(connection, `not pg_try_advisory_xact_lock(${presence(uid)})`);
}

async function exists(connection: Connection, condition: string, values: readonly unknown[] = []): Promise<boolean> {
  const { rows } = await connection.query<{ found: boolean }>("observe table", {
    text: `select ${condition} as found`,
    values,
  });
  return rows[0]?.found === true;
}
