/** Claims and result tables: checked and made once when a worker connects, in one transaction, one process at a time. */
import type { TablePlan } from "../sql/plan.ts";
import type { Connection } from "./connection.ts";
import { claimTable, ensureSchema, exists, inheritTable, isPresent, readClaim, readColumns } from "./claims.ts";
import { literal, placeOf, qualified, storage } from "./core/identifiers.ts";
import { createTable, createView, storedColumns, viewComment } from "./core/table-ddl.ts";
import { decideTable, type Owner, type TableDecision, type TableObserved } from "./core/table-decision.ts";
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
    nameTaken: await exists(connection, `to_regclass(${literal(qualified(placeOf(table.name)))}) is not null`),
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
      await ensureSchema(connection, placeOf(table.name));
      for (const text of createTable(table)) await connection.query("create table", { text });
      await claimTable(connection, owner, table);
      return;
    case "inherit":
      await inheritTable(connection, owner, table.name);
      return await refreshView(connection, table);
  }
}

/** Another release may have made the view of panes. */
async function refreshView(connection: Connection, table: TablePlan): Promise<void> {
  if (!table.panes) return;
  const { rows } = await connection.query<{ comment: string | null }>("observe table", {
    text: `select obj_description(to_regclass(${literal(qualified(placeOf(table.name)))}), 'pg_class') as comment`,
  });
  if (rows[0]?.comment === viewComment(table)) return;
  for (const text of createView(table)) await connection.query("make view", { text });
}
