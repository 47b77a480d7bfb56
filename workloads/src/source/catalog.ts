/** What the source database says of the table, and of itself. */
import type { Connection } from "../postgres/connection.ts";
import { identifier, placeOf, qualified } from "../postgres/core/identifiers.ts";
import { DatabaseUnavailable } from "../postgres/errors.ts";
import { SourceMismatch, SourceTableMissing } from "./errors.ts";
import type { Column, Table } from "./core/table.ts";

/** Settings of the session under which values have the form that core/value.ts reads. */
export const VALUE_SETTINGS = {
  extra_float_digits: "1",
  bytea_output: "hex",
  // A policy that hides rows from us is an error, and never fewer rows.
  row_security: "off",
} as const;

/**
 * A database that does not know the encoding of its texts gives them as they are: otherwise one that is no UTF-8 is an error
 * of whatever statement reads it, again and again.
 */
export const AS_THEY_ARE = `select set_config('client_encoding', 'SQL_ASCII', false)
  where current_setting('server_encoding') = 'SQL_ASCII'`;

export interface Server {
  /** Identifier that initdb gave it. */
  readonly system: string;
  /** Another one after a failover. */
  readonly timeline: string;
}

export async function readServer(connection: Connection): Promise<Server> {
  const [row] = await connection.texts("source_server", {
    text: `select system_identifier::text, left(pg_walfile_name(pg_current_wal_lsn()), 8) from pg_control_system()`,
  });
  const [system, timeline] = row ?? [];
  if (typeof system !== "string" || typeof timeline !== "string")
    throw new DatabaseUnavailable("the server did not tell its identifier");
  return { system, timeline };
}

/** @throws SourceTableMissing, SourceMismatch for what cannot be read in this way */
export async function readTable(connection: Connection, title: string): Promise<Table> {
  const { schema, name } = placeOf(title);
  const [found] = await connection.texts("source_table", {
    text: `select c.oid::text, c.relkind::text, c.relreplident::text, has_table_privilege(c.oid, 'select')::text,
        c.relpersistence::text, row_security_active(c.oid)::int::text, current_user::text,
        current_setting('server_encoding')
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`,
    values: [schema, name],
  });
  const [oid, kind, replicaIdentity = "", mayRead, persistence, hidden, user, encoding] = found ?? [];
  if (found === undefined || typeof oid !== "string" || typeof replicaIdentity !== "string")
    throw new SourceTableMissing(
      `the database has no table ${title}: waiting for it (schema ${schema}, name ${name}, to the letter)`,
    );
  if (kind !== "r" && kind !== "p") throw new SourceMismatch(`${title} ${notATable(kind ?? "")}`);
  if (mayRead !== "true" && mayRead !== "t")
    throw new SourceMismatch(
      `this user may not read ${title}: grant select on ${qualified({ schema, name })} to ${identifier(user ?? "")}`,
    );
  if (hidden === "1")
    throw new SourceMismatch(
      `row security hides rows of ${title} from the user ${user ?? ""}, and a source sends all of them: alter role ${identifier(user ?? "")} bypassrls, or read as the table's owner (without force row level security)`,
    );
  const indexes = await readIndexes(connection, oid);
  const primaryKey = indexes.find(({ primary }) => primary)?.columns ?? [];
  return {
    oid: Number(oid),
    schema,
    name,
    columns: await readColumns(connection, oid),
    partitioned: kind === "p",
    logged: persistence === "p",
    encoded: encoding !== "SQL_ASCII",
    replicaIdentity,
    primaryKey,
    uniqueKeys: indexes.map(({ columns }) => columns),
    identityColumns: replicaIdentity === "d" ? primaryKey : (indexes.find(({ identity }) => identity)?.columns ?? []),
  };
}

function notATable(kind: string): string {
  const what: Readonly<Record<string, string>> = {
    v: "is a view, whose rows have no versions: name the table that it reads",
    m: "is a materialized view, whose changes are not in the log: name the table that it reads",
    f: "is a foreign table: read it in the database that has it",
  };
  return what[kind] ?? "is not a table: name one, or a partitioned one";
}

async function readColumns(connection: Connection, oid: string): Promise<Column[]> {
  const rows = await connection.texts("source_columns", {
    text: `with recursive base as (
        select a.attnum, a.atttypid as type from pg_attribute a where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
        union all
        select b.attnum, t.typbasetype from base b join pg_type t on t.oid = b.type where t.typtype = 'd')
      select a.attname::text, a.atttypid::text, b.type::text, format_type(a.atttypid, a.atttypmod), a.attnotnull::int::text,
        a.attgenerated::text, a.attnum::text, a.atttypmod::text
      from pg_attribute a join base b using (attnum) join pg_type t on t.oid = b.type and t.typtype <> 'd'
      where a.attrelid = $1 order by a.attnum`,
    values: [oid],
  });
  return rows.map(([name, type, base, typeName, notNull, generated, number, modifier]) => ({
    name: name ?? "",
    typeOid: Number(type),
    baseOid: Number(base),
    typeName: typeName ?? "",
    notNull: notNull === "1",
    generated: generated === "s" ? "stored" : generated === "v" ? "virtual" : undefined,
    shape: `${number ?? ""}:${shapeOf(Number(base), Number(modifier))}`,
  }));
}

const Oid = { text: 25, varchar: 1043, numeric: 1700 } as const;

/** What values of the type look like: the same, when a change from one to the other leaves every value as it was. */
function shapeOf(type: number, modifier: number): string {
  if (type === Oid.text || type === Oid.varchar) return "text";
  // Of a numeric's modifier the lower bits are the scale, by which values are rounded.
  if (type === Oid.numeric) return `${type}:${modifier < 0 ? "" : (modifier - 4) & 0x7ff}`;
  return `${type}:${modifier}`;
}

/** Base types of types: of a domain, what it is made of. */
export async function readBaseTypes(connection: Connection, oids: readonly number[]): Promise<Map<number, number>> {
  const rows = await connection.texts("source_types", {
    text: `with recursive base as (
        select t.oid as type, t.oid as base from pg_type t where t.oid = any ($1::text::oid[])
        union all
        select b.type, t.typbasetype from base b join pg_type t on t.oid = b.base where t.typtype = 'd')
      select b.type::text, b.base::text from base b join pg_type t on t.oid = b.base and t.typtype <> 'd'`,
    values: [`{${oids.join(",")}}`],
  });
  return new Map(rows.map(([type, base]) => [Number(type), Number(base)]));
}

/** Unique indexes over all rows, by columns alone. */
async function readIndexes(connection: Connection, oid: string) {
  const rows = await connection.texts("source_indexes", {
    text: `select i.indisprimary::int::text, i.indisreplident::int::text,
        (select json_agg(a.attname order by k.n)::text from unnest(i.indkey::int2[]) with ordinality k (attnum, n)
          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum where k.n <= i.indnkeyatts)
      from pg_index i
      where i.indrelid = $1 and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null`,
    values: [oid],
  });
  return rows.map(([primary, identity, columns]) => ({
    primary: primary === "1",
    identity: identity === "1",
    columns: JSON.parse(columns ?? "[]") as string[],
  }));
}

/** Whether an index begins with the column: without one, each look reads the whole table. */
export async function hasIndexOn(connection: Connection, table: Table, column: string): Promise<boolean> {
  const rows = await connection.texts("source_indexes", {
    text: `select 1 from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indrelid = $1 and i.indisvalid and i.indpred is null and a.attname = $2 limit 1`,
    values: [String(table.oid), column],
  });
  return rows.length > 0;
}

/** One process reads at a time; the other waits for the lock, which goes with the session that has it. */
export async function lockSource(connection: Connection, slot: string): Promise<boolean> {
  const [row] = await connection.texts("source_lock", {
    text: "select pg_try_advisory_lock(hashtextextended($1, 0))::int::text",
    values: [slot],
  });
  return row?.[0] === "1";
}
