/** Caudal where one thing is much larger than usual: keys, partitions, events, aggregators, lag. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { ClusterError } from "../cluster/host/errors.ts";
import { poll } from "../cluster/host/poll.ts";
import type { Progress } from "../cluster/host/progress.ts";
import { caudal } from "./engines/caudal.ts";
import { appEvents } from "./events.ts";
import { buildOracle } from "./exact.ts";
import { createTopic, fill, load, type Loaded, type LoadOptions } from "./load.ts";
import type { GrowthResult } from "./report/growth.ts";
import type { Result } from "./report/results.ts";
import { resultOf, runEngine } from "./run.ts";
import { type Bench, withEngine } from "./running.ts";
import { type Scenario, scenariosOf } from "./scenarios.ts";

const PARTITIONS = 12;
const WINDOWS_AT_ONCE = 500;

/** @param options names of what is to grow (none: all), and the usual number of events */
export async function measureGrowth(
  bench: Bench,
  options: { readonly scenarios: readonly string[]; readonly events: number },
  progress: Progress,
): Promise<{ readonly results: readonly GrowthResult[]; readonly failed: readonly string[] }> {
  const results: GrowthResult[] = [];
  const failed: string[] = [];
  const { scenarios: names, events } = options;
  for (const scenario of scenariosOf(names)) {
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
  const { name, what, share = 1, partitions = PARTITIONS } = scenario;
  const topic = `growth-${name}`;
  const options: LoadOptions = {
    topic,
    partitions,
    events: Math.round(usual * share),
    shape: { ...appEvents, ...scenario.shape },
    file: join(bench.folder, `${topic}.ndjson`),
  };
  try {
    const run = scenario.rows === undefined ? onEmptyTables : besideRows;
    const { loaded, result } = await run(bench, scenario, options, progress);
    const { engine: _e, configuration: _c, ...figures } = result;
    return { scenario: name, what, events: loaded.events, eventBytes: Math.round(loaded.meanBytes), ...figures };
  } finally {
    await rm(options.file, { force: true });
    if (!bench.keep) await bench.topics.remove((one) => one === topic);
  }
}

interface Measured {
  readonly loaded: Loaded;
  readonly result: Omit<Result, "run">;
}

async function onEmptyTables(
  bench: Bench,
  { aggregators = 1 }: Scenario,
  options: LoadOptions,
  progress: Progress,
): Promise<Measured> {
  const loaded = await load(bench.servers.broker.bootstrap, bench.topics, options, progress);
  const oracle = await buildOracle(loaded, bench.folder);
  try {
    const run = { engine: caudal, run: 1, loaded, oracle, replicas: aggregators, id: `${options.topic}-run` };
    return { loaded, result: await runEngine(bench, run) };
  } finally {
    oracle.close();
  }
}

/** The stage makes its tables on the empty topic and is stopped; they get their rows, the topic its events. */
async function besideRows(
  bench: Bench,
  { rows = 0 }: Scenario,
  options: LoadOptions,
  progress: Progress,
): Promise<Measured> {
  await createTopic(bench.topics, options);
  const topic = { ...options, records: 0 };
  const run = { id: `${options.topic}-run`, topic, mode: "throughput" as const };
  return await withEngine(bench, caudal, run, async (running) => {
    await poll(async () => await tablesAreThere(running.client), {
      seconds: 60,
      onTimeout: () => "the stage does not make its tables",
    });
    await running.stop();
    await addRows(running.client, rows, progress);
    const loaded = await fill(bench.servers.broker.bootstrap, bench.topics, options, progress);
    const oracle = await buildOracle(loaded, bench.folder);
    try {
      await running.again();
      return { loaded, result: await resultOf(running, caudal, loaded, oracle, bench.say) };
    } finally {
      oracle.close();
    }
  });
}

async function tablesAreThere(client: Client): Promise<true | undefined> {
  const { rows } = await client.query<{ there: boolean }>(
    "select to_regclass('public.user_event_counts') is not null as there",
  );
  return rows[0]?.there === true ? true : undefined;
}

/** Rows of user_event_counts in windows that are long over: every user in every minute. */
async function addRows(client: Client, rows: number, progress: Progress): Promise<void> {
  const windows = Math.ceil(rows / appEvents.users);
  for (let from = 0; from < windows; from += WINDOWS_AT_ONCE) {
    const to = Math.min(windows, from + WINDOWS_AT_ONCE);
    await client.query(
      `insert into user_event_counts (window_start, window_end, user_id, count)
        select start, start + interval '1 minute', 'u' || lpad(n::text, 5, '0'), 1
        from generate_series($1::int, $2::int - 1) as minute, generate_series(0, $3::int - 1) as n,
          lateral (select timestamptz '2025-01-01 00:00:00+00' + minute * interval '1 minute' as start) as w`,
      [from, to, appEvents.users],
    );
    progress.say(`${(to * appEvents.users).toLocaleString("en")} of ${rows.toLocaleString("en")} rows`);
  }
  await client.query("vacuum (analyze) user_event_counts");
  await client.query("checkpoint");
}
