/**
 * How to reach the brokers. Secrets are files, read again at each connection or login,
 * so that a rotated password or authority is used from the next connection on without a restart.
 */
import { readFileSync } from "node:fs";
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

/** Gives the contents of a secret's file. */
export type ReadSecret = (file: string) => string;

/** Options of one @platformatic/kafka connection to the broker at `host`; make them anew for each. */
export function connectionOptions(
  kafka: KafkaConnection,
  host: string,
  readSecret: ReadSecret = readSecretFile,
): ConnectionOptions {
  const { sasl } = kafka;
  const secret = (file: "username" | "password") => readSecret(join(sasl?.secret ?? "", file)).replace(/\r?\n$/, "");
  return {
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    maxInflights: 16,
    ...(kafka.tls === undefined ? {} : { tls: tlsOptions(kafka, readSecret), tlsServerName: isIP(host) === 0 && host }),
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

function tlsOptions({ tls }: KafkaConnection, readSecret: ReadSecret): TlsOptions {
  return tls?.ca === undefined ? {} : { ca: readSecret(join(tls.ca, "ca.crt")) };
}

function readSecretFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigInvalid(`cannot read the secret file ${file}: ${describeError(error)}`, { cause: error });
  }
}
