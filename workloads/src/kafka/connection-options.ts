/**
 * How to reach the brokers. Secrets are files, read again at each connection or login,
 * so that a rotated password or authority is used from the next connection on without a restart.
 */
import { readdirSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import type { KafkaConnection } from "@caudal/crds";
import type { ConnectionOptions } from "@platformatic/kafka";
import { ConfigInvalid, describeError } from "../runtime/errors.ts";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export const CONNECT_TIMEOUT_MS = 10_000;
export const REQUEST_TIMEOUT_MS = 30_000;

/** @throws ConfigInvalid for a bootstrap server that is not `host:port` */
export function parseBootstrap(servers: readonly string[]): HostPort[] {
  return servers.map((server) => {
    const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(server.trim());
    const host = match?.[1] ?? match?.[2];
    const port = Number(match?.[3]);
    if (host === undefined || !(port >= 1 && port <= 65_535))
      throw new ConfigInvalid(`bootstrap server "${server}" is not host:port`);
    return { host, port };
  });
}

/** Secrets as files. */
export interface SecretFiles {
  /** The contents of a file. */
  read(file: string): string;
  /** Names of the files of a folder. */
  names(folder: string): readonly string[];
}

/** Options of one @platformatic/kafka connection to the broker at `host`; make them anew for each. */
export function connectionOptions(
  kafka: KafkaConnection,
  host: string,
  files: SecretFiles = mounted,
): ConnectionOptions {
  const { sasl } = kafka;
  const secret = (file: "username" | "password") => files.read(join(sasl?.secret ?? "", file)).replace(/\r?\n$/, "");
  return {
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    maxInflights: 16,
    ...(kafka.tls === undefined ? {} : { tls: tlsOptions(kafka, files), tlsServerName: isIP(host) === 0 && host }),
    ...(sasl === undefined
      ? {}
      : {
          sasl: {
            mechanism: (
              { "scram-sha-512": "SCRAM-SHA-512", "scram-sha-256": "SCRAM-SHA-256", plain: "PLAIN" } as const
            )[sasl.mechanism],
            username: () => sasl.username ?? secret("username"),
            password: () => secret("password"),
          },
        }),
  };
}

/** All authorities are trusted: while one takes the place of another, brokers show chains of both. */
function tlsOptions({ tls }: KafkaConnection, files: SecretFiles): TlsOptions {
  const folder = tls?.ca;
  if (folder === undefined) return {};
  const names = files.names(folder).filter((name) => name.endsWith(".crt"));
  if (names.length === 0)
    throw new ConfigInvalid(
      `no file in ${folder} is named *.crt: put the authority's certificate into the Secret as ca.crt`,
    );
  return { ca: [...names].sort().map((name) => files.read(join(folder, name))) };
}

const mounted: SecretFiles = {
  read: (file) => orInvalid(`read the secret file ${file}`, () => readFileSync(file, "utf8")),
  names: (folder) => orInvalid(`list the secret's files in ${folder}`, () => readdirSync(folder)),
};

function orInvalid<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ConfigInvalid(`cannot ${what}: ${describeError(error)}`, { cause: error });
  }
}
