/** Caudal's generator stage: its most per CPU-second, and how well it holds a rate. */
import { join } from "node:path";
import { mkdir, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkloadConfig } from "@caudal/crds";
import type { Progress } from "../cluster/host/progress.ts";
import { startEngine } from "./engine-process.ts";
import { topicConfig, workloadBegins, workloadCommand } from "./engines/caudal.ts";
import { BenchFailed } from "./errors.ts";
import { cpuSeconds, peakMb } from "./process-usage.ts";
import type { GeneratorResult } from "./report/generator.ts";
import type { Bench } from "./running.ts";

export interface GeneratorOptions {
  /** Events of the measurement at full speed. */
  readonly events: number;
  readonly runs: number;
  /** Events per second to hold, and for how long. */
  readonly rate: number;
  readonly seconds: number;
}

const PARTITIONS = 12;
/** The most that the API takes: no generator reaches it on one core. */
const FULL_SPEED = 10_000_000;
const WARM_UP_SECONDS = 5;
const MOST_SECONDS = 600;

export async function measureGenerator(
  bench: Bench,
  { events, runs, rate, seconds }: GeneratorOptions,
  progress: Progress,
): Promise<readonly GeneratorResult[]> {
  const results: GeneratorResult[] = [];
  for (let run = 1; run <= runs; run++) {
    const full = `full speed, run ${run} of ${runs}`;
    results.push(await progress.step(full, async () => await atFullSpeed(bench, run, events)));
    const steady = `${rate} events/s for ${seconds} s, run ${run} of ${runs}`;
    results.push(await progress.step(steady, async () => await atRate(bench, run, rate, seconds)));
  }
  return results;
}

/** As in examples/app-events: ids, users by Zipf's law, types by weight, waiting times, the clock's time. */
function generatorConfig(bench: Bench, topic: string, rate: number, limit: number): WorkloadConfig {
  return {
    version: 1,
    pipeline: { namespace: "bench", name: topic, uid: topic, generation: 1 },
    stage: { name: "events", role: "generator" },
    kafka: { bootstrapServers: [bench.servers.broker.bootstrap] },
    generator: {
      topic: topicConfig(topic, { identified: true }),
      rate,
      count: 1,
      seed: 42,
      limit,
      values: [
        { field: "user_id", choice: { from: 10_000, prefix: "u", distribution: "zipf" } },
        {
          field: "event_type",
          weighted: [
            { value: "view", weight: 60 },
            { value: "click", weight: 25 },
            { value: "search", weight: 10 },
            { value: "purchase", weight: 5 },
          ],
        },
        { field: "waiting_time_ms", normal: { mean: 300, stddev: 120, min: 0 } },
        { field: "event_ts", now: { jitter: "3s" } },
      ],
    },
  };
}

async function atFullSpeed(bench: Bench, run: number, events: number): Promise<GeneratorResult> {
  return await withGenerator(bench, `generator-full-${run}`, FULL_SPEED, events, async ({ topic, pid, check }) => {
    const length = async (): Promise<number> => await bench.topics.length(topic);
    await until(async () => (await length()) > 0, check);
    const from = { at: performance.now(), cpu: cpuSeconds(pid), length: await length() };
    await until(async () => (await length()) >= events, check);
    return resultOf(run, undefined, from, { at: performance.now(), cpu: cpuSeconds(pid), length: events }, peakMb(pid));
  });
}

async function atRate(bench: Bench, run: number, rate: number, seconds: number): Promise<GeneratorResult> {
  return await withGenerator(bench, `generator-rate-${run}`, rate, 0, async ({ topic, pid, check }) => {
    const read = async () => ({
      length: await bench.topics.length(topic),
      at: performance.now(),
      cpu: cpuSeconds(pid),
    });
    await until(async () => (await bench.topics.length(topic)) > 0, check);
    await sleep(WARM_UP_SECONDS * 1000);
    const from = await read();
    await sleep(seconds * 1000);
    check();
    return resultOf(run, rate, from, await read(), peakMb(pid));
  });
}

interface Point {
  readonly at: number;
  readonly cpu: number;
  readonly length: number;
}

function resultOf(run: number, rate: number | undefined, from: Point, to: Point, peak: number): GeneratorResult {
  const events = to.length - from.length;
  const cpu = to.cpu - from.cpu;
  return {
    run,
    ...(rate === undefined ? {} : { rate }),
    eventsPerSecond: Math.round(events / ((to.at - from.at) / 1000)),
    eventsPerCpuSecond: Math.round(events / cpu),
    peakRssMb: Math.round(peak),
  };
}

interface RunningGenerator {
  readonly topic: string;
  readonly pid: number;
  check(): void;
}

async function withGenerator<T>(
  bench: Bench,
  topic: string,
  rate: number,
  limit: number,
  work: (running: RunningGenerator) => Promise<T>,
): Promise<T> {
  const folder = join(bench.folder, topic);
  await mkdir(folder, { recursive: true });
  await bench.topics.create(topic, PARTITIONS);
  const { profile } = bench;
  const place = { folder, ...(profile === undefined ? {} : { profile }) };
  const command = await workloadCommand(place, generatorConfig(bench, topic, rate, limit));
  const { pid, check, stop } = await startEngine(command, workloadBegins, `${folder}.log`, () => undefined);
  const done = bench.cleanup.add(stop);
  try {
    return await work({ topic, pid, check });
  } finally {
    await stop();
    done();
    if (!bench.keep) {
      await bench.topics.remove((name) => name === topic);
      await rm(folder, { recursive: true, force: true });
    }
  }
}

async function until(condition: () => Promise<boolean>, check: () => void): Promise<void> {
  const deadline = performance.now() + MOST_SECONDS * 1000;
  while (!(await condition())) {
    check();
    if (performance.now() > deadline) throw new BenchFailed(`the generator was not done in ${MOST_SECONDS} s`);
    await sleep(100);
  }
}
