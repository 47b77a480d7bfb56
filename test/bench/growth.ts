/** Caudal where one thing is much larger than usual: keys, partitions, events, aggregators, lag. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ClusterError } from "../cluster/host/errors.ts";
import type { Progress } from "../cluster/host/progress.ts";
import { caudal } from "./engines/caudal.ts";
import { appEvents } from "./events.ts";
import { buildOracle } from "./exact.ts";
import { load, type LoadOptions } from "./load.ts";
import type { GrowthResult } from "./report/growth.ts";
import { runEngine } from "./run.ts";
import type { Bench } from "./running.ts";
import { type Scenario, scenarios } from "./scenarios.ts";

const PARTITIONS = 12;

/** @param options names of what is to grow (none: all), and the usual number of events */
export async function measureGrowth(
  bench: Bench,
  options: { readonly scenarios: readonly string[]; readonly events: number },
  progress: Progress,
): Promise<{ readonly results: readonly GrowthResult[]; readonly failed: readonly string[] }> {
  const results: GrowthResult[] = [];
  const failed: string[] = [];
  const { scenarios: names, events } = options;
  for (const scenario of scenarios.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const title = `${scenario.name}: ${scenario.what}`;
    try {
      const result = await progress.step(title, async () => await measure(bench, scenario, events, progress));
      progress.say(`${title}: ${result.eventsPerSecond} events/s, peak ${result.peakRssMb} MB`);
      results.push(result);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      progress.say(`${title}: ${error.message}`);
      failed.push(scenario.name);
    }
  }
  return { results, failed };
}

async function measure(bench: Bench, scenario: Scenario, usual: number, progress: Progress): Promise<GrowthResult> {
  const { name, what, share = 1, partitions = PARTITIONS, aggregators = 1 } = scenario;
  const topic = `growth-${name}`;
  const options: LoadOptions = {
    topic,
    partitions,
    events: Math.round(usual * share),
    shape: { ...appEvents, ...scenario.shape },
    file: join(bench.folder, `${topic}.ndjson`),
  };
  const loaded = await load(bench.servers.broker.bootstrap, bench.topics, options, progress);
  const oracle = await buildOracle(loaded, bench.folder);
  await rm(options.file);
  try {
    const run = { engine: caudal, run: 1, loaded, oracle, replicas: aggregators, id: `${topic}-run` };
    const { engine: _e, configuration: _c, run: _r, ...result } = await runEngine(bench, run);
    return { scenario: name, what, events: loaded.events, eventBytes: Math.round(loaded.meanBytes), ...result };
  } finally {
    oracle.close();
    if (!bench.keep) await bench.topics.remove((one) => one === topic);
  }
}
