/** The broker and the PostgreSQL that every engine of a run shares, configured as for work rather than for a test. */
import { type Broker, startBroker } from "../engine/broker.ts";
import { type Postgres, startPostgres } from "../engine/postgres.ts";
import type { Cleanup } from "./cleanup.ts";

export interface Servers {
  readonly broker: Broker;
  readonly postgres: Postgres;
}

const BROKER_JVM = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"];
/** Kafka's defaults, in place of what makes a test's broker quick to forget. */
const BROKER_PROPERTIES = { "log.retention.check.interval.ms": "300000", "log.cleaner.backoff.ms": "15000" };
/** Commits reach the disk, as anywhere where results matter. */
const POSTGRES_SETTINGS = {
  fsync: "on",
  synchronous_commit: "on",
  shared_buffers: "512MB",
  max_wal_size: "4GB",
  wal_level: "logical",
  log_min_messages: "error",
};

/** What a reader of the results has to know of them. */
export const serversInWords =
  "one Kafka broker (KRaft, heap 1 GiB, replication 1) and one PostgreSQL (fsync and synchronous_commit on, " +
  "shared_buffers 512 MB) on the same machine";

export async function startServers(cleanup: Cleanup): Promise<Servers> {
  const broker = await startBroker({ properties: BROKER_PROPERTIES, jvm: BROKER_JVM });
  cleanup.add(async () => await broker.stop());
  const postgres = await startPostgres({ settings: POSTGRES_SETTINGS });
  cleanup.add(async () => await postgres.stop());
  return { broker, postgres };
}
