/** One run of one engine over the whole topic: how fast, at what cost, and whether its tables are exact. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, DatabaseError } from "pg";
import type { DoneWhen, Engine, Expected } from "./engines/engine.ts";
import { BenchFailed } from "./errors.ts";
import type { Difference, Oracle } from "./exact.ts";
import type { Loaded } from "./load.ts";
import { usage } from "./meter.ts";
import type { Result } from "./report/results.ts";
import { type Bench, type Running, withEngine } from "./running.ts";

/** The slowest rate that is waited for, and the least time. */
const LEAST_EVENTS_PER_SECOND = 20_000;
const LEAST_SECONDS = 180;

/** Of errors that say that the engine has not made its tables yet. */
const notYet = new Set(["42P01", "3F000"]);

export interface RunEngine {
  readonly engine: Engine;
  readonly run: number;
  readonly loaded: Loaded;
  readonly oracle: Oracle;
  /** Processes that share the topic. */
  readonly replicas?: number;
  /** Names the run where the engine's name and the number are not enough. */
  readonly id?: string;
}

/** @throws BenchFailed when the engine ends, or does not come to its end in time */
export async function runEngine(bench: Bench, options: RunEngine): Promise<Result> {
  const { engine, run, loaded, oracle, replicas = 1, id = `bench-${engine.name}-${run}` } = options;
  return await withEngine(bench, engine, { id, topic: loaded, mode: "throughput", replicas }, async (running) => {
    const result = await resultOf(running, engine, loaded, oracle, bench.say);
    return { ...result, run };
  });
}

/**
 * Waits until the running engine has done the topic, stops it, and compares its tables.
 *
 * @throws BenchFailed when the engine ends, or does not come to its end in time
 */
export async function resultOf(
  running: Running,
  engine: Engine,
  { events }: Loaded,
  oracle: Oracle,
  say: (line: string) => void,
): Promise<Omit<Result, "run">> {
  const seconds = Math.max(LEAST_SECONDS, events / LEAST_EVENTS_PER_SECOND);
  await awaitDone(running.client, engine.doneWhen(running.stage), oracle.expected, running.check, seconds);
  const used = usage(running.begun, running.read());
  const peak = running.peakMb();
  await running.stop();
  const differences = await oracle.compare(running.client, engine.rows);
  for (const difference of differences) say(`${engine.name}: ${inWords(difference)}`);
  return {
    engine: engine.name,
    configuration: engine.configuration("throughput"),
    eventsPerSecond: Math.round(events / used.seconds),
    eventsPerCpuSecond: Math.round(events / used.engine),
    cpuSeconds: hundredths(used.engine),
    peakRssMb: Math.round(peak),
    postgresCpuSeconds: hundredths(used.postgres),
    exact: differences.length === 0,
  };
}

async function awaitDone(
  client: Client,
  questions: readonly DoneWhen[],
  expected: Expected,
  check: () => void,
  seconds: number,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  for (const question of questions) {
    for (;;) {
      check();
      const answer = await ask(client, question);
      if (answer !== undefined && question.done(answer, expected)) break;
      if (performance.now() > deadline) {
        const sql = question.sql.replaceAll(/\s+/g, " ");
        throw new BenchFailed(`not done in ${Math.round(seconds)} s: ${sql} gives ${String(answer)}`);
      }
      await sleep(question.everyMs);
    }
  }
}

async function ask(client: Client, { sql, values = [] }: DoneWhen): Promise<readonly number[] | undefined> {
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, values: [...values], rowMode: "array" });
    return rows[0]?.map(Number);
  } catch (error) {
    if (error instanceof DatabaseError && notYet.has(error.code ?? "")) return undefined;
    throw error;
  }
}

function inWords({ table, missing, extra, wrong, example }: Difference): string {
  return `${table} is not exact: ${missing} rows are missing, ${extra} should not be there, ${wrong} are wrong; first ${example}`;
}

const hundredths = (seconds: number): number => Math.round(seconds * 100) / 100;
