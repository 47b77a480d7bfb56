/** What a table that people made is, as far as writing to it goes: the types of its columns, and what equals what in its key. */
import type { Connection } from "./connection.ts";
import type { KeyForm, RowsTable, TargetForm } from "./core/rows-table.ts";
import { rowsPlace } from "./core/rows-table.ts";

/** What PostgreSQL calls the kinds of things that have a table's name. */
const KINDS: Readonly<Record<string, string>> = {
  r: "table",
  p: "table",
  v: "view",
  m: "materialized view",
  f: "foreign table",
  S: "sequence",
  i: "index",
  I: "index",
  c: "composite type",
};

/** Kinds into which rows can be inserted. */
const WRITABLE = new Set(["table", "view", "foreign table"]);

export interface Relation {
  /** What it is, for people, such as "materialized view". */
  readonly kind: string;
  /** Whether rows can be inserted, as far as its kind goes. */
  readonly writable: boolean;
}

/** @returns undefined where nothing has the name */
export async function readRelation(connection: Connection, table: RowsTable): Promise<Relation | undefined> {
  const { rows } = await connection.query<{ relkind: string }>("observe table", {
    text: "select c.relkind from pg_class c where c.oid = to_regclass($1)",
    values: [rowsPlace(table.name)],
  });
  const [row] = rows;
  if (row === undefined) return undefined;
  const kind = KINDS[row.relkind] ?? "relation";
  return { kind, writable: WRITABLE.has(kind) };
}

/** Domains down to the type that they are made of. */
const BASE = `lateral (
  with recursive chain(oid, typmod) as (
    select a.atttypid, a.atttypmod
    union all
    select p.typbasetype, p.typtypmod from chain join pg_type p on p.oid = chain.oid where p.typtype = 'd'
  ) select p.oid, chain.typmod, p.typcategory, p.typtype from chain join pg_type p on p.oid = chain.oid where p.typtype <> 'd'
)`;

/** Whether PostgreSQL turns one type into the other where a value is assigned. Texts take everything. */
function assigns(from: string, to: string): string {
  return `(${from} = ${to}.oid or ${to}.typcategory = 'S' or exists (select from pg_cast c
    where c.castsource = ${from} and c.casttarget = ${to}.oid and c.castcontext in ('a', 'i')))`;
}

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly compared: string;
  readonly collation: string | null;
  readonly nullable: boolean;
  readonly category: string;
  readonly typtype: string;
  readonly assigned: boolean;
  readonly through_numeric: boolean;
}

/** How rows of the select are written to a table that is there; columns that it lacks are left as they are. */
export async function readTarget(connection: Connection, table: RowsTable): Promise<TargetForm> {
  const { rows } = await connection.query<ColumnRow>("observe table", {
    text: `select a.attname as name, format_type(t.oid, -1) as type, t.typcategory as category, t.typtype,
        format_type(t.oid, case when t.typcategory in ('S', 'V') then -1 else t.typmod end) as compared,
        (select quote_ident(n.nspname) || '.' || quote_ident(l.collname) from pg_collation l
          join pg_namespace n on n.oid = l.collnamespace where l.oid = coalesce(k.coll, a.attcollation)) as collation,
        not a.attnotnull and not coalesce(k.nulls_are_one, false) as nullable,
        ${assigns("s.oid", "t")} as assigned,
        s.typcategory = 'N' and ${assigns("'numeric'::regtype", "t")} as through_numeric
      from unnest($2::text[], $3::text[]) as g(name, source)
      join pg_attribute a on a.attrelid = to_regclass($1) and a.attname = g.name and a.attnum > 0
      join pg_type s on s.oid = g.source::regtype
      cross join ${BASE} t
      left join lateral (
        select u.coll, i.indnullsnotdistinct as nulls_are_one
        from pg_index i, unnest(i.indkey::int2[], i.indcollation::oid[]) with ordinality as u(attnum, coll, at)
        where i.indrelid = a.attrelid and i.indisunique and i.indisvalid and i.indimmediate
          and i.indpred is null and i.indexprs is null and u.attnum = a.attnum and u.at <= i.indnkeyatts
          and (select array_agg(b.attname::text order by b.attname) from pg_attribute b
            where b.attrelid = i.indrelid and b.attnum = any((i.indkey::int2[])[0:i.indnkeyatts - 1]))
            = (select array_agg(k order by k collate "C") from unnest($4::text[]) as k)
        order by i.indisprimary desc, i.indexrelid limit 1
      ) k on true`,
    values: [
      rowsPlace(table.name),
      table.columns.map(({ name }) => name),
      table.columns.map(({ postgresType }) => postgresType),
      table.key,
    ],
  });
  const known = new Map(rows.map((row) => [row.name, row]));
  const written = new Map(
    table.columns.flatMap(({ name, postgresType }) => {
      const row = known.get(name);
      const form = row === undefined ? undefined : writtenForm(row, postgresType);
      return form === undefined ? [] : [[name, form] as const];
    }),
  );
  const keys = new Map<string, KeyForm>();
  for (const name of table.key) {
    const row = known.get(name);
    if (row === undefined) continue;
    const { compared: type, collation, nullable } = row;
    keys.set(name, { type, nullable, ...(collation === null ? {} : { collation }) });
  }
  return { written, keys };
}

/**
 * How a value of the select becomes one of the column's, where assigning it is not enough: by what PostgreSQL's own input of
 * the type makes of the text. The column's limits of length are left to the assignment, which refuses what is too long.
 *
 * @returns undefined where it is assigned as it is
 */
function writtenForm(row: ColumnRow, source: string): ((value: string) => string) | undefined {
  const { type, assigned, through_numeric: throughNumeric, category, typtype } = row;
  if (assigned) return undefined;
  if (throughNumeric) return (value) => `${value}::numeric`;
  if (source === "text") return (value) => `${value}::${type}`;
  if (source !== "jsonb") return undefined;
  if (category === "A")
    return (value) =>
      `case when jsonb_typeof(${value}) <> 'null' then array(select jsonb_array_elements_text(${value}))::${type} end`;
  if (typtype === "c") return (value) => `jsonb_populate_record(null::${type}, nullif(${value}, 'null'))`;
  return (value) => `(${value} #>> '{}')::${type}`;
}
