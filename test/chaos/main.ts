/** `npm run chaos`: rounds of random faults, and whether everything was exact after each. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import bundlePrograms from "../bundle.ts";
import { ensureTestPrograms } from "../cluster/host/packages.ts";
import { progressTo } from "../cluster/host/progress.ts";
import { killWorkers } from "../engine/aggregator/stage.ts";
import { type Outcome, runRound, Stuck } from "./round.ts";
import { describeFault } from "./src/faults.ts";
import { plans, type Round, type System, SYSTEMS } from "./src/schedule.ts";

const usage = `npm run chaos -- [--system NAME] [--minutes N] [--seed S] [--seeds COUNT] [--json FILE] [--plan]

  --system NAME   ${SYSTEMS.join(", ")}; by default each of them, for every seed
  --minutes N     length of the load, of all rounds together (3)
  --seed S        the first seed (1)
  --seeds COUNT   rounds of each system, of the seeds S, S+1, …, one after another (1)
  --json FILE     writes the outcome of every round to FILE
  --plan          prints what would happen, and does nothing

The same system, seed and length of a round give the same faults at the same times.`;

interface Options {
  /** Of each round. */
  readonly seconds: number;
  readonly systems: readonly System[];
  readonly seeds: readonly number[];
  readonly json: string | undefined;
  readonly plan: boolean;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      system: { type: "string" },
      minutes: { type: "string", default: "3" },
      seed: { type: "string", default: "1" },
      seeds: { type: "string", default: "1" },
      json: { type: "string" },
      plan: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [minutes, seed, count] = [values.minutes, values.seed, values.seeds].map(Number);
  if (values.help || !(minutes !== undefined && minutes > 0)) return undefined;
  if (seed === undefined || count === undefined || !Number.isSafeInteger(seed) || !Number.isInteger(count) || count < 1)
    return undefined;
  const systems = SYSTEMS.filter((system) => values.system === undefined || values.system === system);
  if (systems.length === 0) return undefined;
  return {
    seconds: Math.round((minutes * 60) / count / systems.length),
    systems,
    seeds: Array.from({ length: count }, (_, index) => seed + index),
    json: values.json,
    plan: values.plan,
  };
}

/** What repeats a round alone. */
function command({ system, seed, seconds }: Round): string {
  return `npm run chaos -- --system ${system} --seed ${seed} --minutes ${seconds / 60}`;
}

function describeRound(round: Round): string {
  const { system, seed, seconds, workers, partitions, eventsPerSecond, clocks } = round;
  const extras = [...natureOf(round), ...(clocks ? ["clocks that jump"] : [])];
  return `${system}, seed ${seed}: ${seconds} s, ${[`${workers} workers`, `${partitions} partitions`, `${eventsPerSecond} events/s`, ...extras].join(", ")}`;
}

function natureOf(round: Round): readonly string[] {
  switch (round.system) {
    case "aggregates":
      return [`late events: ${round.lateEvents}`, ...(round.refusals ? ["rows that PostgreSQL refuses"] : [])];
    case "banking":
      return [];
    case "customers":
      return [`${round.rows} rows at first`, `deletes with the ${round.wholeRows ? "whole row" : "key alone"}`];
  }
}

interface Result {
  readonly system: System;
  readonly seed: number;
  readonly seconds: number;
  readonly outcome?: Outcome;
  readonly error?: string;
}

async function runOne(round: Round): Promise<Result> {
  console.log(describeRound(round));
  const { system, seed, seconds } = round;
  const base = { system, seed, seconds };
  try {
    const outcome = await runRound(round, { say: (line) => console.log(`  ${line}`) });
    const { violations, counts } = outcome;
    console.log(`  ${listOf(counts)}: ${violations.length === 0 ? "exact" : "WRONG"}`);
    if (violations.length > 0) report(round, `${violations.length} differences; the first: ${violations[0]}`);
    return { ...base, outcome };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    report(round, error instanceof Stuck ? text : `the round itself failed: ${text}`);
    return { ...base, error: text };
  } finally {
    await killWorkers();
  }
}

function report(round: Round, what: string): void {
  console.log(`VIOLATION of ${round.system} with seed ${round.seed}: ${what}\nrepeat it: ${command(round)}`);
}

function isRight({ outcome, error }: Result): boolean {
  return error === undefined && outcome?.violations.length === 0;
}

interface Summary {
  readonly rounds: number;
  readonly minutes: number;
  /** Seeds whose rounds were not exact. */
  readonly wrong: readonly number[];
  readonly counts: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
}

function summary(results: readonly Result[]): Summary {
  const outcomes = results.flatMap(({ outcome }) => outcome ?? []);
  const seconds = results.reduce((sum, result) => sum + result.seconds, 0);
  return {
    rounds: results.length,
    minutes: Math.round(seconds / 6) / 10,
    wrong: results.filter((result) => !isRight(result)).map(({ seed }) => seed),
    counts: sumsOf(outcomes.map(({ counts }) => counts)),
    faults: sumsOf(outcomes.map(({ faults }) => faults)),
  };
}

function sumsOf(records: readonly Readonly<Partial<Record<string, number>>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const record of records)
    for (const [name, count] of Object.entries(record)) sums[name] = (sums[name] ?? 0) + (count ?? 0);
  return sums;
}

function listOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

const options = readOptions();
if (options === undefined) {
  console.log(usage);
  process.exit(2);
}
const rounds: readonly Round[] = options.seeds.flatMap((seed) =>
  options.systems.map((system) => plans[system](seed, options.seconds)),
);
if (options.plan) {
  for (const round of rounds) {
    console.log(describeRound(round));
    for (const { atMs, fault } of round.steps)
      console.log(`  ${(atMs / 1000).toFixed(1).padStart(6)} s  ${describeFault(fault)}`);
  }
  process.exit(0);
}
await ensureTestPrograms(progressTo());
const removeBundle = await bundlePrograms();
// Broker, PostgreSQL and workers end with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const results: Result[] = [];
/** By system, in which the faults and what is compared are other ones. */
const summaries = () =>
  options.systems.map((system) => ({ system, ...summary(results.filter((result) => result.system === system)) }));
for (const round of rounds) {
  results.push(await runOne(round));
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ systems: summaries(), rounds: results }, null, 2)}\n`);
}
for (const { system, rounds: count, minutes, wrong, counts, faults } of summaries()) {
  console.log(
    `\n${system}: ${count} rounds, ${minutes} minutes, wrong seeds: ${wrong.join(", ") || "none"}; ${listOf(counts)}`,
  );
  for (const [kind, times] of Object.entries(faults).sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`${String(times).padStart(6)}  ${kind}`);
}
await removeBundle();
process.exit(results.every(isRight) ? 0 : 1);
