import { poll } from "../../cluster/host/poll.ts";
import type { Database } from "../postgres.ts";

/** Drops a replication slot, over whoever reads it, or has read it a moment ago, or comes back meanwhile. */
export async function dropSlot(database: Database, name: string | undefined): Promise<true> {
  const dropped = async (): Promise<true | undefined> => {
    await database.query(
      "select pg_terminate_backend(active_pid, 2000) from pg_replication_slots where slot_name = $1 and active_pid is not null",
      [name],
    );
    const drop = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1";
    const rows = await database.query(drop, [name]).catch(() => undefined);
    return rows === undefined ? undefined : true;
  };
  return await poll(dropped, { seconds: 120, everyMs: 20, onTimeout: () => `cannot drop the slot ${name}` });
}

/** Writes more log than the server may keep for a slot that nobody reads. */
export async function invalidateSlot(database: Database, name: string | undefined): Promise<void> {
  const run = async (...statements: readonly string[]): Promise<void> => {
    for (const statement of statements) await database.query(statement);
  };
  const status = async (): Promise<string | undefined> =>
    (
      await database.query<{ wal: string }>("select wal_status as wal from pg_replication_slots where slot_name = $1", [
        name,
      ])
    )[0]?.wal;
  await run("alter system set max_slot_wal_keep_size = '1MB'", "select pg_reload_conf()");
  const lost = async (): Promise<true | undefined> => {
    await run("select pg_logical_emit_message(false, 'filler', 'x')", "select pg_switch_wal()", "checkpoint");
    return (await status()) === "lost" ? true : undefined;
  };
  try {
    await poll(lost, { seconds: 120, everyMs: 100, onTimeout: async () => `the slot is ${await status()}` });
  } finally {
    await run("alter system reset max_slot_wal_keep_size", "select pg_reload_conf()");
  }
}
