/** All engines over one topic: run 1 of each, then run 2 of each, so that what the machine does meets all alike. */
import { join } from "node:path";
import { ClusterError } from "../cluster/host/errors.ts";
import type { Progress } from "../cluster/host/progress.ts";
import type { Engine } from "./engines/engine.ts";
import { appEvents } from "./events.ts";
import { buildOracle, type Oracle } from "./exact.ts";
import { load, type Loaded } from "./load.ts";
import type { Result } from "./report/results.ts";
import { runEngine } from "./run.ts";
import type { Bench } from "./running.ts";

export interface ThroughputOptions {
  readonly engines: readonly Engine[];
  readonly events: number;
  readonly runs: number;
  /** Told of all results so far after each run: a long measurement may be interrupted. */
  readonly onResult: (results: readonly Result[]) => Promise<void>;
}

const PARTITIONS = 12;
const number = new Intl.NumberFormat("en");

/** @returns the results, and what failed: one engine's failure does not stop the others */
export async function measureThroughput(
  bench: Bench,
  { engines, events, runs, onResult }: ThroughputOptions,
  progress: Progress,
): Promise<{ readonly results: readonly Result[]; readonly failed: readonly string[] }> {
  const { loaded, oracle } = await fillTopic(bench, events, progress);
  const results: Result[] = [];
  const failed: string[] = [];
  try {
    for (let run = 1; run <= runs; run++) {
      for (const engine of engines) {
        const title = `${engine.name}, run ${run} of ${runs}`;
        try {
          const result = await progress.step(
            title,
            async () => await runEngine(bench, { engine, run, loaded, oracle }),
          );
          results.push(result);
          progress.say(`${title}: ${inWords(result)}`);
          await onResult(results);
        } catch (error) {
          if (!(error instanceof ClusterError)) throw error;
          progress.say(`${title}: ${error.message}`);
          failed.push(title);
        }
      }
    }
  } finally {
    oracle.close();
  }
  return { results, failed };
}

async function fillTopic(
  { servers, topics, folder }: Bench,
  events: number,
  progress: Progress,
): Promise<{ readonly loaded: Loaded; readonly oracle: Oracle }> {
  const loaded = await progress.step(
    `loading ${number.format(events)} events`,
    async () =>
      await load(
        servers.broker.bootstrap,
        topics,
        { topic: "app-events", partitions: PARTITIONS, events, shape: appEvents, file: join(folder, "events.ndjson") },
        progress,
      ),
  );
  const oracle = await progress.step("computing the exact answer", async () => await buildOracle(loaded, folder));
  return { loaded, oracle };
}

function inWords(result: Result): string {
  const { eventsPerSecond, eventsPerCpuSecond, cpuSeconds, peakRssMb, postgresCpuSeconds, exact } = result;
  return (
    `${number.format(eventsPerSecond)} events/s, ${number.format(eventsPerCpuSecond)} events per CPU-second ` +
    `(${cpuSeconds} CPU-s, PostgreSQL ${postgresCpuSeconds}), peak ${peakRssMb} MB, ${exact ? "exact" : "NOT EXACT"}`
  );
}
