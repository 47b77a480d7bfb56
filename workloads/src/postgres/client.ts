/** Logging in to PostgreSQL. */
import { Client, type ClientConfig } from "pg";
import type { DatabaseSecret } from "./secret.ts";

const CONNECT_TIMEOUT_MS = 10_000;

export interface LoginOptions extends Pick<ClientConfig, "pipeline" | "query_timeout"> {
  readonly application_name: string;
  /** `database`: the session speaks the replication protocol besides simple queries. */
  readonly replication?: "database";
}

/** TLS where the server speaks it, as libpq's `sslmode=prefer`: inside a cluster it speaks, a database of a laptop may not. */
export async function connectClient(secret: DatabaseSecret, options: LoginOptions): Promise<Client> {
  try {
    return await connectOnce(secret, options, { rejectUnauthorized: false });
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes("does not support SSL")) throw error;
    return await connectOnce(secret, options, false);
  }
}

async function connectOnce(
  secret: DatabaseSecret,
  options: LoginOptions,
  ssl: false | { rejectUnauthorized: boolean },
): Promise<Client> {
  const config = {
    ...secret,
    ...options,
    ssl,
    application_name: options.application_name.slice(0, 63),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
  const client = new Client(config);
  // Until somebody listens: an error while connecting rejects connect() and is told there.
  const whileConnecting = (): void => undefined;
  client.on("error", whileConnecting);
  try {
    await client.connect();
  } catch (error) {
    destroySocket(client);
    throw error;
  }
  return client;
}

/** pg has no way to end a connection that does not answer; its socket is public in fact though not in its types. */
export function destroySocket(client: Client): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}
