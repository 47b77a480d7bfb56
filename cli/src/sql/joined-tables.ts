/** Tables of PostgreSQL beside a topic: their rows in DuckDB, for one query. */
import type { TableRef } from "@caudal/crds";
import { literal, qualified } from "@caudal/workloads/postgres/core/identifiers";
import type { DuckDB } from "@caudal/pipeline/duckdb";
import { quote, text, structured } from "@caudal/pipeline/sql";
import { StatementFailed } from "../errors.ts";
import type { Database } from "../live/database.ts";

interface Column {
  readonly name: string;
  readonly postgresType: string;
}

/**
 * Gives DuckDB a table of PostgreSQL's, with all its rows as they are now.
 *
 * @param schema of DuckDB's that it stands in
 * @returns whether there is one of that name
 * @throws StatementFailed for a value that DuckDB has no type for; ClusterFailed
 */
export async function loadTable(
  duckdb: DuckDB,
  database: Database,
  table: TableRef,
  schema: string,
  signal: AbortSignal,
): Promise<boolean> {
  const columns = await columnsOf(database, table, signal);
  if (columns.length === 0) return false;
  const types = await typesOf(database, table, columns, signal);
  const place = `memory.${quote(schema)}.${quote(table.name)}`;
  const own = columns.map(({ name }, index) => `${quote(name)} ${types[index] ?? ""}`);
  await duckdb.connection.run(`create schema if not exists memory.${quote(schema)}`);
  await duckdb.connection.run(`create table ${place} (${own.join(", ")})`);
  const values = types.map((type, index) => `r[${index + 1}]::${type}`);
  const insert = await duckdb.connection.prepare(
    `insert into ${place} select ${values.join(", ")}
     from (select unnest(from_json(decode($1::blob)::json, ${text('[["VARCHAR"]]')})) as r)`,
  );
  try {
    const names = columns.map(({ name }) => quote(name));
    for await (const rows of database.rows(names, qualified(table), signal)) {
      insert.bindBlob(1, Buffer.from(JSON.stringify(rows)));
      await insert.run();
    }
  } catch (error) {
    if (error instanceof StatementFailed) throw error;
    const { exception_type: type = "", exception_message: said = "" } = structured(error);
    throw new StatementFailed(
      type.includes("Out of Memory")
        ? `the table ${table.name} is too large to stand beside a topic: ask PostgreSQL for what is needed of it, or look it up in a transform`
        : `a value of the table ${table.name} cannot stand beside a topic: ${said.trim()}`,
      { cause: error },
    );
  } finally {
    insert.destroySync();
  }
  return true;
}

async function columnsOf(database: Database, table: TableRef, signal: AbortSignal): Promise<readonly Column[]> {
  const [answer] = await database.query(
    `select attname, format_type(atttypid, atttypmod) from pg_attribute
     where attrelid = to_regclass(${literal(qualified(table))}) and attnum > 0 and not attisdropped order by attnum`,
    signal,
  );
  if (answer?.kind !== "rows") return [];
  return answer.result.rows.map(([name, type]) => ({ name: name ?? "", postgresType: type ?? "" }));
}

const TYPES: Readonly<Record<string, string>> = {
  ...{ smallint: "SMALLINT", integer: "INTEGER", bigint: "BIGINT", real: "FLOAT", "double precision": "DOUBLE" },
  ...{ boolean: "BOOLEAN", uuid: "UUID", date: "DATE", json: "JSON", jsonb: "JSON" },
  ...{ "time without time zone": "TIME", "timestamp without time zone": "TIMESTAMP" },
  "timestamp with time zone": "TIMESTAMPTZ",
};

/** DuckDB's widest decimal. */
const DIGITS = 38;

/** What DuckDB has no type for stays text, as PostgreSQL writes it. */
async function typesOf(
  database: Database,
  table: TableRef,
  columns: readonly Column[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const isBounded = ({ postgresType }: Column) => /^numeric\((\d+),(\d+)\)$/.exec(postgresType);
  const fits = (found: RegExpExecArray | null) =>
    found !== null && Number(found[1]) <= DIGITS && Number(found[2]) <= Number(found[1]);
  const free = columns.filter(
    (column) =>
      column.postgresType.startsWith("numeric") && !column.postgresType.endsWith("]") && !fits(isBounded(column)),
  );
  const scales = new Map<string, number>();
  if (free.length > 0) {
    const asked = free.map(({ name }) => `max(scale(${quote(name)}))`).join(", ");
    const [answer] = await database.query(`select ${asked} from ${qualified(table)}`, signal);
    const row = answer?.kind === "rows" ? answer.result.rows[0] : undefined;
    for (const [index, { name }] of free.entries()) scales.set(name, Math.min(DIGITS, Number(row?.[index] ?? 0)));
  }
  return columns.map((column) => {
    const scale = scales.get(column.name);
    if (scale !== undefined) return `DECIMAL(${DIGITS},${scale})`;
    const found = isBounded(column);
    return found === null
      ? (TYPES[column.postgresType.replace(/\(\d+\)/, "")] ?? "VARCHAR")
      : `DECIMAL(${found[1]},${found[2]})`;
  });
}
