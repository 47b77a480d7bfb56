/** A transform under test: its configuration, what its outputs hold, and what they should hold. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { TransformConfig, WorkloadConfig } from "@caudal/crds";
import { type Scene as Base, useScene as useBase } from "../aggregator/scene.ts";
import { createTopic, type LoggedRecord, type Topic } from "../aggregator/topic.ts";
import { untilWritten } from "./places.ts";
import { useTopics } from "./topics.ts";

export type Row = Readonly<Record<string, unknown>>;

export const fields = [
  { name: "event_id", type: "uuid", nullable: false },
  { name: "user_id", type: "string", nullable: true },
  { name: "event_type", type: "string", nullable: true },
  { name: "event_ts", type: "timestamp", nullable: false },
  { name: "points", type: "integer", nullable: true },
  { name: "waiting_time_ms", type: "double", nullable: true },
];

/** What most tests select, and the same by hand. */
export const where = "event_type <> 'search' and (points > 1000 or points is null)";
export const select = [
  "event_id",
  "user_id",
  "points",
  "(coalesce(points, 0) * 2.5)::double as worth",
  "waiting_time_ms <= 500 as fast",
];
const answer = `select event_id, user_id, points, (coalesce(points, 0) * 2.5)::double as worth, waiting_time_ms <= 500 as fast
  from event where event_type <> 'search' and (points > 1000 or points is null)`;

export interface Scene extends Base {
  readonly out: Topic;
  transform(options?: Partial<TransformConfig>, pipeline?: Partial<WorkloadConfig["pipeline"]>): WorkloadConfig;
  /** Waits until the outputs have committed everything before the ends. */
  done(config: WorkloadConfig, ends: ReadonlyMap<number, number>, seconds?: number): Promise<void>;
  /** Records of the output's topic, as committed reads give them. */
  sent(topic?: Topic): Promise<readonly LoggedRecord[]>;
  /** One pass over the source's log, by id. */
  expected(ends: ReadonlyMap<number, number>): Promise<readonly Row[]>;
}

type NewScene = (
  partitions: number,
  outPartitions?: number,
  outConfig?: Readonly<Record<string, string>>,
) => Promise<Scene>;

/** @param name of the file's topics and databases */
export function useScene(name: string): NewScene {
  const newBase = useBase(name);
  const { keep } = useTopics();
  return async (partitions, outPartitions = 3, outConfig = {}) => {
    const base = await newBase(partitions);
    const out = keep(await createTopic(base.broker, `${base.topic.name}-out`, outPartitions, outConfig));
    const topic = base.topic.name;
    return {
      ...base,
      out,
      transform: (options = {}, pipeline = {}) => ({
        version: 1,
        pipeline: { namespace: "shop", name: "events", uid: "first", generation: 1, ...pipeline },
        stage: { name: `t-${topic}`, role: "transform" },
        kafka: { bootstrapServers: [base.broker.bootstrap] },
        database: { secret: base.database.secret },
        transform: {
          topic: { name: topic, timestamp: "event_ts", fields },
          where,
          select,
          lookups: [],
          deadLetterTopic: base.deadLetters.name,
          to: [{ name: "out", topic: { name: out.name, key: "user_id", fields: [] } }],
          replicas: 2,
          ...options,
        },
      }),
      done: async (config, ends, seconds) => await untilWritten(config, base, ends, seconds),
      sent: async (of = out) =>
        (await of.readTo(await of.seal())).filter(({ value, key }) => !(value === null && key === "end")),
      expected: async (ends) => await answerOf(await base.topic.readTo(ends)),
    };
  };
}

/** DuckDB reads the log as it is, apart from what the product compiles. */
async function answerOf(records: readonly LoggedRecord[]): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "caudal-answer-"));
  const file = join(folder, "log.json");
  writeFileSync(file, records.flatMap(({ value }) => (value === null ? [] : [value.toString()])).join("\n"));
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    await connection.run(`create table event as select * from read_json('${file}', format = 'newline_delimited', columns = {
      event_id: 'varchar', user_id: 'varchar', event_type: 'varchar', event_ts: 'varchar', points: 'integer', waiting_time_ms: 'double'})`);
    return sorted((await connection.runAndReadAll(answer)).getRowObjectsJson());
  } finally {
    connection.closeSync();
    instance.closeSync();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Rows as an output has them: JSON of its records. */
export function rowsOf(records: readonly LoggedRecord[]): readonly Row[] {
  return sorted(records.map(({ value }) => JSON.parse(String(value)) as Row));
}

export function sorted(rows: readonly Row[]): readonly Row[] {
  return [...rows].sort((a, b) => (String(a["event_id"]) < String(b["event_id"]) ? -1 : 1));
}

/** How two lists of rows differ; at most five lines. Long lists are not printed whole. */
export function differences(actual: readonly Row[], expected: readonly Row[]): readonly string[] {
  const count = (rows: readonly Row[]) => {
    const counts = new Map<string, number>();
    for (const row of rows) {
      const key = JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  };
  const [is, should] = [count(actual), count(expected)];
  return [...new Set([...is.keys(), ...should.keys()])]
    .filter((key) => is.get(key) !== should.get(key))
    .map((key) => `${is.get(key) ?? 0} times, not ${should.get(key) ?? 0}: ${key}`)
    .slice(0, 5);
}
