import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseRefused } from "./errors.ts";

/** Where the database is and who we are to it. */
export interface DatabaseSecret {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/**
 * Reads the mounted secret. It is read again for each connection, so that a rotated password works without a restart.
 *
 * @param folder with the files host, port, dbname, username and password
 */
export async function readSecret(folder: string): Promise<DatabaseSecret> {
  const [host, port, database, user, password] = await Promise.all(
    ["host", "port", "dbname", "username", "password"].map((key) => readKey(folder, key)),
  );
  if (!host || !port || !database || !user || password === undefined || !/^[0-9]{1,5}$/.test(port))
    throw new DatabaseRefused(
      `${folder} needs the files host, port, dbname, username and password, none of them empty`,
    );
  return { host, port: Number(port), database, user, password };
}

async function readKey(folder: string, key: string): Promise<string> {
  try {
    return (await readFile(join(folder, key), "utf8")).replace(/\r?\n$/, "");
  } catch (error) {
    throw new DatabaseRefused(`the secret of the database has no readable key ${key} in ${folder}`, { cause: error });
  }
}
