/** The servers of a round, each behind a proxy that makes the bad network between it and the workers. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommitCutter, startCommitCutter } from "../engine/aggregator/commit-cutter.ts";
import { type Broker, startBroker } from "../engine/broker.ts";
import { type Database, type Postgres, startPostgres } from "../engine/postgres.ts";
import { type Redis, startRedis } from "../engine/redis.ts";
import { type S3, startS3 } from "../engine/s3.ts";
import { startTcpProxy, type TcpProxy } from "../engine/tcp-proxy.ts";
import type { System } from "./src/schedule.ts";

/** Registers what has to be closed after the round, last first. */
export type Opened = <T>(thing: T, close: (thing: T) => unknown) => T;

export interface Behind<Server> {
  readonly server: Server;
  readonly proxy: TcpProxy;
}

export interface Servers {
  readonly broker: Broker;
  readonly server: Postgres;
  /** What the workers' connections to Kafka and to PostgreSQL go through. */
  readonly kafka: TcpProxy;
  readonly postgres: CommitCutter;
  /** Cuts of COMMIT that are still to be made. */
  readonly cuts: { before: number; after: number };
  readonly redis: Behind<Redis> | undefined;
  readonly s3: Behind<S3> | undefined;
}

const DISK_MIB = 512;
const needs: Readonly<Record<System, { readonly redis: boolean; readonly s3: boolean; readonly logical: boolean }>> = {
  aggregates: { redis: false, s3: false, logical: false },
  banking: { redis: true, s3: false, logical: false },
  customers: { redis: true, s3: true, logical: true },
};
const properties = { "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000" };

export async function startServers(system: System, opened: Opened): Promise<Servers> {
  const { redis, s3, logical } = needs[system];
  const settings: Readonly<Record<string, string>> = logical ? { wal_level: "logical" } : {};
  const server = opened(await startPostgres({ diskMiB: DISK_MIB, settings }), (it) => it.stop());
  let kafka: TcpProxy | undefined;
  const behind = async (port: number): Promise<number> =>
    (kafka = opened(await startTcpProxy(port), (it) => it.close())).port;
  const broker = opened(await startBroker({ properties, behind }), (it) => it.stop());
  if (kafka === undefined) throw new TypeError("the broker asks for its proxy");
  const cuts = { before: 0, after: 0 };
  const postgres = opened(await startCommitCutter(server.port, () => nextCut(cuts)), (it) => it.close());
  const proxied = async <T extends { readonly port: number; stop(): Promise<void> }>(start: () => Promise<T>) => {
    const started = opened(await start(), (it) => it.stop());
    return { server: started, proxy: opened(await startTcpProxy(started.port), (it) => it.close()) };
  };
  return {
    ...{ broker, server, kafka, postgres, cuts },
    redis: redis ? await proxied(startRedis) : undefined,
    s3: s3 ? await proxied(startS3) : undefined,
  };
}

/** A bootstrap address that leads through the proxy. */
export function bootstrapOf({ kafka }: Servers): string {
  return `127.0.0.1:${kafka.port}`;
}

/** The database's secret with the port of what is before it. */
export function secretThrough({ secret }: Database, { postgres }: Servers, opened: Opened): string {
  const folder = mkdtempSync(join(tmpdir(), "caudal-secret-"));
  cpSync(secret, folder, { recursive: true });
  writeFileSync(join(folder, "port"), String(postgres.port));
  return opened(folder, (it) => rmSync(it, { recursive: true, force: true }));
}

function nextCut(cuts: { before: number; after: number }): "pass" | "before" | "after" {
  for (const where of ["before", "after"] as const)
    if (cuts[where] > 0) {
      cuts[where]--;
      return where;
    }
  return "pass";
}
