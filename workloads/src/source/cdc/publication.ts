/**
 * The publication of a source, which has the slot's name: all changes of the table and of its partitions, and nothing
 * else. Partitions are published as themselves, since only then the log tells of a TRUNCATE of one of them.
 */
import type { SourceConfig } from "@caudal/crds";
import type { Connection } from "../../postgres/connection.ts";
import { identifier, qualified } from "../../postgres/core/identifiers.ts";
import { DatabaseRefused } from "../../postgres/errors.ts";
import type { Layout, Table } from "../core/table.ts";
import { ReplicationNotAllowed, SourceChanged, SourceMismatch } from "../errors.ts";

/** Servers of this version on can publish stored generated columns. */
const PUBLISHES_GENERATED = 18;
const OPERATIONS = ["insert", "update", "delete", "truncate"] as const;

/** @throws SourceMismatch for a table whose changes never are in the log as they are needed */
export function checkLogged({ postgres }: SourceConfig, table: Table, layout: Layout, serverVersion: number): void {
  const title = postgres.table;
  if (["pg_catalog", "information_schema"].includes(table.schema))
    throw new SourceMismatch(`${title} is the server's own, and its changes cannot be published: name another table`);
  if (!table.logged)
    throw new SourceMismatch(
      `${title} is an unlogged table, and its changes are not in the log: alter table ${qualified(table)} set logged, or use mode: timestamp`,
    );
  for (const { name, generated } of generatedOf(table, layout))
    if (generated === "virtual" || serverVersion < PUBLISHES_GENERATED)
      throw new SourceMismatch(
        `${title}.${name} is a generated column, which this server's log does not have: remove the field and compute it in a transform, make it an ordinary column that a trigger sets, or use mode: timestamp` +
          (generated === "stored" ? ` (PostgreSQL ${PUBLISHES_GENERATED} and newer have it in the log)` : ""),
      );
}

function generatedOf(table: Table, { sources }: Layout) {
  return table.columns.filter(
    ({ name, generated }) => generated !== undefined && sources.some(({ column }) => column === name),
  );
}

interface Publication {
  readonly operations: readonly string[];
  /** Partitions are published as the table. */
  readonly asRoot: boolean;
  readonly allTables: boolean;
  readonly generated: boolean;
}

async function readPublication(connection: Connection, name: string): Promise<Publication | undefined> {
  const [row] = await connection.texts("source_publication", {
    text: "select to_jsonb(p)::text from pg_publication p where pubname = $1",
    values: [name],
  });
  if (typeof row?.[0] !== "string") return undefined;
  const flags = JSON.parse(row[0]) as Readonly<Record<string, unknown>>;
  return {
    operations: OPERATIONS.filter((operation) => flags[`pub${operation}`] === true),
    asRoot: flags["pubviaroot"] === true,
    allTables: flags["puballtables"] === true,
    generated: flags["pubgencols"] === "s",
  };
}

/**
 * Makes the publication, and compares what it carries with what is needed.
 *
 * @param begun changes have been sent already, which came through it
 * @throws ReplicationNotAllowed, SourceMismatch, SourceChanged
 */
export async function ensurePublication(
  connection: Connection,
  { config, table, layout, begun }: PublicationUse,
): Promise<void> {
  const { slot: name, table: title, resync } = config.postgres;
  const serverVersion = await readVersion(connection);
  checkLogged(config, table, layout, serverVersion);
  const generated = generatedOf(table, layout).length > 0;
  const found = await readPublication(connection, name);
  if (found === undefined && begun)
    throw new SourceChanged(
      `the publication ${name} was dropped, and changes since then are not known: raise postgres.resync (now ${resync}) to make it anew and send the whole table again`,
    );
  const options = generated ? ", publish_generated_columns = stored" : "";
  const making = (of: string) =>
    `create publication ${identifier(name)} for table only ${of} with (publish = '${OPERATIONS.join(", ")}', publish_via_partition_root = false${options})`;
  if (found === undefined) {
    const what = `let the owner of ${title} run ${making(qualified(table))}`;
    await asOwner(connection, making(qualified(table)), name, what);
  } else if (found.asRoot && table.partitioned) {
    const alter = `alter publication ${identifier(name)} set (publish_via_partition_root = false)`;
    await asOwner(connection, alter, name, `let its owner run ${alter}`);
  }
  const made = await readPublication(connection, name);
  if (made === undefined) throw new SourceMismatch(`the publication ${name} was dropped at once: let it be`);
  await compare(connection, made, { config, table, layout, begun });
}

export interface PublicationUse {
  readonly config: SourceConfig;
  readonly table: Table;
  readonly layout: Layout;
  readonly begun: boolean;
}

async function asOwner(connection: Connection, text: string, name: string, what: string): Promise<void> {
  try {
    await connection.query("source_publish", { text });
  } catch (error) {
    if (!(error instanceof DatabaseRefused)) throw error;
    throw new ReplicationNotAllowed(`the publication ${name} cannot be made or set (${error.message}): ${what}`, {
      cause: error,
    });
  }
}

/** @throws SourceMismatch for whatever it would leave out */
async function compare(connection: Connection, made: Publication, use: PublicationUse): Promise<void> {
  const { config, table, layout } = use;
  const { slot: name, table: title } = config.postgres;
  const raise = use.begun ? ` and raise postgres.resync (now ${config.postgres.resync})` : "";
  const anew = `drop publication ${identifier(name)}${raise}, so that it is made as it should be`;
  const missing = OPERATIONS.filter((operation) => !made.operations.includes(operation));
  if (missing.length > 0)
    throw new SourceMismatch(
      `the publication ${name} leaves out ${missing.join(", ")}: alter publication ${identifier(name)} set (publish = '${OPERATIONS.join(", ")}')`,
    );
  const carried = await readCarried(connection, name);
  const needed = await readTablesWithRows(connection, table);
  if (made.allTables || carried.some(({ oid }) => !needed.has(oid) && oid !== table.oid))
    throw new SourceMismatch(
      `the publication ${name} carries other tables than ${title}: ${anew}, or take the others out of it`,
    );
  for (const [oid, part] of needed) {
    const found = carried.find((one) => one.oid === oid);
    if (found === undefined)
      throw new SourceMismatch(`the publication ${name} does not have the table ${part}: ${anew}`);
    if (found.filter !== null)
      throw new SourceMismatch(
        `the publication ${name} sends only the rows of ${part} where ${found.filter}: ${anew}; filter rows in a stage that reads the topic`,
      );
    const absent = layout.sources.filter(({ column }) => !found.columns.includes(column)).map(({ column }) => column);
    if (absent.length > 0)
      throw new SourceMismatch(
        `the publication ${name} leaves out ${absent.join(", ")} of ${part}, fields of the topic: ${anew}, or name ${absent.join(", ")} in its list of columns`,
      );
  }
  const computed = generatedOf(table, layout).map((column) => column.name);
  if (computed.length > 0 && !made.generated)
    throw new SourceMismatch(
      `the publication ${name} leaves out the generated columns ${computed.join(", ")}: alter publication ${identifier(name)} set (publish_generated_columns = stored)`,
    );
}

/** What it carries, each table with its columns and the filter of its rows. */
async function readCarried(connection: Connection, name: string) {
  const rows = await connection.texts("source_published", {
    text: `select c.oid::text, to_json(p.attnames)::text, p.rowfilter
      from pg_publication_tables p join pg_namespace n on n.nspname = p.schemaname
        join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
      where p.pubname = $1`,
    values: [name],
  });
  return rows.map(([oid, columns, filter]) => ({
    oid: Number(oid),
    columns: JSON.parse(columns ?? "[]") as string[],
    filter: filter ?? null,
  }));
}

/** By oid, the names of those of the table and its partitions that have rows of their own. */
async function readTablesWithRows(connection: Connection, table: Table): Promise<Map<number, string>> {
  const rows = await connection.texts("source_partitions", {
    text: `select c.oid::text, n.nspname || '.' || c.relname
      from (select $1::text::oid as oid union select relid from pg_partition_tree($1::text::oid::regclass) where isleaf) t
        join pg_class c using (oid) join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r'`,
    values: [String(table.oid)],
  });
  return new Map(rows.map(([oid, name]) => [Number(oid), name ?? ""]));
}

async function readVersion(connection: Connection): Promise<number> {
  const [row] = await connection.texts("source_version", { text: "select current_setting('server_version_num')" });
  return Math.floor(Number(row?.[0]) / 10_000);
}
