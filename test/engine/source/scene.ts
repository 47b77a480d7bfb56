/** A source under test: one broker and one PostgreSQL for a file of tests, and for each test a table and a topic. */
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import type { SourceConfig, StageStatus, WorkloadConfig } from "@caudal/crds";
import { poll } from "../../cluster/host/poll.ts";
import { killWorkers, startWorker, type Worker, type WorkerOptions } from "../aggregator/stage.ts";
import { createTopic, type LoggedRecord, type Topic } from "../aggregator/topic.ts";
import { type Broker, sharedBroker, startBroker } from "../broker.ts";
import { type Database, type Postgres, type PostgresOptions, startPostgres } from "../postgres.ts";

type Fields = SourceConfig["topic"]["fields"];

export interface SourceScene {
  readonly broker: Broker;
  readonly server: Postgres;
  readonly database: Database;
  readonly topic: Topic;
  readonly letters: Topic;
  readonly config: WorkloadConfig;
  start(options?: WorkerOptions, config?: WorkloadConfig): Promise<Worker>;
  /** All records so far, without the marks at the end. */
  records(): Promise<Sent[]>;
  deadLetters(): Promise<LoggedRecord[]>;
  status(worker: Worker): Promise<StageStatus>;
}

export interface Sent {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** Null for a tombstone. */
  readonly value: Record<string, unknown> | null;
  readonly text: string | null;
}

export interface SourceOptions {
  /** Statements that make the table `public.items`, and what else it takes. */
  readonly ddl: string;
  readonly fields: Fields;
  /** Options of `create database`. */
  readonly database?: string;
  readonly key?: string;
  readonly partitions?: number;
  readonly topicConfig?: Readonly<Record<string, string>>;
  readonly postgres?: Partial<SourceConfig["postgres"]>;
}

/**
 * A source of the table `public.items`, in timestamp mode unless told otherwise.
 *
 * @param name of its topic, in which its dead letters' and its slot's begin
 */
export function sourceConfig(
  name: string,
  bootstrap: string,
  postgres: Partial<SourceConfig["postgres"]> & Pick<SourceConfig["postgres"], "secret">,
  { fields, key }: Pick<SourceOptions, "fields" | "key">,
): WorkloadConfig {
  return {
    version: 1,
    pipeline: { namespace: "shop", name, uid: "first", generation: 1 },
    stage: { name: "items", role: "source" },
    kafka: { bootstrapServers: [bootstrap] },
    source: {
      topic: { name, fields, ...(key === undefined ? {} : { key }) },
      deadLetterTopic: `${name}-dlq`,
      postgres: {
        table: "public.items",
        mode: "timestamp",
        timestampColumn: "changed",
        pollIntervalMs: 20,
        lookbackMs: 2_000,
        onTruncate: "Stop",
        maxRetainedWalBytes: 1 << 30,
        resync: 0,
        slot: `caudal_${name.replaceAll("-", "_")}`,
        ...postgres,
      },
    },
  };
}

export const field = (name: string, type: string, nullable = false): Fields[number] => ({ name, type, nullable });

/**
 * @param name of the file's topics and databases: the tests' are numbered
 * @param own whether the file needs a broker that nobody else uses
 */
export function useSource(
  name: string,
  { own = false, ...postgres }: PostgresOptions & { readonly own?: boolean } = {},
): (options: SourceOptions) => Promise<SourceScene> {
  let broker: Broker;
  let server: Postgres;
  let count = 0;
  const open: Topic[] = [];
  beforeAll(async () => {
    const settings = {
      wal_level: "logical",
      max_prepared_transactions: "4",
      max_replication_slots: "50",
      ...postgres.settings,
    };
    [broker, server] = await Promise.all([
      own ? startBroker() : sharedBroker(),
      startPostgres({ ...postgres, settings }),
    ]);
  });
  afterEach(async () => {
    await killWorkers();
    for (const topic of open.splice(0)) await topic.close();
  });
  afterAll(async () => {
    await Promise.all([broker?.stop(), server?.stop()]);
  });
  return async (options) => {
    const unique = `${name}${++count}`;
    const database = await server.database(unique, options.database);
    await database.query(options.ddl);
    const topic = await createTopic(broker, unique, options.partitions ?? 3, options.topicConfig);
    const letters = await createTopic(broker, `${unique}-dlq`, 1);
    open.push(topic, letters);
    const config = sourceConfig(unique, broker.bootstrap, { secret: database.secret, ...options.postgres }, options);
    return {
      broker,
      server,
      database,
      topic,
      letters,
      config,
      start: async (workerOptions, other = config) => await startWorker(other, workerOptions),
      records: async () => (await recordsOf(topic)).map(sentOf),
      deadLetters: async () => await recordsOf(letters),
      status: async (worker) => await worker.status(),
    };
  };
}

/** Marks the end of each partition by a record, which goes behind whatever was written. */
export async function recordsOf(topic: Topic): Promise<LoggedRecord[]> {
  return (await topic.readTo(await topic.seal())).filter(({ key }) => key !== "end");
}

export function sentOf({ partition, offset, key, value }: LoggedRecord): Sent {
  const text = value?.toString() ?? null;
  return {
    partition,
    offset,
    key: key ?? "",
    text,
    value: text === null ? null : (JSON.parse(text) as Record<string, unknown>),
  };
}

/** Waits until the stage has sent so many events in all since it began, dead letters among them. */
export async function untilSent(worker: Worker, events: number, seconds = 60): Promise<void> {
  const sent = async (): Promise<number> => {
    const status = await worker.status();
    return status.events + status.deadLetters;
  };
  await poll(async () => ((await sent()) >= events ? true : undefined), {
    seconds,
    everyMs: 50,
    onTimeout: async () => `sent ${await sent()} of ${events}:\n${worker.log()}`,
  });
}

/** Last record of each key, in text; tombstones left out. */
export function latest(records: readonly Sent[]): Map<string, Record<string, unknown>> {
  const last = new Map<string, Record<string, unknown>>();
  for (const { key, value } of [...records].sort((a, b) => a.offset - b.offset))
    if (value === null) last.delete(key);
    else last.set(key, value);
  return last;
}

/** Waits until a worker gives up. @returns the reason and the message that it gave */
export async function failure(scene: SourceScene, worker: Worker): Promise<string> {
  const failed = async () => {
    const status = await scene.status(worker);
    return status.state === "Failed" ? status : undefined; // It ends soon after.
  };
  const { error } = await poll(failed, { seconds: 120, onTimeout: () => `it did not fail:\n${worker.log()}` });
  expect((await worker.exited).code).toBe(4);
  return `${error?.reason}: ${error?.message}`;
}
