/** From topic to topic with a condition and a select: events per CPU-second, and whether each event is there once. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { Group } from "@caudal/workloads/kafka/group";
import { listOffsets } from "@caudal/workloads/kafka/offsets";
import { TopicReader } from "@caudal/workloads/kafka/reader";
import { createMetrics } from "@caudal/workloads/runtime/metrics";
import { isRetryable } from "@caudal/workloads/runtime/retry";
import { ClusterError } from "../cluster/host/errors.ts";
import type { Progress } from "../cluster/host/progress.ts";
import { outTopic, type TransformEngine } from "./engines/transforms.ts";
import { BenchFailed } from "./errors.ts";
import { appEvents, SENTINEL } from "./events.ts";
import { load, type Loaded } from "./load.ts";
import { usage } from "./meter.ts";
import type { TransformResult } from "./report/transform.ts";
import { type Bench, type Running, withEngine } from "./running.ts";

export interface TransformOptions {
  readonly engines: readonly TransformEngine[];
  readonly events: number;
  readonly runs: number;
}

const PARTITIONS = 12;
const MOST_SECONDS = 600;
const POLL_MS = 100;

/** What an output holds: a sum over its records that does not depend on their order. */
interface Sum {
  readonly records: number;
  readonly hash: number;
}

export async function measureTransform(
  bench: Bench,
  { engines, events, runs }: TransformOptions,
  progress: Progress,
): Promise<{ readonly results: readonly TransformResult[]; readonly failed: readonly string[] }> {
  const file = join(bench.folder, "events.ndjson");
  const what = { topic: "app-events", partitions: PARTITIONS, events, shape: appEvents, file };
  const { bootstrap } = bench.servers.broker;
  const loaded = await progress.step(
    `loading ${events.toLocaleString("en")} events`,
    async () => await load(bootstrap, bench.topics, what, progress),
  );
  const expected = await progress.step("computing the exact answer", async () => await expectedSum(file));
  const results: TransformResult[] = [];
  const failed: string[] = [];
  for (let run = 1; run <= runs; run++)
    for (const engine of engines) {
      const title = `${engine.name}, run ${run} of ${runs}`;
      try {
        const result = await progress.step(title, async () => await measureOne(bench, engine, run, loaded, expected));
        progress.say(`${title}: ${result.eventsPerCpuSecond.toLocaleString("en")} events per CPU-second`);
        results.push(result);
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        progress.say(`${title}: ${error.message}`);
        failed.push(title);
      }
    }
  return { results, failed };
}

async function measureOne(
  bench: Bench,
  engine: TransformEngine,
  run: number,
  loaded: Loaded,
  expected: Sum,
): Promise<TransformResult> {
  const id = `transform-${engine.name}-${run}`;
  await bench.topics.create(outTopic(id), PARTITIONS);
  const metrics = createMetrics({ namespace: "bench", pipeline: "bench", stage: id, role: "bench" });
  const cluster = new KafkaCluster({ bootstrapServers: [bench.servers.broker.bootstrap] }, { clientId: id, metrics });
  try {
    return await withEngine(bench, engine, { id, topic: loaded, mode: "throughput" }, async (running) => {
      await untilRead(cluster, engine.group(id), loaded, running);
      const used = usage(running.begun, running.read());
      const peak = running.peakMb();
      await running.stop();
      const sum = await sumOf(cluster, outTopic(id), metrics);
      return {
        run,
        engine: engine.name,
        configuration: engine.configuration,
        eventsPerSecond: Math.round(loaded.events / used.seconds),
        eventsPerCpuSecond: Math.round(loaded.events / used.engine),
        brokerCpuSeconds: Math.round(used.broker * 100) / 100,
        peakRssMb: Math.round(peak),
        exact: sum.records === expected.records && sum.hash === expected.hash,
      };
    });
  } finally {
    await cluster.close();
  }
}

/** Until the group's offsets, which are committed with the records, are at the end. */
async function untilRead(cluster: KafkaCluster, groupId: string, { topic, records }: Loaded, running: Running) {
  const group = new Group(cluster, { groupId, topic, sessionMs: 0, rebalanceMs: 0 });
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  const deadline = performance.now() + MOST_SECONDS * 1000;
  for (;;) {
    running.check();
    try {
      const places = await group.committed(partitions);
      if ([...places.values()].reduce((sum, { offset }) => sum + offset, 0) >= records) return;
    } catch (error) {
      // A transaction is under way: its offsets are not told yet.
      if (!isRetryable(error)) throw error;
    }
    if (performance.now() > deadline) throw new BenchFailed(`${groupId} is not at the end in ${MOST_SECONDS} s`);
    await sleep(POLL_MS);
  }
}

async function expectedSum(file: string): Promise<Sum> {
  let records = 0;
  let hash = 0;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const event = JSON.parse(line) as Row;
    if (event.waiting_time_ms === null || event.waiting_time_ms <= 100) continue;
    records++;
    hash =
      (hash + hashOf({ ...event, slow: event.waiting_time_ms > 500 || event.event_type === "purchase" })) % 2 ** 48;
  }
  return { records, hash };
}

interface Row {
  readonly user_id: string;
  readonly event_type: string;
  readonly event_ts: number;
  readonly waiting_time_ms: number | null;
  readonly slow?: boolean;
}

function hashOf({ user_id, event_type, event_ts, waiting_time_ms, slow }: Row): number {
  let hash = 0x811c9dc5;
  const text = `${user_id} ${event_type} ${event_ts} ${String(waiting_time_ms)} ${String(slow)}`;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Of all committed records of a topic. */
async function sumOf(cluster: KafkaCluster, name: string, metrics: ReturnType<typeof createMetrics>): Promise<Sum> {
  const topic = await cluster.topic(name);
  const ends = await listOffsets(cluster, topic, "latest");
  const open = new Map([...ends].filter(([, end]) => end > 0));
  const reader = new TopicReader(cluster, topic, { metrics, onProblem: () => undefined });
  for (const partition of open.keys()) reader.read({ partition, offset: 0, epoch: -1 });
  let records = 0;
  let hash = 0;
  while (open.size > 0)
    for (const block of (await reader.next(1_000)).blocks) {
      for (let row = 0; row < block.count; row++) {
        const value = JSON.parse(block.bytes.toString("utf8", block.starts[row], block.ends[row])) as Row;
        if (value.event_type === SENTINEL.type) continue;
        records++;
        hash = (hash + hashOf(value)) % 2 ** 48;
      }
      if (block.nextOffset >= (open.get(block.partition) ?? 0)) open.delete(block.partition);
    }
  reader.close();
  return { records, hash };
}
