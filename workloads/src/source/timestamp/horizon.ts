/** What the database says at the beginning of a round. */
import type { Connection } from "../../postgres/connection.ts";
import { identifier } from "../../postgres/core/identifiers.ts";
import { DatabaseUnavailable } from "../../postgres/errors.ts";
import type { Column, Table } from "../core/table.ts";
import { rowsOf } from "../core/page-sql.ts";
import { hasZone } from "../core/value.ts";
import type { OpenTransaction } from "./open-transactions.ts";

/** The transactions that are open in this database, and the time before they were asked for. */
export async function lookAtTransactions(
  connection: Connection,
): Promise<{ readonly at: number; readonly open: readonly OpenTransaction[] }> {
  const rows = await connection.texts("source_transactions", {
    text: `with now as (select (extract(epoch from statement_timestamp()) * 1e6)::bigint::text as at)
      select at, null, null, null from now
      union all
      select null, l.virtualtransaction, (extract(epoch from a.xact_start) * 1e6)::bigint::text, null
        from pg_locks l left join pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'virtualxid' and l.granted and l.mode = 'ExclusiveLock' and l.pid is distinct from pg_backend_pid()
          and (a.datid is null or a.datid = (select oid from pg_database where datname = current_database()))
      union all
      select null, 'prepared ' || p.transaction, null, 'prepared' from pg_prepared_xacts p where p.database = current_database()`,
  });
  const at = Number(rows.find(([time]) => time !== null)?.[0]);
  const open = rows.flatMap(([, id, since, prepared]) =>
    typeof id !== "string"
      ? []
      : [{ id, since: typeof since === "string" ? Number(since) : undefined, prepared: prepared !== null }],
  );
  if (!Number.isFinite(at)) throw new DatabaseUnavailable("the server did not tell its time");
  return { at, open };
}

export interface Horizon {
  /** Every transaction below it has ended. */
  readonly below: string;
  /** Transactions that were open held it back. */
  readonly held: boolean;
  /** Least timestamp that a row written by a later transaction may have; null: any. */
  readonly from: string | null;
}

/**
 * Rows written from now on have a timestamp no older than when their transaction began, by a clock that may differ from
 * the server's: by no more, into the past, than the newest timestamp in the table tells. So the least that may come is
 * that one, less the time for which transactions have been open, less the lookback.
 *
 * @param floor since when: epoch microseconds, or null
 * @param at epoch microseconds
 */
export async function readHorizon(
  connection: Connection,
  table: Table,
  column: Column,
  { floor, at, lookbackMs }: { readonly floor: number | null; readonly at: number; readonly lookbackMs: number },
): Promise<Horizon> {
  const time = identifier(column.name);
  const now = hasZone(column.baseOid) ? "now()" : "(now() at time zone 'UTC')";
  const [row] = await connection.texts("source_horizon", {
    text: `select pg_snapshot_xmin(s)::text, (pg_snapshot_xmin(s) <> pg_snapshot_xmax(s))::int::text,
        (m.newest - age.asked - $2::text::interval)::text
      from pg_current_snapshot() s,
        (select max(${time}) as newest from ${rowsOf(table)} where ${time} <= ${now}) m,
        (select case when $1::text is null then null else greatest('0', now() - to_timestamp($1::text::numeric / 1e6)) end as asked) age`,
    values: [floor === null ? null : String(Math.min(floor, at)), `${lookbackMs} ms`],
  });
  const [below, held, from] = row ?? [];
  if (typeof below !== "string") throw new DatabaseUnavailable("the server did not tell its snapshot");
  return { below, held: held === "1", from: from ?? null };
}

/** Who holds the horizon back: the process of the oldest open transaction that writes, since when where we may see it. */
export async function whoHolds(connection: Connection, below: string): Promise<string> {
  const [row] = await connection.texts("source_holder", {
    text: `select coalesce('process ' || l.pid, 'a prepared transaction') || coalesce(' of ' || a.usename, '')
        || coalesce(', open since ' || a.xact_start::text, '')
      from pg_locks l left join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'transactionid' and l.granted and l.mode = 'ExclusiveLock'
        and l.transactionid::text::bigint = $1::text::bigint % 4294967296 limit 1`,
    values: [below],
  });
  return row?.[0] ?? "a transaction of another process";
}
