/** A database for one run, and the connection on which the benchmark asks its questions. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import type { Database, Postgres } from "../engine/postgres.ts";

/** Where a database is and who may write to it, from the folder of its secret. */
export function credentials({ secret }: Pick<Database, "secret">) {
  const [host = "", port = "", database = "", user = "", password = ""] = [
    "host",
    "port",
    "dbname",
    "username",
    "password",
  ].map((file) => readFileSync(join(secret, file), "utf8"));
  return { host, port: Number(port), database, user, password };
}

export interface RunDatabase {
  readonly database: Database;
  readonly client: Client;
  /** Closes the connection and drops the database. */
  drop(): Promise<void>;
}

/** Makes it, and has PostgreSQL write out what earlier runs left behind. */
export async function makeDatabase(postgres: Postgres, name: string): Promise<RunDatabase> {
  const database = await postgres.database(name);
  const client = new Client(credentials(database));
  client.on("error", () => undefined); // the server goes first when all is stopped; the query itself rejects
  await client.connect();
  await client.query("checkpoint");
  return {
    database,
    client,
    drop: async () => {
      await client.end();
      const admin = new Client({ ...credentials(database), database: "postgres" });
      await admin.connect();
      await admin.query(`drop database "${name}" with (force)`);
      await admin.end();
    },
  };
}
