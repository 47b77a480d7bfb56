/** Tables of events: claimed, made, widened or taken over when a worker connects, in one transaction, one process at a time. */
import { claimTable, ensureSchema, inheritTable, isPresent, readClaim, readColumns, readKey } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { placeOf } from "./core/identifiers.ts";
import { readRelation, readTarget, type Relation } from "./target.ts";
import {
  addColumn,
  createRowsTable,
  type RowsTable,
  rowsColumns,
  rowsPlace,
  rowsText,
  type TargetForm,
} from "./core/rows-table.ts";
import {
  claimRefusal,
  forget,
  type Owner,
  supersededRefusal,
  supersedes,
  type TableObserved,
} from "./core/table-decision.ts";
import { readAsked, storeAsked } from "./definitions.ts";
import { DatabaseRefused, type TableProblem, TableRefused } from "./errors.ts";
import { SCHEMA_LOCK } from "./schema.ts";

/**
 * Claims the table for the owner. One that is not there is made; one that nobody has claimed is used where its columns
 * fit; to one of ours, columns that are new are added. What was asked for is remembered also where it is refused.
 *
 * @param generation metadata.generation of the pipeline, as the owner's configuration has it
 * @returns how its rows are written, of a table that people made
 * @throws TableRefused when the owner may not write to it, or rows do not fit; the table is not changed then
 */
export async function prepareRowsTable(
  connection: Connection,
  owner: Owner,
  table: RowsTable,
  generation: number,
): Promise<TargetForm | undefined> {
  const asks = { name: table.name, hash: table.asks };
  const prepared = await connection.inTransaction("prepare tables", async () => {
    await connection.query("prepare tables", { text: `select pg_advisory_xact_lock(${SCHEMA_LOCK})` });
    const claim = await readClaim(connection, table.name);
    const observed = {
      table: table.name,
      plan: table.hash,
      claim,
      asked: await readAsked(connection, table.name),
      asks: table.asks,
      generation,
      claimantAlive: claim !== null && claim.uid !== owner.uid && (await isPresent(connection, claim.uid)),
    };
    await connection.query("prepare tables", { text: "savepoint before" });
    try {
      const target = await prepare(connection, owner, table, observed);
      if (supersedes(observed, owner, true)) await storeAsked(connection, owner, asks, generation);
      return { target };
    } catch (error) {
      if (!(error instanceof TableRefused)) throw error;
      await connection.query("prepare tables", { text: "rollback to savepoint before" });
      if (supersedes(observed, owner, false)) await storeAsked(connection, owner, asks, generation);
      return { refusal: error };
    }
  });
  if (prepared.refusal !== undefined) throw prepared.refusal;
  return prepared.target;
}

type Observed = Pick<TableObserved, "table" | "plan" | "claim" | "asked" | "asks" | "generation" | "claimantAlive">;

async function prepare(
  connection: Connection,
  owner: Owner,
  table: RowsTable,
  observed: Observed,
): Promise<TargetForm | undefined> {
  const { claim } = observed;
  const columns = await readColumns(connection, placeOf(table.name));
  const refusal = supersededRefusal(observed, owner) ?? claimRefusal(observed, owner);
  if (refusal !== undefined) throw new TableRefused(refusal.reason, refusal.message);
  const relation = await readRelation(connection, table);
  if (claim === null && relation === undefined) {
    await ensureSchema(connection, placeOf(table.name));
    for (const text of createRowsTable(table)) await connection.query("create table", { text });
    await claimTable(connection, owner, table);
    return undefined;
  }
  if (relation === undefined || (columns === null && claim?.adopted === false))
    throw refused("TableMissing", `table ${table.name} was dropped and its progress was not: restore it, or`, table);
  if (claim === null) {
    const target = await checkFits(connection, table, relation);
    await claimTable(connection, owner, table, true);
    return target;
  }
  if (claim.plan !== table.hash) {
    const key = (columns: readonly string[]) => (columns.length === 0 ? "no key" : `the key ${columns.join(", ")}`);
    const was = key(await readKey(connection, rowsPlace(table.name)));
    throw refused(
      "TableChanged",
      `table ${table.name} was made with ${was}, and the spec has ${key(table.key)}: put it back, give this table another name, or`,
      table,
    );
  }
  const target = claim.adopted ? await checkFits(connection, table, relation) : undefined;
  if (!claim.adopted) await widen(connection, table, new Map(columns?.map(({ name, type }) => [name, type])));
  if (claim.uid !== owner.uid) await inheritTable(connection, owner, table.name);
  return target;
}

/** Adds the columns that are missing. */
async function widen(connection: Connection, table: RowsTable, actual: ReadonlyMap<string, string>): Promise<void> {
  for (const [index, { name, type }] of rowsColumns(table).entries()) {
    const found = actual.get(name);
    const column = table.columns[index];
    if (found === undefined && column !== undefined)
      await connection.query("add column", { text: addColumn(table, column) });
    else if (found !== type)
      throw new TableRefused(
        "TableChanged",
        `table ${table.name}: column ${name} is of type ${found ?? ""}, and the select gives ${type}: write (…)::${duckdbName(found ?? "")} in the select, alter the column's type, or give this table another name`,
      );
  }
}

/** Whether rows can be inserted: the database itself says so, of none. */
async function checkFits(connection: Connection, table: RowsTable, { kind, writable }: Relation): Promise<TargetForm> {
  if (!writable)
    throw new TableRefused(
      "TableExists",
      `${table.name} is a ${kind}, which takes no rows: give this table another name, or drop it`,
    );
  const about = `${kind} ${table.name} exists, and no pipeline made it; rows of this select do not fit`;
  const instead = `change the select or the ${kind} so that they do, or give this table another name`;
  const names = table.columns.map(({ name }) => name);
  const { rows } = await connection.query<{ name: string }>("observe table", {
    text: `select a.attname as name from pg_attribute a
      where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
        and a.attnotnull and not a.atthasdef and a.attidentity = '' and a.attname <> all($2::text[])`,
    values: [rowsPlace(table.name), names],
  });
  if (rows.length > 0)
    throw new TableRefused(
      "TableExists",
      `${about}: ${rows.map(({ name }) => name).join(", ")} may not be NULL, and the select has no such column: ${instead}`,
    );
  const target = await readTarget(connection, table);
  try {
    await connection.query("check table", { text: rowsText(table, target), values: table.columns.map(() => []) });
    return target;
  } catch (error) {
    if (!(error instanceof DatabaseRefused)) throw error;
    throw new TableRefused("TableExists", `${about}: ${error.message}: ${instead}`);
  }
}

function refused(reason: TableProblem, message: string, { name }: RowsTable): TableRefused {
  return new TableRefused(reason, `${message} ${forget(name)}`);
}

/** DuckDB's name for a type of PostgreSQL, to cast to. */
function duckdbName(type: string): string {
  return type === "double precision" ? "double" : type === "jsonb" ? "json" : type;
}
