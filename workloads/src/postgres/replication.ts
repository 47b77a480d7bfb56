/** Replication slots and publications that are ours, and go when their stage does. */
import type { Connection } from "./connection.ts";
import { identifier } from "./core/identifiers.ts";

/** Ends the session that still has the slot: whoever calls this knows that it is of no use any more. */
export async function freeSlot(connection: Connection, name: string): Promise<void> {
  await connection.texts("source_free_slot", {
    text: "select pg_terminate_backend(active_pid)::text from pg_replication_slots where slot_name = $1 and active",
    values: [name],
  });
}

/** Removes the slot, if there is one: the server keeps no log for it any more. */
export async function dropSlot(connection: Connection, name: string): Promise<void> {
  await freeSlot(connection, name);
  await connection.texts("source_drop_slot", {
    text: "select pg_drop_replication_slot(slot_name)::text from pg_replication_slots where slot_name = $1",
    values: [name],
  });
}

/** Removes the slot and the publication. */
export async function removeReplication(connection: Connection, name: string): Promise<void> {
  await dropSlot(connection, name);
  await connection.query("source_unpublish", { text: `drop publication if exists ${identifier(name)}` });
}
