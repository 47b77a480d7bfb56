/** One connection to the database and one writer to Kafka, from the place on at which the one before has stopped. */
import { consumerGroup, type SourceConfig } from "@caudal/crds";
import type { KafkaCluster } from "../kafka/cluster.ts";
import { watchForgotten } from "../kafka/forgotten.ts";
import { Connection } from "../postgres/connection.ts";
import { DatabaseUnavailable } from "../postgres/errors.ts";
import { WorkloadError } from "../runtime/errors.ts";
import { pause } from "../runtime/retry.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import { lockSource, readServer, readTable, type Server, VALUE_SETTINGS, AS_THEY_ARE } from "./catalog.ts";
import type { Origin, Place } from "./core/place.ts";
import { keyColumnsOf, type Layout, layoutOf, type Table } from "./core/table.ts";
import { SourceReplaced } from "./errors.ts";
import { Sink } from "./sink.ts";

export interface Session {
  readonly context: RuntimeContext;
  readonly config: SourceConfig;
  readonly connection: Connection;
  readonly server: Server;
  readonly table: Table;
  readonly layout: Layout;
  readonly sink: Sink;
  /** Undefined when the source begins. */
  readonly place: Place | undefined;
  /** What new places say of their settings and of the database. */
  readonly of: string;
  readonly origin: Origin;
  /** Aborted when the server is shutting down, and waits for its sessions to end. */
  readonly leaving: AbortSignal;
}

const STANDBY_MS = 1_000;
const PROBE_MS = 10_000;
/** SQLSTATE of a server that takes no new sessions, as it starts or stops. */
const CANNOT_CONNECT_NOW = "57P03";

/** Runs `work` in a session of its own; waits before as long as another process has one. */
export async function withSession(
  context: RuntimeContext,
  config: SourceConfig,
  cluster: KafkaCluster,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const connection = await openConnection(context, config, "source");
  const over = new AbortController();
  const left = new AbortController();
  const probing = probe(context, config, left, AbortSignal.any([context.drain.signal, over.signal]));
  let watching: Promise<void> | undefined;
  try {
    await waitForTurn(context, config, connection, left.signal);
    const server = await readServer(connection);
    const table = await readTable(connection, config.postgres.table);
    const layout = layoutOf(config, table);
    const target = { topic: config.topic.name, letters: config.deadLetterTopic };
    const { sink, place } = await Sink.open(context, cluster, target);
    const of = settingsOf(config, layout);
    const origin = { system: server.system, table: table.oid, pipeline: context.config.pipeline.uid };
    const kept = place?.of === of ? place : undefined;
    if (kept !== undefined) checkOrigin(config, kept.origin, origin);
    context.health.setReady(true, "running");
    context.health.setState("Running");
    context.health.clearError();
    context.log.info({ table: config.postgres.table, place: kept?.at ?? "the beginning" }, "reads the table");
    const group = consumerGroup(context.config);
    const writers = { own: (id: string) => id === group, topics: Object.values(target), group };
    const signal = AbortSignal.any([context.drain.signal, over.signal]);
    watching = watchForgotten(cluster, writers, { signal, log: context.log });
    await work({
      context,
      config,
      connection,
      server,
      table,
      layout,
      sink,
      place: kept,
      of,
      origin,
      leaving: left.signal,
    });
  } finally {
    over.abort();
    await Promise.all([watching, probing]);
    await connection.close();
  }
}

/**
 * A server that is told to stop in order ("smart", as CloudNativePG does at first when a Cluster hibernates) takes no new
 * sessions, and waits for those that it has, which do not hear of it. So a new one is tried now and then.
 */
async function probe(
  context: RuntimeContext,
  config: SourceConfig,
  left: AbortController,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && !left.signal.aborted) {
    try {
      await pause(PROBE_MS, signal);
      const connection = await openConnection(context, config, "probe");
      await connection.close();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof WorkloadError)) throw error;
      context.log.debug({ error: error.message }, "the database takes no new session");
      if (error.message.includes(CANNOT_CONNECT_NOW))
        left.abort(
          new DatabaseUnavailable(`the server is shutting down: waiting for it to come back (${error.message})`),
        );
    }
  }
}

/** A session of the source database whose values come in the form that is read here. */
export async function openConnection(context: RuntimeContext, config: SourceConfig, use: string): Promise<Connection> {
  const { metrics } = context;
  const { pipeline, stage } = context.config;
  const connection = await Connection.open({
    secret: config.postgres.secret,
    applicationName: `caudal ${pipeline.namespace}/${pipeline.name} ${stage.name} ${use}`,
    settings: VALUE_SETTINGS,
    onCall: (operation, seconds, outcome) => {
      metrics.externalCallSeconds.observe(
        { target: "postgres", operation, outcome: outcome === "ok" ? "ok" : "error" },
        seconds,
      );
    },
  });
  try {
    await connection.query("source_encoding", { text: AS_THEY_ARE });
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Settings under which a place is of use; the database and the table are in the slot's name. */
function settingsOf({ postgres }: SourceConfig, layout: Layout): string {
  return [postgres.mode, postgres.slot, postgres.resync, postgres.timestampColumn ?? "", ...keyColumnsOf(layout)].join(
    " ",
  );
}

async function waitForTurn(
  context: RuntimeContext,
  config: SourceConfig,
  connection: Connection,
  leaving: AbortSignal,
): Promise<void> {
  const { drain, health, log } = context;
  for (let first = true; !(await lockSource(connection, config.postgres.slot)); first = false) {
    if (first) log.info("another process reads the table: standing by");
    leaving.throwIfAborted();
    health.beat();
    health.setReady(true, "stands by");
    health.setState("Running");
    await pause(STANDBY_MS, drain.signal);
  }
}

/** @throws SourceReplaced */
export function checkOrigin({ postgres }: SourceConfig, was: Origin, is: Origin): void {
  if (was.system === is.system && was.table === is.table) return;
  const what =
    was.system === is.system
      ? `the table ${postgres.table} was made anew`
      : "the database is another one (restored, upgraded or replaced)";
  throw new SourceReplaced(
    `${what}: what was sent of the one before says nothing of it; raise postgres.resync (now ${postgres.resync}) to send the whole table again`,
  );
}
