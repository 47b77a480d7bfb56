/** One stage of each kind, as a small pipeline has them. Pure, but for the folders of secrets that it is given. */
import type { OutputConfig, WorkloadConfig } from "@caudal/crds";
import { topicConfig } from "./engines/caudal.ts";

export interface SmallPlaces {
  readonly bootstrap: string;
  /** Folders of secrets. */
  readonly database: string;
  readonly redis: string;
  /** Folder for files. */
  readonly files: string;
}

export interface SmallStage {
  readonly name: string;
  /** What it does, in words. */
  readonly what: string;
  /** Topics that it writes. */
  readonly topics: readonly string[];
  readonly config: WorkloadConfig;
}

/** Of the topic that all of them read. */
export const SMALL_TOPIC = "small-events";
export const SMALL_PARTITIONS = 6;
/** Tables that the sources read, a row an event. */
export const sourceTables = { timestamp: "small_rows", cdc: "small_changes" } as const;
/** Tables beside the events, and how many rows each has. */
export const lookupTables = { small_accounts: 10_000, small_limits: 4, small_regions: 27 } as const;

export const smallStageNames: readonly string[] = [
  ...["generator", "generator-done", "source-timestamp", "source-cdc"],
  ...["to-topic", "to-table", "to-redis", "to-files", "three-outputs", "lookups", "aggregator"],
];

const deadLetterTopic = "small-dead-letters";
export const sharedTopics: readonly string[] = [deadLetterTopic];

export function smallStages(places: SmallPlaces, rate: number): readonly SmallStage[] {
  const { bootstrap, database } = places;
  const topic = topicConfig(SMALL_TOPIC, { identified: true });
  const stage = (
    name: string,
    what: string,
    role: WorkloadConfig["stage"]["role"],
    part: Partial<WorkloadConfig>,
    topics: readonly string[] = [],
  ): SmallStage => ({
    name,
    what,
    topics,
    config: {
      version: 1,
      pipeline: { namespace: "bench", name: "small", uid: "small", generation: 1 },
      stage: { name, role },
      kafka: { bootstrapServers: [bootstrap] },
      database: { secret: database },
      ...part,
    },
  });
  const transform = (name: string, what: string, to: readonly OutputConfig[], more: object = {}): SmallStage => {
    const part = { topic, lookups: [], deadLetterTopic, to: [...to], replicas: 1, ...SELECT, ...more };
    return stage(
      name,
      what,
      "transform",
      { transform: part },
      to.flatMap(({ topic: out }) => out?.name ?? []),
    );
  };
  const generator = (name: string, what: string, limit: number): SmallStage =>
    stage(name, what, "generator", { generator: generatorOf(name, rate, limit) }, [name]);
  const source = (mode: "timestamp" | "cdc"): SmallStage =>
    stage(`source-${mode}`, `a table of PostgreSQL, by ${mode}`, "source", { source: sourceOf(mode, database) }, [
      `source-${mode}`,
    ]);
  return [
    generator("generator", "one generator", 0),
    generator("generator-done", "a generator that has sent all that it was to send", 1),
    source("timestamp"),
    source("cdc"),
    ...(["topic", "table", "redis", "files"] as const).map((kind) =>
      transform(`to-${kind}`, `a condition, four columns, to ${kind}`, [outputOf(kind, `to-${kind}`, places)]),
    ),
    transform(
      "three-outputs",
      "a condition, four columns, to a topic, a table and Redis",
      (["topic", "table", "redis"] as const).map((kind) => outputOf(kind, `three-${kind}`, places)),
    ),
    transform(
      "lookups",
      "an expression over three lookups (10,031 rows), to a topic",
      [outputOf("topic", "lookups", places)],
      lookups(database),
    ),
    stage("aggregator", "three tables by the minute", "aggregator", { aggregator: aggregatorOf() }),
  ];
}

const SELECT = {
  where: "waiting_time_ms >= 0",
  select: ["event_id", "user_id", "event_ts", "upper(event_type) || ' ' || round(waiting_time_ms, 1) as what"],
};

function outputOf(kind: "topic" | "table" | "redis" | "files", name: string, places: SmallPlaces): OutputConfig {
  switch (kind) {
    case "topic":
      return { name, topic: { name, key: "user_id", fields: [] } };
    case "table":
      return { name, table: { name: name.replaceAll("-", "_"), key: ["event_id"] } };
    case "redis":
      return { name, redis: { key: `${name}:{event_id}`, as: "hash", ttlMs: 600_000, secret: places.redis } };
    case "files":
      return {
        name,
        files: { format: "jsonl", path: `file://${places.files}/`, everyMs: 60_000, maxEvents: 100_000 },
      };
  }
}

/** A decision as examples/banking makes it. */
function lookups(secret: string) {
  const lookup = (name: string, table: string, match: Record<string, string>, columns: readonly string[]) => ({
    ...{ name, table, match, secret, refreshMs: 10_000, maxRows: 100_000 },
    columns: columns.map((column) => {
      const [columnName = "", type = ""] = column.split(" ");
      return { name: columnName, type };
    }),
  });
  return {
    select: [
      "*",
      `case when account.balance is null then 'unknown account'
         when account.blocked then 'blocked account'
         when region.name is null then 'unknown region'
         when waiting_time_ms > limits.most then 'too much'
         when hour(event_ts) not between 6 and 19 and waiting_time_ms > limits.at_night then 'too much at night'
         when waiting_time_ms > account.balance then 'too little'
       end as refused`,
    ],
    lookups: [
      lookup("account", "small_accounts", { id: "user_id" }, ["balance decimal(14,2)", "blocked boolean"]),
      lookup("limits", "small_limits", { kind: "event_type" }, ["most decimal(14,2)", "at_night decimal(14,2)"]),
      lookup("region", "small_regions", { code: "event_type" }, ["name string"]),
    ],
  };
}

function generatorOf(topic: string, rate: number, limit: number): NonNullable<WorkloadConfig["generator"]> {
  return {
    topic: topicConfig(topic, { identified: true }),
    ...{ rate, count: 1, seed: 42, limit },
    values: [
      { field: "user_id", choice: { from: 10_000, prefix: "u", distribution: "zipf" } },
      { field: "event_type", choice: { from: 4, prefix: "t", distribution: "uniform" } },
      { field: "waiting_time_ms", normal: { mean: 300, stddev: 120, min: 0 } },
      { field: "event_ts", now: { jitter: "3s" } },
    ],
  };
}

function sourceOf(mode: "timestamp" | "cdc", secret: string): NonNullable<WorkloadConfig["source"]> {
  return {
    topic: {
      name: `source-${mode}`,
      key: "id",
      timestamp: "changed_at",
      fields: [
        { name: "id", type: "bigint", nullable: false },
        { name: "changed_at", type: "timestamp", nullable: false },
        { name: "amount", type: "double", nullable: true },
      ],
    },
    deadLetterTopic,
    postgres: {
      ...{ secret, table: sourceTables[mode], mode, keyColumns: ["id"], timestampColumn: "changed_at" },
      ...{ pollIntervalMs: 1_000, lookbackMs: 5_000, onTruncate: "Stop", maxRetainedWalBytes: 1e9, resync: 0 },
      slot: "small_bench",
    },
  };
}

function aggregatorOf(): NonNullable<WorkloadConfig["aggregator"]> {
  const window = { tumbling: { size: "1m" } };
  return {
    topic: topicConfig(SMALL_TOPIC, { identified: true }),
    watermark: { maxDelayMs: 10_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 },
    lateEvents: "Update",
    deadLetterTopic,
    tables: [
      { name: "small_types", window, groupBy: ["event_type"], aggregates: ["count(*) as count"] },
      { name: "small_users", window, groupBy: ["user_id"], aggregates: ["count(*) as count"] },
      { name: "small_averages", window, groupBy: ["user_id"], aggregates: ["avg(waiting_time_ms) as average"] },
    ],
    replicas: 1,
  };
}
