/** What the database says of the tables that belong to the one that is read: its partitions, or what inherits from it. */
import type { Connection } from "../postgres/connection.ts";
import type { Edge } from "./core/known-edges.ts";

/** A table that belongs to the one that is read. */
export interface Relative {
  readonly oid: number;
  readonly parent: number;
  readonly schema: string;
  readonly name: string;
  /** r: has rows of its own, p: is partitioned itself, f: foreign. */
  readonly kind: string;
  readonly logged: boolean;
  readonly replicaIdentity: string;
  readonly identityColumns: readonly string[];
  /** It was made as a partition, and never was a table without a parent: it had no rows then. */
  readonly born: boolean;
  /** Bytes of its rows, of those that are deleted too: a table that never had any has none. */
  readonly size: number;
}

/** How the table and what belongs to it stand now. */
export interface Standing {
  /** Of the table that has the name now. */
  readonly oid: number | undefined;
  readonly edges: readonly Edge[];
  /** Another text after any change of the publication, or of what it carries. */
  readonly publication: string | undefined;
}

const RELATIVES = `with recursive relatives (oid, since) as (
    select inhrelid, i.xmin from pg_inherits i where inhparent = $1::text::oid
    union all
    select i.inhrelid, i.xmin from relatives r join pg_inherits i on i.inhparent = r.oid)`;

export async function readStanding(
  connection: Connection,
  table: { readonly oid: number; readonly schema: string; readonly name: string },
  publication: string,
): Promise<Standing> {
  const [row] = await connection.texts("source_standing", {
    text: `${RELATIVES}
      select (select c.oid::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = $2 and c.relname = $3),
        (select coalesce(json_agg(json_build_array(oid::text::bigint, since::text::bigint)), '[]')::text from relatives),
        (select md5(concat_ws(' ', p.oid, p.xmin,
            (select string_agg(r.oid || ':' || r.xmin::text, ' ' order by r.oid) from pg_publication_rel r where r.prpubid = p.oid),
            (select string_agg(s.oid || ':' || s.xmin::text, ' ' order by s.oid) from pg_publication_namespace s where s.pnpubid = p.oid)))
          from pg_publication p where p.pubname = $4)`,
    values: [String(table.oid), table.schema, table.name, publication],
  });
  const [oid, edges, known] = row ?? [];
  return {
    oid: typeof oid === "string" ? Number(oid) : undefined,
    edges: (JSON.parse(edges ?? "[]") as [number, number][]).map(([child, since]) => ({ oid: child, since })),
    publication: known?.slice(0, 12),
  };
}

/**
 * @param oids of those that are asked for; those that are gone meanwhile are left out
 *
 * A table that is attached, or detached, gets its columns' entries of the catalog written anew. So one that has an entry
 * from the command that made it has never been either.
 */
export async function readRelatives(connection: Connection, oids: readonly number[]): Promise<Relative[]> {
  if (oids.length === 0) return [];
  const rows = await connection.texts("source_relatives", {
    text: `select c.oid::text, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, c.relreplident::text,
        (select json_agg(a.attname)::text from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
          where i.indrelid = c.oid and i.indisvalid
            and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident end),
        exists (select from pg_attribute made join pg_attribute a on a.attrelid = made.attrelid and a.attnum > 0
          where made.attrelid = c.oid and made.attname = 'tableoid' and a.xmin = made.xmin and a.cmin = made.cmin)::int::text,
        (select max(i.inhparent::text::bigint)::text from pg_inherits i where i.inhrelid = c.oid),
        case when c.relkind = 'r' then pg_relation_size(c.oid) else 0 end::text
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = any ($1::text::oid[])
      order by n.nspname, c.relname`,
    values: [`{${oids.join(",")}}`],
  });
  return rows.map(([oid, schema, name, kind, persistence, replicaIdentity, identity, born, parent, size]) => ({
    oid: Number(oid),
    parent: Number(parent),
    schema: schema ?? "",
    name: name ?? "",
    kind: kind ?? "",
    logged: persistence === "p",
    replicaIdentity: replicaIdentity ?? "",
    identityColumns: JSON.parse(identity ?? "[]") as string[],
    born: born === "1",
    size: Number(size ?? 0),
  }));
}
