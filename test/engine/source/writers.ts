/** Sessions that write to a source's database, as the applications of its owner do. */
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { SourceScene } from "./scene.ts";

/** A database, and the server that it is on. */
export type Written = Pick<SourceScene, "server" | "database">;

/** A session of its own, for transactions that stay open. */
export async function session({ server, database }: Written): Promise<Client> {
  const client = new Client({
    host: "127.0.0.1",
    port: server.port,
    database: database.name,
    user: "app",
    password: "only on loopback",
  });
  client.on("error", () => undefined); // The server may be killed: the next statement says so.
  await client.connect();
  return client;
}

/**
 * Three sessions that run transactions one after another, over killed servers and deadlocks, until they are told to end.
 *
 * @param statements of one transaction, between its begin and its end
 */
export function startWriters(
  scene: Written,
  statements: (client: Client) => Promise<void>,
  rolledBack: () => boolean,
): { end: () => Promise<void> } {
  let writing = true;
  const write = async (): Promise<void> => {
    let client: Client | undefined;
    while (writing) {
      try {
        client ??= await session(scene);
        await client.query("begin");
        await statements(client);
        await client.query(rolledBack() ? "rollback" : "commit");
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        // A deadlock under a savepoint leaves the locks of its transaction: the session has to go.
        await client?.end().catch(() => undefined);
        client = undefined;
        await sleep(50);
      }
    }
    await client?.end();
  };
  const writers = Promise.all([write(), write(), write()]);
  return {
    end: async () => {
      writing = false;
      await writers;
    },
  };
}
