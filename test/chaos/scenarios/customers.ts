/**
 * A table that is written at random, a source in cdc mode and one in timestamp mode that read it, and a transform that
 * delivers what the first one sends to a topic, tables, Redis, and files in a store and on a volume.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkloadConfig } from "@caudal/crds";
import { poll } from "../../cluster/host/poll.ts";
import { createTopic, type Topic } from "../../engine/aggregator/topic.ts";
import { field, sourceConfig } from "../../engine/source/scene.ts";
import { untilWritten } from "../../engine/transform/places.ts";
import { Fleet } from "../fleet.ts";
import type { Parts, Scenario } from "../scenario.ts";
import { bootstrapOf, type Opened, secretThrough, type Servers } from "../servers.ts";
import type { CustomersRound } from "../src/schedule.ts";
import { type CustomersScene, judgeCustomers } from "./customers-judge.ts";
import { CustomersTable } from "./customers-table.ts";
import { valuesOf } from "./rows.ts";
import { Slot } from "./slot.ts";

const columns = [
  field("id", "integer"),
  field("change", "integer", true),
  field("name", "string", true),
  field("points", "double", true),
  field("happened", "timestamp", true),
];

export async function openCustomers(round: CustomersRound, parts: Parts): Promise<Scenario> {
  const { servers, opened, onCrash } = parts;
  const { broker, server } = servers;
  const name = `chaos${round.seed}`;
  const database = await server.database(name);
  const table = new CustomersTable({ server, database }, round);
  await table.make();
  const make = async (topic: string, partitions: number): Promise<Topic> =>
    opened(await createTopic(broker, topic, partitions), (it) => it.close());
  const of = { cdc: `${name}-cdc`, timestamp: `${name}-timestamp`, out: `${name}-out` };
  const topics = {
    cdc: await make(of.cdc, round.partitions),
    cdcLetters: await make(`${of.cdc}-dlq`, 1),
    timestamp: await make(of.timestamp, round.partitions),
    timestampLetters: await make(`${of.timestamp}-dlq`, 1),
    out: await make(of.out, 3),
    outLetters: await make(`${of.out}-dlq`, 1),
  };
  const secret = secretThrough(database, servers, opened);
  const postgres = { secret, table: "public.customers" };
  const cdc = sourceConfig(
    ...[of.cdc, bootstrapOf(servers)],
    { ...postgres, mode: "cdc", timestampColumn: undefined, operationField: "op" },
    { fields: [...columns, field("op", "string")], key: "id" },
  );
  const timestamp = sourceConfig(
    of.timestamp,
    bootstrapOf(servers),
    { ...postgres, pollIntervalMs: 200 },
    {
      fields: [...columns, field("changed", "timestamp")],
      key: "id",
    },
  );
  const stores = makeStores(name, servers, opened);
  const deliver = deliverConfig({ round, servers, secret, source: cdc, out: of.out, stores });

  const fleetOf = (config: WorkloadConfig, more: Partial<ConstructorParameters<typeof Fleet>[0]> = {}): Fleet =>
    opened(new Fleet({ config, clocks: round.clocks, onCrash, ...more }), (it) => it.stop());
  const fleets = {
    cdc: fleetOf(cdc, {
      mayEnd: (log): boolean => slot.lost && log.includes("SlotLost"),
      // So long its last words can be read.
      env: { CAUDAL_FAILED_SECONDS: "3" },
    }),
    timestamp: fleetOf(timestamp),
    deliver: fleetOf(deliver),
  };
  const slot: Slot = new Slot({
    ...{ fleet: fleets.cdc, config: cdc, database, parts },
    ...{ topic: topics.cdc, letters: topics.cdcLetters },
  });
  slot.made().catch(() => undefined); // told where it is waited for
  await Promise.all([fleets.cdc.scale(round.workers), fleets.timestamp.scale(1), fleets.deliver.scale(round.workers)]);

  let ends: ReadonlyMap<number, number> = new Map();
  return {
    fleets: Object.values(fleets),
    faults: {
      "slot-dropped": async () => await slot.lose("dropped"),
      "slot-invalidated": async () => await slot.lose("invalidated"),
    },
    write: async (faults) => await table.write(faults),
    get written() {
      return table.written;
    },
    settle: async (seconds) => {
      const change = await table.mark();
      for (const topic of [topics.cdc, topics.timestamp]) await untilSent(topic, change, seconds);
      await Promise.all([fleets.cdc.scale(0), fleets.timestamp.scale(0)]);
      ends = await topics.cdc.seal();
      await untilWritten(deliver, { topic: topics.cdc, database, redis: servers.redis?.server }, ends, seconds);
      // A broker that was killed may have forgotten the end of a transaction: the stage that lives on ends it.
      await topics.out.readTo(await topics.out.seal());
      await fleets.deliver.scale(0);
    },
    judge: async () => {
      const scene: CustomersScene = { table, topics, slots: await slot.times(), database, servers, stores };
      return await judgeCustomers(round, scene, ends);
    },
  };
}

/** Waits until the version is in the topic, behind which nothing comes any more. */
async function untilSent(topic: Topic, change: number, seconds: number): Promise<void> {
  const sent = async (): Promise<true | undefined> => {
    const rows = valuesOf<{ change: number | null }>(await topic.readTo(await topic.seal()));
    return rows.some((row) => row.change === change) ? true : undefined;
  };
  const onTimeout = () => `${topic.name} has not got the last change, number ${change}`;
  await poll(async () => await sent().catch(() => undefined), { seconds, everyMs: 2_000, onTimeout });
}

/** Where rows go besides PostgreSQL and Kafka. */
export interface Stores {
  /** Of the keys in Redis. */
  readonly prefix: string;
  readonly lake: { readonly path: string; readonly folder: string };
  /** Folder. */
  readonly volume: string;
}

function makeStores(name: string, { s3 }: Servers, opened: Opened): Stores {
  const folder = join(s3?.server.bucket(name) ?? "", "raw");
  mkdirSync(folder);
  const volume = mkdtempSync(join(tmpdir(), "caudal-volume-"));
  opened(volume, (it) => rmSync(it, { recursive: true, force: true }));
  return { prefix: `${name}:`, lake: { path: `s3://${name}/raw/`, folder }, volume };
}

interface Delivery {
  readonly round: CustomersRound;
  readonly servers: Servers;
  /** Folder of the database's secret. */
  readonly secret: string;
  readonly source: WorkloadConfig;
  /** Topic. */
  readonly out: string;
  readonly stores: Stores;
}

function deliverConfig({ round, servers, secret, source, out, stores }: Delivery): WorkloadConfig {
  const { redis, s3 } = servers;
  const files = { everyMs: 700, maxEvents: 2_000 };
  const lake = { path: stores.lake.path, endpoint: `http://127.0.0.1:${s3?.proxy.port}`, secret: s3?.server.secret };
  const { topic } = source.source ?? { topic: { name: "", fields: [] } };
  return {
    version: 1,
    pipeline: source.pipeline,
    stage: { name: "deliver", role: "transform" },
    kafka: source.kafka,
    database: { secret },
    transform: {
      // Without the whole row a delete has no event time.
      topic: { ...topic, ...(round.wholeRows ? { timestamp: "happened" } : {}) },
      where: "op <> 'delete' and (points is null or points <> 7)",
      select: [
        ...["id", "change", "op", "name"],
        "coalesce(points, 0) * 2.5 as worth",
        "strftime(happened::timestamp, '%Y-%m-%d') as day",
      ],
      lookups: [],
      deadLetterTopic: `${out}-dlq`,
      to: [
        { name: "out", topic: { name: out, key: "id", fields: [] } },
        { name: "history", table: { name: "history" } },
        { name: "current", table: { name: "current", key: ["id"] } },
        {
          name: "hot",
          redis: {
            ...{ key: `${stores.prefix}{id}`, as: "json", ttlMs: 0 },
            secret: redis?.server.secretFor(redis.proxy.port) ?? "",
          },
        },
        { name: "lake", files: { ...files, ...lake, format: "parquet" } },
        { name: "disk", files: { ...files, format: "jsonl", path: `file://${stores.volume}/` } },
      ],
      replicas: 3,
    },
  };
}
