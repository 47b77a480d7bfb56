/** What one stage of each kind costs at rest, and at a rate of a small pipeline, beside a Kafka Streams program in the same run. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { isRetryable } from "@caudal/workloads/runtime/retry";
import type { Progress } from "../cluster/host/progress.ts";
import { type Redis, startRedis } from "../engine/redis.ts";
import { makeDatabase } from "./database.ts";
import { type EngineProcess, startEngine } from "./engine-process.ts";
import { workloadBegins, workloadCommand } from "./engines/caudal.ts";
import { streamsTopics, streamsTransform } from "./engines/kafka-streams.ts";
import { startLive } from "./live.ts";
import { cpuSeconds, peakMb } from "./process-usage.ts";
import type { SmallResult } from "./report/small.ts";
import type { Bench } from "./running.ts";
import {
  lookupTables,
  sharedTopics,
  SMALL_PARTITIONS,
  SMALL_TOPIC,
  type SmallStage,
  smallStages,
  sourceTables,
} from "./small-stages.ts";

export interface SmallOptions {
  /** Events per second, of all partitions together. */
  readonly rate: number;
  readonly seconds: number;
  /** Names of the stages; none: all, and the peer. */
  readonly names: readonly string[];
}

/** What runs all the time is measured when it has settled: after its start, and after the first events. */
const SETTLE_SECONDS = 45;
const WARM_UP_SECONDS = 25;
const ROWS_EVERY_MS = 100;
/** For the last events to arrive. */
const TAIL_SECONDS = 15;

interface Started {
  readonly name: string;
  readonly what: string;
  readonly process: EngineProcess;
  /** Topics whose records are counted. */
  readonly topics: readonly string[];
}

export async function measureSmall(
  bench: Bench,
  options: SmallOptions,
  progress: Progress,
): Promise<readonly SmallResult[]> {
  const { database, client, drop } = await makeDatabase(bench.servers.postgres, "small");
  bench.cleanup.add(drop);
  const redis = await startRedis();
  bench.cleanup.add(async () => await redis.stop());
  const started: Started[] = [];
  const done = bench.cleanup.add(async () => await stopAll(started));
  try {
    await makeTables(client);
    await bench.topics.create(SMALL_TOPIC, SMALL_PARTITIONS);
    for (const topic of sharedTopics) await bench.topics.create(topic, 1);
    const stages = smallStages(await placesOf(bench, database.secret, redis), options.rate).filter(
      ({ name }) => options.names.length === 0 || options.names.includes(name),
    );
    await progress.step("starting a stage of each kind", async () => {
      for (const stage of stages) started.push(await startStage(bench, stage));
      if (options.names.length === 0) started.push(await startPeer(bench));
    });
    return await observe(bench, client, started, options, progress);
  } finally {
    await stopAll(started);
    done();
  }
}

async function observe(
  bench: Bench,
  client: Client,
  started: readonly Started[],
  { rate, seconds }: SmallOptions,
  progress: Progress,
): Promise<readonly SmallResult[]> {
  const atRest = await progress.step(`at rest for ${seconds} s`, async () => {
    await sleep(SETTLE_SECONDS * 1000);
    return await coresOf(started, seconds);
  });
  const { bootstrap } = bench.servers.broker;
  const live = startLive({
    ...{ bootstrap, topic: SMALL_TOPIC, partitions: SMALL_PARTITIONS, rate },
    onMarker: () => undefined,
    say: bench.say,
  });
  const rows = startRows(client, rate);
  const atRate = await progress.step(`at ${rate} events/s for ${seconds} s`, async () => {
    await sleep(WARM_UP_SECONDS * 1000);
    return await coresOf(started, seconds);
  });
  const sent = await live.stop();
  await rows.stop();
  const deadline = performance.now() + TAIL_SECONDS * 1000;
  const results: SmallResult[] = [];
  for (const { name, what, process, topics } of started) {
    const generates = name.startsWith("generator") || name.startsWith("source");
    while (!(await haveAll(bench, topics, sent)) && !generates && performance.now() < deadline) await sleep(200);
    results.push({
      ...{ name, what, rate, seconds },
      restCores: atRest.get(name) ?? 0,
      cores: atRate.get(name) ?? 0,
      peakMb: Math.round(peakMb(process.pid)),
      complete: generates || (await haveAll(bench, topics, sent)),
    });
  }
  return results;
}

/** Cores that each uses, over some seconds. */
async function coresOf(started: readonly Started[], seconds: number): Promise<ReadonlyMap<string, number>> {
  const read = () => started.map(({ process }) => ({ at: performance.now(), cpu: cpuSeconds(process.pid) }));
  const from = read();
  await sleep(seconds * 1000);
  started.forEach(({ process }) => process.check());
  const to = read();
  return new Map(
    started.map(({ name }, index) => {
      const [a, b] = [from[index], to[index]];
      return [name, a === undefined || b === undefined ? 0 : (1000 * (b.cpu - a.cpu)) / (b.at - a.at)];
    }),
  );
}

/** Whether each of the topics holds as many records, marks of transactions not counted as missing. */
async function haveAll(bench: Bench, topics: readonly string[], sent: number): Promise<boolean> {
  try {
    for (const topic of topics) if ((await bench.topics.length(topic)) < sent) return false;
    return true;
  } catch (error) {
    // A broker that is busy answers later.
    if (isRetryable(error)) return false;
    throw error;
  }
}

async function startStage(bench: Bench, { name, what, topics, config }: SmallStage): Promise<Started> {
  for (const topic of topics) await bench.topics.create(topic, SMALL_PARTITIONS);
  const folder = join(bench.folder, name);
  await mkdir(folder, { recursive: true });
  const { profile } = bench;
  const command = await workloadCommand({ folder, ...(profile === undefined ? {} : { profile }) }, config);
  return { name, what, topics, process: await startEngine(command, workloadBegins, `${folder}.log`, () => undefined) };
}

async function startPeer(bench: Bench): Promise<Started> {
  const folder = join(bench.folder, "kafka-streams");
  await mkdir(folder, { recursive: true });
  for (const topic of streamsTopics) await bench.topics.create(topic, SMALL_PARTITIONS);
  const command = streamsTransform(folder, bench.servers.broker.bootstrap, SMALL_TOPIC);
  const process = await startEngine(command, /^BEGIN$/m, `${folder}.log`, () => undefined);
  return {
    name: "kafka-streams",
    what: "a condition, four columns, to three topics, exactly once, commit every 100 ms, one thread, heap 128 MiB",
    topics: streamsTopics,
    process,
  };
}

async function placesOf(bench: Bench, database: string, redis: Redis) {
  const files = join(bench.folder, "files");
  await mkdir(files, { recursive: true });
  return { bootstrap: bench.servers.broker.bootstrap, database, redis: redis.secret, files };
}

async function makeTables(client: Client): Promise<void> {
  for (const table of Object.values(sourceTables))
    await client.query(
      `create table ${table} (id bigint primary key, changed_at timestamptz not null default now(), amount float8)`,
    );
  const { small_accounts: accounts, small_limits: limits, small_regions: regions } = lookupTables;
  await client.query(`
    create table small_accounts (id text primary key, balance numeric(14,2) not null, blocked boolean not null);
    insert into small_accounts
      select 'u' || lpad(i::text, 5, '0'), 250 + i % 300, i % 200 = 99 from generate_series(0, ${accounts - 1}) i;
    create table small_limits (kind text primary key, most numeric(14,2) not null, at_night numeric(14,2) not null);
    insert into small_limits
      select (array['view', 'click', 'search', 'purchase'])[i], 900, 450 from generate_series(1, ${limits}) i;
    create table small_regions (code text primary key, name text not null);
    insert into small_regions
      select coalesce((array['view', 'click', 'search', 'add_to_cart'])[i], 'r' || i), 'Region ' || i
      from generate_series(1, ${regions}) i;`);
}

/** Adds rows to the tables that the sources read, at the same rate. */
function startRows(client: Client, rate: number): { stop(): Promise<void> } {
  const begun = performance.now();
  let stopping = false;
  let added = 0;
  const adding = (async () => {
    while (!stopping) {
      const due = Math.floor(((performance.now() - begun) / 1000) * rate);
      for (const table of Object.values(sourceTables))
        await client.query(`insert into ${table} (id, amount) select i, i / 7.0 from generate_series($1::int, $2) i`, [
          added + 1,
          due,
        ]);
      added = due;
      await sleep(ROWS_EVERY_MS);
    }
  })();
  return {
    stop: async () => {
      stopping = true;
      await adding;
    },
  };
}

async function stopAll(started: readonly Started[]): Promise<void> {
  await Promise.all(started.map(async ({ process }) => await process.stop()));
}
