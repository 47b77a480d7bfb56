/** Logging in to PostgreSQL. */
import { Client, type ClientConfig } from "pg";
import { type Attempt, attemptsOf, type SslMode, sslModeOf } from "./core/tls.ts";
import { DatabaseNotTrusted } from "./errors.ts";
import type { DatabaseSecret } from "./secret.ts";

const CONNECT_TIMEOUT_MS = 10_000;

export interface LoginOptions extends Pick<ClientConfig, "options" | "pipeline" | "query_timeout"> {
  readonly application_name: string;
  /** `database`: the session speaks the replication protocol besides simple queries. */
  readonly replication?: "database";
  /** Bytes that the server may send in all. */
  readonly readLimit?: number;
}

/** Connects as the secret's sslmode says: nothing is sent in clear text, nor to whom the mode does not trust, unless it says so. */
export async function connectClient(secret: DatabaseSecret, options: LoginOptions): Promise<Client> {
  const { sslmode, ca, serverName, folder, ...login } = secret;
  const attempts = attemptsOf({ sslmode, ca, host: serverName ?? secret.host });
  for (const [at, attempt] of attempts.entries())
    try {
      return await connectOnce(login, options, attempt);
    } catch (error) {
      const known = tlsProblem(error, sslModeOf(secret), serverName ?? secret.host, folder ?? "the database's Secret");
      if (at + 1 === attempts.length || !(known instanceof DatabaseNotTrusted || isRefusedWay(error))) throw known;
    }
  throw new DatabaseNotTrusted("there is no way to connect");
}

/** pg_hba.conf has no entry for this way: it may have one for the other. */
function isRefusedWay(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "28000";
}

const NO_TLS = "does not support SSL";

/** Says of TLS what to do; other errors stay as they are. */
function tlsProblem(error: unknown, mode: SslMode, host: string, secret: string): unknown {
  if (!(error instanceof Error)) return error;
  const code = "code" in error ? String(error.code) : "";
  if (error.message.includes(NO_TLS))
    return new DatabaseNotTrusted(
      `${host} does not speak TLS, and sslmode ${mode} sends nothing in clear text: turn TLS on there; or, where the network may be trusted, set the key sslmode of ${secret} to disable or prefer`,
      { cause: error },
    );
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return new DatabaseNotTrusted(
      `the certificate of ${host} is not of this name (${error.message}): correct host in ${secret}, or set its key sslmode to verify-ca`,
      { cause: error },
    );
  if (CERTIFICATE.test(code))
    return new DatabaseNotTrusted(
      `the certificate of ${host} is not trusted (${code}: ${error.message}): set caSecretRef to the Secret that has its authority's certificate as ca.crt, or renew the server's`,
      { cause: error },
    );
  if (code === "EPROTO" || code.startsWith("ERR_SSL") || error.message.includes("establishing an SSL connection"))
    return new DatabaseNotTrusted(`TLS with ${host} failed (${error.message})`, { cause: error });
  return error;
}

/** Node's names of OpenSSL's reasons. */
const CERTIFICATE =
  /^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|CRL_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|ERROR_IN_CERT)/;

async function connectOnce(
  login: Pick<DatabaseSecret, "host" | "port" | "database" | "user" | "password">,
  options: LoginOptions,
  ssl: Attempt,
): Promise<Client> {
  const config = {
    ...login,
    ...options,
    ssl: ssl === false ? false : { ...ssl },
    // SCRAM is bound to the TLS session where the server offers that: who stands between cannot pass it on.
    enableChannelBinding: true,
    application_name: options.application_name.slice(0, 63),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
  const client = new Client(config);
  // Until somebody listens: an error while connecting rejects connect() and is told there.
  const whileConnecting = (): void => undefined;
  client.on("error", whileConnecting);
  if (options.readLimit !== undefined) limitReading(client, options.readLimit);
  try {
    await client.connect();
  } catch (error) {
    destroySocket(client);
    throw error;
  }
  return client;
}

const LOOK_MS = 20;

/** Ends the connection when more has come than was to be expected: a server may be anybody's program. */
function limitReading(client: Client, bytes: number): void {
  const look = setInterval(() => {
    const { connection } = client as unknown as { connection?: { stream?: { bytesRead?: number } } };
    if ((connection?.stream?.bytesRead ?? 0) > bytes) destroySocket(client);
  }, LOOK_MS);
  look.unref();
  client.once("end", () => clearInterval(look));
}

/** pg has no way to end a connection that does not answer; its socket is public in fact though not in its types. */
export function destroySocket(client: Client): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}
