/** From an event to its row, at a steady rate: how long it takes, and what it costs. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, DatabaseError } from "pg";
import type { Progress } from "../cluster/host/progress.ts";
import type { Engine } from "./engines/engine.ts";
import { BenchFailed } from "./errors.ts";
import { appEvents } from "./events.ts";
import { type Live, type Marker, startLive } from "./live.ts";
import { usage } from "./meter.ts";
import type { LatencyResult } from "./report/latency.ts";
import { percentile } from "./report/results.ts";
import { type Bench, type Running, withEngine } from "./running.ts";

export interface LatencyOptions {
  readonly engines: readonly Engine[];
  /** Events per second, one measurement each. */
  readonly rates: readonly number[];
  readonly seconds: number;
}

const PARTITIONS = 12;
const POLL_MS = 20;
/** What is not measured: from the first row that is seen. */
const WARM_UP_SECONDS = 10;
const FIRST_ROW_SECONDS = 90;
/** For the rows of the last events. */
const TAIL_SECONDS = 30;

export async function measureLatency(
  bench: Bench,
  { engines, rates, seconds }: LatencyOptions,
  progress: Progress,
): Promise<readonly LatencyResult[]> {
  const results: LatencyResult[] = [];
  for (const engine of engines) {
    for (const rate of rates) {
      const title = `${engine.name} at ${rate} events/s for ${seconds} s`;
      const result = await progress.step(title, async () => await measure(bench, engine, rate, seconds));
      const { p50Ms, p99Ms, engineCores, postgresCores } = result;
      progress.say(`${title}: p50 ${p50Ms} ms, p99 ${p99Ms} ms; cores ${engineCores}, PostgreSQL ${postgresCores}`);
      results.push(result);
    }
  }
  return results;
}

async function measure(bench: Bench, engine: Engine, rate: number, seconds: number): Promise<LatencyResult> {
  const id = `live-${engine.name}-${rate}`;
  const topic = `${id}-events`;
  await bench.topics.create(topic, PARTITIONS);
  const shape = { topic, partitions: PARTITIONS, records: 0, events: 0, shape: appEvents };
  return await withEngine(bench, engine, { id, topic: shape, mode: "latency" }, async (running) => {
    const watch = new RowWatch(running.client);
    const { bootstrap } = bench.servers.broker;
    const onMarker = (marker: Marker): void => watch.expect(marker);
    const live = startLive({ bootstrap, topic, partitions: PARTITIONS, rate, onMarker, say: bench.say });
    try {
      return await observe({ running, watch, live, engine, rate, seconds });
    } finally {
      await live.stop();
    }
  });
}

interface Observation {
  readonly running: Running;
  readonly watch: RowWatch;
  readonly live: Live;
  readonly engine: Engine;
  readonly rate: number;
  readonly seconds: number;
}

async function observe({ running, watch, live, engine, rate, seconds }: Observation): Promise<LatencyResult> {
  const pollFor = async (forSeconds: number, enough: () => boolean = () => false): Promise<void> => {
    const end = performance.now() + forSeconds * 1000;
    while (performance.now() < end && !enough()) {
      running.check();
      const begun = performance.now();
      await watch.look();
      await sleep(Math.max(1, POLL_MS - (performance.now() - begun)));
    }
  };
  await pollFor(FIRST_ROW_SECONDS, () => watch.latencies.length > 0);
  if (watch.latencies.length === 0) throw new BenchFailed(`no row was seen in ${FIRST_ROW_SECONDS} s`);
  await pollFor(WARM_UP_SECONDS);
  watch.begin();
  const from = running.read();
  await pollFor(seconds);
  const used = usage(from, running.read());
  const peak = running.peakMb();
  const sent = await live.stop();
  await pollFor(TAIL_SECONDS, () => watch.waiting === 0);
  const { rows } = await running.client.query<{ counted: string }>("select sum(count) as counted from event_counts");
  const { latencies } = watch;
  const ms = (share: number): number => Math.round(percentile(latencies, share));
  const cores = (cpuSeconds: number): number => Math.round((cpuSeconds / used.seconds) * 1000) / 1000;
  return {
    engine: engine.name,
    configuration: engine.configuration("latency"),
    rate,
    seconds,
    samples: latencies.length,
    p50Ms: ms(0.5),
    p95Ms: ms(0.95),
    p99Ms: ms(0.99),
    maxMs: ms(1),
    engineCores: cores(used.engine),
    postgresCores: cores(used.postgres),
    brokerCores: cores(used.broker),
    peakRssMb: Math.round(peak),
    allCounted: watch.waiting === 0 && Number(rows[0]?.counted) === sent,
  };
}

/** Looks for the rows of markers, by the tables' own key. */
class RowWatch {
  readonly #client: Client;
  readonly #waiting = new Map<string, Marker>();
  /** Milliseconds from event to row, of markers sent since the beginning. */
  latencies: number[] = [];
  #since = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  expect(marker: Marker): void {
    this.#waiting.set(marker.type, marker);
  }

  /** Forgets what was seen: only markers sent from now on count. */
  begin(): void {
    this.latencies = [];
    this.#since = performance.now();
  }

  async look(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const markers = [...this.#waiting.values()];
    const windows = [...new Set(markers.map(({ window }) => new Date(window).toISOString()))];
    const found = await this.#find(windows, [...this.#waiting.keys()]);
    const now = performance.now();
    for (const type of found) {
      const marker = this.#waiting.get(type);
      this.#waiting.delete(type);
      if (marker !== undefined && marker.sentAt >= this.#since) this.latencies.push(now - marker.sentAt);
    }
  }

  async #find(windows: readonly string[], types: readonly string[]): Promise<readonly string[]> {
    try {
      const { rows } = await this.#client.query<{ event_type: string }>({
        name: "look",
        text: `select event_type from event_counts
          where window_start = any($1::timestamptz[]) and event_type = any($2::text[])`,
        values: [windows, types],
      });
      return rows.map(({ event_type }) => event_type);
    } catch (error) {
      // The engine has not made its tables yet.
      if (error instanceof DatabaseError && error.code === "42P01") return [];
      throw error;
    }
  }
}
