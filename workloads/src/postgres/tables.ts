/** Claims and result tables: checked and made once when a worker connects, in one transaction, one process at a time. */
import type { TablePlan } from "@caudal/pipeline/sql";
import type { Connection } from "./connection.ts";
import {
  claimTable,
  ensureSchema,
  exists,
  inheritTable,
  isPresent,
  keepMeaning,
  readClaim,
  readColumns,
} from "./claims.ts";
import { literal, placeOf, qualified, storage } from "./core/identifiers.ts";
import { createTable, createView, storedColumns, viewComment } from "./core/table-ddl.ts";
import { decideTable, type Owner, supersedes, type TableDecision, type TableObserved } from "./core/table-decision.ts";
import { readAsked, storeAsked } from "./definitions.ts";
import { type DatabaseError, DatabaseRefused, TableRefused } from "./errors.ts";
import { SCHEMA_LOCK } from "./schema.ts";

/** What became of a table: it may be written, or why not. */
export interface Prepared {
  readonly table: TablePlan;
  readonly action: TableDecision["action"];
  /** Of a table that is refused, by us or by PostgreSQL. */
  readonly refusal?: DatabaseError;
}

/**
 * Claims each table for the owner, and makes those that are not there. One that is refused stands in no other's way; what
 * was asked for is remembered all the same, so that nothing older takes the table when it is forgotten.
 *
 * @param generation metadata.generation of the pipeline, as the owner's configuration has it
 */
export async function prepareTables(
  connection: Connection,
  owner: Owner,
  tables: readonly TablePlan[],
  generation: number,
): Promise<readonly Prepared[]> {
  return await connection.inTransaction("prepare tables", async () => {
    await connection.query("prepare tables", { text: `select pg_advisory_xact_lock(${SCHEMA_LOCK})` });
    const prepared: Prepared[] = [];
    for (const table of tables) prepared.push(await prepareTable(connection, owner, table, generation));
    return prepared;
  });
}

async function prepareTable(
  connection: Connection,
  owner: Owner,
  table: TablePlan,
  generation: number,
): Promise<Prepared> {
  const observed = await observeTable(connection, owner, table, generation);
  const decision = decideTable(observed, owner);
  const { action } = decision;
  if (action !== "refuse") {
    await connection.query("prepare tables", { text: "savepoint before" });
    try {
      await applyDecision(connection, owner, table, action);
    } catch (error) {
      if (!(error instanceof DatabaseRefused)) throw error;
      await connection.query("prepare tables", { text: "rollback to savepoint before" });
      return { table, action: "refuse", refusal: error };
    }
  }
  if (supersedes(observed, owner, action !== "refuse")) await storeAsked(connection, owner, table, generation);
  if (action !== "refuse") return { table, action };
  return { table, action, refusal: new TableRefused(decision.reason, decision.message) };
}

async function observeTable(
  connection: Connection,
  owner: Owner,
  table: TablePlan,
  generation: number,
): Promise<TableObserved> {
  const claim = await readClaim(connection, table.name);
  const columns = await readColumns(connection, storage(table));
  return {
    table: table.name,
    plan: table.hash,
    meaning: table.meaning,
    expected: storedColumns(table),
    claim,
    asked: await readAsked(connection, table.name),
    asks: table.hash,
    generation,
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
      await keepMeaning(connection, table);
      return await refreshView(connection, table);
    case "create":
      await ensureSchema(connection, placeOf(table.name));
      for (const text of createTable(table)) await connection.query("create table", { text });
      await claimTable(connection, owner, table);
      return;
    case "inherit":
      await inheritTable(connection, owner, table.name);
      await keepMeaning(connection, table);
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
