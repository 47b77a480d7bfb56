/** A pipeline's database, reached through a tunnel with the credentials of CloudNativePG's secret. */
import pg from "pg";
import { get, NAMESPACE } from "./kube.ts";
import { openTunnel } from "./tunnel.ts";

export interface Database {
  query<T extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

/**
 * @param cluster CloudNativePG Cluster
 * @param secretName with username, password and dbname; the Cluster's own `-app` by default
 */
export async function openDatabase(cluster: string, secretName = `${cluster}-app`): Promise<Database> {
  const secret = await get<{ data: Record<string, string> }>("secret", secretName);
  if (secret === undefined) throw new Error(`there is no Secret ${secretName}`);
  const value = (key: string) => Buffer.from(secret.data[key] ?? "", "base64").toString();
  const primary = async () => {
    const found = await get<{ status?: { currentPrimary?: string } }>("clusters.postgresql.cnpg.io", cluster);
    if (found?.status?.currentPrimary === undefined) throw new Error(`Cluster ${cluster} has no primary`);
    return found.status.currentPrimary;
  };
  const tunnel = await openTunnel(NAMESPACE, primary, 5432);
  // One connection a query: PostgreSQL is restarted while tests look.
  const query = async <T extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<T[]> => {
    const client = new pg.Client({
      host: "127.0.0.1",
      port: tunnel.port,
      user: value("username"),
      password: value("password"),
      database: value("dbname"),
      connectionTimeoutMillis: 10_000,
      query_timeout: 120_000,
    });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<T>(sql, values)).rows;
    } finally {
      await client.end();
    }
  };
  return { query, close: () => tunnel.close() };
}
