import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SSL_MODES, type SslMode } from "./core/tls.ts";
import { DatabaseRefused } from "./errors.ts";

/** Where the database is and who we are to it. */
export interface DatabaseSecret {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** As in libpq; by default verify-full where `ca` is known, and else require. */
  readonly sslmode?: SslMode;
  /** Certificates of authorities that are trusted, in PEM. */
  readonly ca?: string;
  /** The folder that it was read from. */
  readonly folder?: string;
  /** The name that the server's certificate is to have, where that is not `host`. */
  readonly serverName?: string;
}

/**
 * Reads the mounted secret. It is read again for each connection, so that a rotated password, or authority, works without
 * a restart.
 *
 * @param folder with the files host, port, dbname, username and password, and perhaps sslmode and ca.crt
 */
export async function readSecret(folder: string): Promise<DatabaseSecret> {
  const [host, port, database, user, password] = await Promise.all(
    ["host", "port", "dbname", "username", "password"].map((key) => readKey(folder, key)),
  );
  const [sslmode, ca] = await Promise.all(["sslmode", "ca.crt"].map((key) => readOptional(folder, key)));
  if (!host || !port || !database || !user || password === undefined || !/^[0-9]{1,5}$/.test(port))
    throw new DatabaseRefused(
      `${folder} needs the keys host, port, dbname, username and password, none of them empty, and port as a number`,
    );
  return { host, port: Number(port), database, user, password, folder, ...trustOf(sslmode, ca) };
}

/** Which database, as whom, and where that is written: for messages, without the password. */
export function describeLogin({ host, port, database, user, folder }: DatabaseSecret): string {
  return `database ${database} at ${host}:${port} as user ${user}${folder === undefined ? "" : ` (${folder})`}`;
}

/**
 * @param sslmode of the Secret, where it has one
 * @param ca certificates in PEM
 * @throws DatabaseRefused for a mode that there is not
 */
export function trustOf(sslmode: string | undefined, ca: string | undefined): Pick<DatabaseSecret, "sslmode" | "ca"> {
  const mode = SSL_MODES.find((known) => known === sslmode);
  if (sslmode !== undefined && mode === undefined)
    throw new DatabaseRefused(
      `the key sslmode of the database's Secret is ${sslmode}: use one of ${SSL_MODES.join(", ")}`,
    );
  if (mode === "verify-ca" && ca === undefined)
    throw new DatabaseRefused(
      "sslmode verify-ca needs an authority: set caSecretRef to the Secret that has its certificate as ca.crt",
    );
  return { ...(mode === undefined ? {} : { sslmode: mode }), ...(ca === undefined ? {} : { ca }) };
}

async function readOptional(folder: string, key: string): Promise<string | undefined> {
  return existsSync(join(folder, key)) ? await readKey(folder, key) : undefined;
}

async function readKey(folder: string, key: string): Promise<string> {
  try {
    return (await readFile(join(folder, key), "utf8")).replace(/\r?\n$/, "");
  } catch (error) {
    throw new DatabaseRefused(`${folder}, with which to log in to the database, has no readable key ${key}: add it`, {
      cause: error,
    });
  }
}
