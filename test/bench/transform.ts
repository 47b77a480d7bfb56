/** From topic to topic, with conditions and selects: events per CPU-second, and whether each event is there once. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { KafkaCluster, type TopicInfo } from "@caudal/workloads/kafka/cluster";
import { Group } from "@caudal/workloads/kafka/group";
import { listOffsets } from "@caudal/workloads/kafka/offsets";
import { TopicReader } from "@caudal/workloads/kafka/reader";
import { createMetrics } from "@caudal/workloads/runtime/metrics";
import { isRetryable } from "@caudal/workloads/runtime/retry";
import { ClusterError } from "../cluster/host/errors.ts";
import type { Progress } from "../cluster/host/progress.ts";
import { outTopic, setUpTransform, type TransformEngine } from "./engines/transforms.ts";
import { BenchFailed } from "./errors.ts";
import { appEvents, SENTINEL } from "./events.ts";
import { load, type Loaded } from "./load.ts";
import { usage } from "./meter.ts";
import type { TransformResult } from "./report/transform.ts";
import { type Bench, type Running, withEngine } from "./running.ts";
import { OutputSum, type Row, type TransformKind } from "./transform-kinds.ts";

export interface TransformOptions {
  readonly engines: readonly TransformEngine[];
  readonly kinds: readonly TransformKind[];
  readonly events: number;
  readonly runs: number;
}

const PARTITIONS = 12;
const MOST_SECONDS = 600;
const POLL_MS = 100;
const SETTLE_SECONDS = 30;
const SETTLE_POLL_MS = 500;

export async function measureTransform(
  bench: Bench,
  { engines, kinds, events, runs }: TransformOptions,
  progress: Progress,
): Promise<{ readonly results: readonly TransformResult[]; readonly failed: readonly string[] }> {
  const file = join(bench.folder, "events.ndjson");
  const what = { topic: "app-events", partitions: PARTITIONS, events, shape: appEvents, file };
  const { bootstrap } = bench.servers.broker;
  const loaded = await progress.step(
    `loading ${events.toLocaleString("en")} events`,
    async () => await load(bootstrap, bench.topics, what, progress),
  );
  const expected = await progress.step("computing the exact answers", async () => await expectedSums(file, kinds));
  const results: TransformResult[] = [];
  const failed: string[] = [];
  for (let run = 1; run <= runs; run++)
    for (const kind of kinds)
      for (const engine of engines) {
        const title = `${kind.name}: ${engine.name}, run ${run} of ${runs}`;
        try {
          const exact = expected.get(kind) ?? new OutputSum();
          const measured = await progress.step(
            title,
            async () => await measureOne(bench, engine, kind, run, loaded, exact),
          );
          progress.say(`${title}: ${measured.eventsPerCpuSecond.toLocaleString("en")} events per CPU-second`);
          results.push(measured);
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
  kind: TransformKind,
  run: number,
  loaded: Loaded,
  expected: OutputSum,
): Promise<TransformResult> {
  const id = `transform-${kind.name}-${engine.name}-${run}`;
  // Records keep the times of the events, which are long past.
  await bench.topics.create(outTopic(id), PARTITIONS, { "retention.ms": "-1" });
  const metrics = createMetrics({ namespace: "bench", pipeline: "bench", stage: id, role: "bench" });
  const cluster = new KafkaCluster({ bootstrapServers: [bench.servers.broker.bootstrap] }, { clientId: id, metrics });
  const options = { id, topic: loaded, mode: "throughput" as const };
  try {
    return await withEngine(bench, setUpTransform(engine, kind), options, async (running) => {
      await untilRead(cluster, engine.group(id), loaded, running);
      const used = usage(running.begun, running.read());
      const peak = running.peakMb();
      await running.stop();
      const columns = Object.keys(kind.columns);
      const sum = await sumOf(cluster, outTopic(id), columns, expected.records, metrics);
      return {
        run,
        kind: kind.name,
        what: kind.what,
        engine: engine.name,
        configuration: engine.configuration,
        eventsPerSecond: Math.round(loaded.events / used.seconds),
        eventsPerCpuSecond: Math.round(loaded.events / used.engine),
        brokerCpuSeconds: Math.round(used.broker * 100) / 100,
        peakRssMb: Math.round(peak),
        exact: sum.equals(expected),
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

async function expectedSums(
  file: string,
  kinds: readonly TransformKind[],
): Promise<ReadonlyMap<TransformKind, OutputSum>> {
  const sums = new Map(kinds.map((kind) => [kind, new OutputSum()]));
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const event = JSON.parse(line) as Row;
    for (const [kind, sum] of sums) if (kind.passes(event)) sum.add(kind.values(event));
  }
  return sums;
}

/**
 * Where the topic's partitions end for committed reads. The offsets of a transaction's reader are told before the end of the
 * transaction is written into each partition: until then its records are not to be read.
 *
 * @param records that are to come
 */
async function settledEnds(cluster: KafkaCluster, topic: TopicInfo, records: number): Promise<Map<number, number>> {
  const deadline = performance.now() + SETTLE_SECONDS * 1000;
  for (let before = -1; ; await sleep(SETTLE_POLL_MS)) {
    const ends = await listOffsets(cluster, topic, "latest");
    const sum = [...ends.values()].reduce((all, end) => all + end, 0);
    if ((sum >= records && sum === before) || performance.now() > deadline) return ends;
    before = sum;
  }
}

/** Of all committed records of a topic. @param records that are to come */
async function sumOf(
  cluster: KafkaCluster,
  name: string,
  columns: readonly string[],
  records: number,
  metrics: ReturnType<typeof createMetrics>,
): Promise<OutputSum> {
  const topic = await cluster.topic(name);
  const ends = await settledEnds(cluster, topic, records);
  const open = new Map([...ends].filter(([, end]) => end > 0));
  const reader = new TopicReader(cluster, topic, { metrics, onProblem: () => undefined });
  for (const partition of open.keys()) reader.read({ partition, offset: 0, epoch: -1 });
  const sum = new OutputSum();
  while (open.size > 0)
    for (const block of (await reader.next(1_000)).blocks) {
      for (let row = 0; row < block.count; row++) {
        const value = JSON.parse(block.bytes.toString("utf8", block.starts[row], block.ends[row])) as Record<
          string,
          unknown
        >;
        if (value["user_id"] !== SENTINEL.user) sum.add(columns.map((column) => value[column]));
      }
      if (block.nextOffset >= (open.get(block.partition) ?? 0)) open.delete(block.partition);
    }
  reader.close();
  return sum;
}
