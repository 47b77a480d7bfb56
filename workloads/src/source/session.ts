/** One connection to the database and one writer to Kafka, from the place on at which the one before has stopped. */
import { consumerGroup, type SourceConfig } from "@caudal/crds";
import type { KafkaCluster } from "../kafka/cluster.ts";
import { watchForgotten } from "../kafka/forgotten.ts";
import { Connection } from "../postgres/connection.ts";
import { pause } from "../runtime/retry.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import { lockSource, readServer, readTable, type Server, VALUE_SETTINGS } from "./catalog.ts";
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
}

const STANDBY_MS = 1_000;

/** Runs `work` in a session of its own; waits before as long as another process has one. */
export async function withSession(
  context: RuntimeContext,
  config: SourceConfig,
  cluster: KafkaCluster,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const connection = await openConnection(context, config, "source");
  const over = new AbortController();
  let watching: Promise<void> | undefined;
  try {
    await waitForTurn(context, config, connection);
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
    await work({ context, config, connection, server, table, layout, sink, place: kept, of, origin });
  } finally {
    over.abort();
    await watching;
    await connection.close();
  }
}

/** A session of the source database whose values come in the form that is read here. */
export async function openConnection(context: RuntimeContext, config: SourceConfig, use: string): Promise<Connection> {
  const { metrics } = context;
  const { pipeline, stage } = context.config;
  return await Connection.open({
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
}

/** Settings under which a place is of use; the database and the table are in the slot's name. */
function settingsOf({ postgres }: SourceConfig, layout: Layout): string {
  return [postgres.mode, postgres.slot, postgres.resync, postgres.timestampColumn ?? "", ...keyColumnsOf(layout)].join(
    " ",
  );
}

async function waitForTurn(context: RuntimeContext, config: SourceConfig, connection: Connection): Promise<void> {
  const { drain, health, log } = context;
  for (let first = true; !(await lockSource(connection, config.postgres.slot)); first = false) {
    if (first) log.info("another process reads the table: standing by");
    health.beat();
    health.setReady(true, "stands by");
    health.setState("Running");
    await pause(STANDBY_MS, drain.signal);
  }
}

function checkOrigin({ postgres }: SourceConfig, was: Origin, is: Origin): void {
  if (was.system === is.system && was.table === is.table) return;
  const what =
    was.system === is.system
      ? `the table ${postgres.table} was made anew`
      : "the database is another one (restored, upgraded or replaced)";
  throw new SourceReplaced(
    `${what}: what was sent of the one before says nothing of it; raise postgres.resync (now ${postgres.resync}) to send the whole table again`,
  );
}
