/** The publication and the replication slot of a source: both have the same name, and nobody else uses them. */
import type { SourceConfig } from "@caudal/crds";
import type { Connection } from "../../postgres/connection.ts";
import { identifier, qualified } from "../../postgres/core/identifiers.ts";
import { DatabaseRefused } from "../../postgres/errors.ts";
import type { Table } from "../core/table.ts";
import { ReplicationNotAllowed, SourceMismatch } from "../errors.ts";
import { parseLsn } from "./lsn.ts";

export interface SlotState {
  /** reserved, extended, unreserved or lost. */
  readonly wal: string;
  /** Bytes of the log that are kept for it, and that it has not confirmed. */
  readonly retained: number;
  readonly behind: number;
  /** Why the server has given it up, as PostgreSQL 17 and newer say: wal_removed, idle_timeout and the like. */
  readonly invalidated: string | undefined;
}

/** @returns undefined when there is none */
export async function readSlot(connection: Connection, name: string): Promise<SlotState | undefined> {
  const [row] = await connection.texts("source_slot", {
    text: `select coalesce(wal_status, 'reserved'), coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::text,
        coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::text,
        to_jsonb(s) ->> 'invalidation_reason'
      from pg_replication_slots s where slot_name = $1`,
    values: [name],
  });
  if (row === undefined) return undefined;
  const [wal, retained, behind, invalidated] = row;
  return {
    wal: wal ?? "",
    retained: Number(retained),
    behind: Number(behind),
    invalidated: invalidated ?? undefined,
  };
}

export async function endOfLog(connection: Connection): Promise<bigint> {
  const [row] = await connection.texts("source_log_end", { text: "select pg_current_wal_lsn()::text" });
  return parseLsn(row?.[0] ?? "0/0");
}

/** @throws ReplicationNotAllowed, with what to change */
export async function checkReplication(connection: Connection): Promise<void> {
  const [row] = await connection.texts("source_rights", {
    text: `select current_setting('wal_level'), (rolsuper or rolreplication)::int::text, current_user::text
      from pg_roles where rolname = current_user`,
  });
  const [level, mayReplicate, user] = row ?? [];
  if (level !== "logical")
    throw new ReplicationNotAllowed(
      `the server's wal_level is ${level ?? "unknown"}, and mode: cdc needs logical: set it and restart the server, or use mode: timestamp`,
    );
  if (mayReplicate !== "1")
    throw new ReplicationNotAllowed(`the user ${user ?? ""} may not replicate: alter role ${user ?? ""} replication`);
}

/** Makes the publication unless it is there. @throws ReplicationNotAllowed, SourceMismatch */
export async function ensurePublication(
  connection: Connection,
  table: Table,
  { postgres }: SourceConfig,
): Promise<void> {
  const name = postgres.slot;
  const published = async (): Promise<boolean> =>
    (
      await connection.texts("source_publication", {
        text: "select 1 from pg_publication_tables where pubname = $1 and schemaname = $2 and tablename = $3",
        values: [name, table.schema, table.name],
      })
    ).length > 0;
  if (await published()) return;
  try {
    await connection.query("source_publish", {
      text: `create publication ${identifier(name)} for table ${qualified(table)}
        with (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`,
    });
  } catch (error) {
    if (!(error instanceof DatabaseRefused)) throw error;
    throw new ReplicationNotAllowed(
      `the publication ${name} cannot be made (${error.message}): let the owner of ${postgres.table} run ` +
        `create publication ${name} for table ${qualified(table)} with (publish_via_partition_root = true)`,
      { cause: error },
    );
  }
  if (!(await published()))
    throw new SourceMismatch(
      `the publication ${name} does not have the table ${postgres.table}: drop it, or add the table to it`,
    );
}
