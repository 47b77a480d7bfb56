/** The replication slot of a source: nobody else uses it. */
import type { Connection } from "../../postgres/connection.ts";
import { ReplicationNotAllowed } from "../errors.ts";
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
