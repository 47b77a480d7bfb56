/** Caudal's aggregator: the bundle that the image has, started as the image starts it. */
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { WorkloadConfig } from "@caudal/crds";
import { buildAll } from "../../../scripts/build.ts";
import { repository } from "../../cluster/host/paths.ts";
import { type EventShape, SENTINEL } from "../events.ts";
import type { Command, Engine, Stage } from "./engine.ts";

const dist = "workloads/dist";

/** The stage as a StreamPipeline would declare it, in the form in which the operator hands it over. */
export function aggregatorConfig(stage: Stage): WorkloadConfig {
  return {
    version: 1,
    pipeline: { namespace: "bench", name: stage.id, uid: stage.id, generation: 1 },
    stage: { name: "metrics", role: "aggregator" },
    kafka: { bootstrapServers: [stage.bootstrap] },
    database: { secret: stage.database.secret },
    aggregator: {
      topic: topicConfig(stage.topic.topic, stage.topic.shape),
      watermark: { maxDelayMs: 10_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 },
      lateEvents: "Update",
      deadLetterTopic: deadLetters(stage),
      tables: [
        {
          name: "event_counts",
          window: { tumbling: { size: "1m" } },
          groupBy: ["event_type"],
          aggregates: ["count(*) as count"],
        },
        {
          name: "user_event_counts",
          window: { tumbling: { size: "1m" } },
          groupBy: ["user_id"],
          aggregates: ["count(*) as count"],
        },
        {
          name: "user_avg_waiting_time",
          window: { hopping: { size: "3m", advance: "1m" } },
          groupBy: ["user_id"],
          aggregates: ["avg(waiting_time_ms) as avg_waiting_time_ms"],
        },
      ],
      replicas: 4,
    },
  };
}

export function topicConfig(name: string, { identified }: Pick<EventShape, "identified">) {
  return {
    name,
    key: "user_id",
    timestamp: "event_ts",
    fields: [
      ...(identified ? [{ name: "event_id", type: "uuid" as const, nullable: false }] : []),
      { name: "user_id", type: "string" as const, nullable: false },
      { name: "event_type", type: "string" as const, nullable: false },
      { name: "event_ts", type: "timestamp" as const, nullable: false },
      { name: "waiting_time_ms", type: "double" as const, nullable: true },
    ],
  };
}

const deadLetters = ({ id }: Stage): string => `${id}-dlq`;
const windowStart = "(extract(epoch from window_start) * 1000)::bigint";

/** How the image starts a role (workloads/Dockerfile), and what else a process of the host needs to be told. */
export async function workloadCommand(
  stage: Pick<Stage, "folder" | "profile">,
  config: WorkloadConfig,
): Promise<Command> {
  const file = join(stage.folder, "config.json");
  await writeFile(file, JSON.stringify(config));
  const profile = stage.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${resolve(stage.profile)}`];
  const program = join(repository, dist, "main.js");
  return {
    cwd: stage.folder,
    program: process.execPath,
    args: [
      "--external-memory-accounted-in-global-limit",
      "--enable-source-maps",
      ...profile,
      program,
      config.stage.role,
      "--config",
      file,
    ],
    env: { NODE_ENV: "production", CAUDAL_HTTP_PORT: "0" },
  };
}

/** What the log says once the role begins. */
export const workloadBegins = /"message":"started"/;

/** @throws BundleFailed when the sources do not compile */
export async function buildWorkloads(): Promise<void> {
  const { failed } = await buildAll();
  for (const failure of failed) throw failure;
}

export const caudal: Engine = {
  name: "caudal",
  configuration: () => `Node ${process.versions.node}, exactly once, late events revise their rows, no limit of memory`,
  prepare: async (progress) => await progress.step("bundling Caudal", buildWorkloads),
  setUp: async (stage, _client, createTopic) => {
    await createTopic(deadLetters(stage));
    return await workloadCommand(stage, aggregatorConfig(stage));
  },
  begins: workloadBegins,
  // Progress is committed with the rows; whether these are right is another question, and every row is compared.
  doneWhen: ({ topic }) => [
    {
      sql: `select count(*), coalesce(min(records), 0) from
        (select sum(next_offset) as records from caudal.progress where topic = $1 group by output) as outputs`,
      values: [topic.topic],
      everyMs: 100,
      done: ([outputs, records = 0], expected) => outputs === 3 && records >= expected.records,
    },
  ],
  rows: {
    event_counts: `select ${windowStart}, event_type, count from event_counts where event_type <> '${SENTINEL.type}'`,
    user_event_counts: `select ${windowStart}, user_id, count from user_event_counts where user_id <> '${SENTINEL.user}'`,
    user_avg_waiting_time: `select ${windowStart}, user_id, avg_waiting_time_ms from user_avg_waiting_time
      where user_id <> '${SENTINEL.user}'`,
  },
};
