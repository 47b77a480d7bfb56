/** `npm run chaos`: rounds of random faults, and whether the tables were exact after each. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ensureTestPrograms } from "../cluster/host/packages.ts";
import { progressTo } from "../cluster/host/progress.ts";
import { killWorkers } from "../engine/aggregator/stage.ts";
import { type Outcome, runRound, Stuck } from "./round.ts";
import { describeFault, type FaultKind, planRound, type Round } from "./src/schedule.ts";

const usage = `npm run chaos -- [--minutes N] [--seed S] [--seeds COUNT] [--json FILE] [--plan]

  --minutes N     length of the load, of all rounds together (3)
  --seed S        the first seed (1)
  --seeds COUNT   rounds, of the seeds S, S+1, …, one after another (1)
  --json FILE     writes the outcome of every round to FILE
  --plan          prints what would happen, and does nothing

The same seed and length of a round give the same faults at the same times.`;

interface Options {
  readonly seconds: number;
  readonly seeds: readonly number[];
  readonly json: string | undefined;
  readonly plan: boolean;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
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
  return {
    seconds: Math.round((minutes * 60) / count),
    seeds: Array.from({ length: count }, (_, index) => seed + index),
    json: values.json,
    plan: values.plan,
  };
}

/** What repeats a round alone. */
function command({ seed, seconds }: Round): string {
  return `npm run chaos -- --seed ${seed} --minutes ${seconds / 60}`;
}

function describeRound(round: Round): string {
  const { seed, seconds, workers, partitions, lateEvents, eventsPerSecond, refusals, clocks } = round;
  const extras = [refusals ? "rows that PostgreSQL refuses" : "", clocks ? "clocks that jump" : ""].filter((it) => it);
  return `seed ${seed}: ${seconds} s, ${workers} workers, ${partitions} partitions, ${eventsPerSecond} events/s, late events: ${[lateEvents, ...extras].join(", ")}`;
}

interface Result {
  readonly seed: number;
  readonly seconds: number;
  readonly lateEvents: string;
  readonly outcome?: Outcome;
  readonly error?: string;
}

async function runOne(round: Round): Promise<Result> {
  console.log(describeRound(round));
  const base = { seed: round.seed, seconds: round.seconds, lateEvents: round.lateEvents };
  try {
    const outcome = await runRound(round, { say: (line) => console.log(`  ${line}`) });
    const { violations, records, rows, letters, repeatedLetters, lateEvents } = outcome;
    console.log(
      `  ${records} records of the log, ${rows} rows and ${letters} dead letters (${repeatedLetters} repeated, ${lateEvents} events late) compared: ${violations.length === 0 ? "exact" : "WRONG"}`,
    );
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
  console.log(`VIOLATION with seed ${round.seed}: ${what}\nrepeat it: ${command(round)}`);
}

function isRight({ outcome, error }: Result): boolean {
  return error === undefined && outcome?.violations.length === 0;
}

function summary(results: readonly Result[]) {
  const faults: Partial<Record<FaultKind, number>> = {};
  const sums = { records: 0, events: 0, rows: 0, letters: 0, repeatedLetters: 0, lateEvents: 0 };
  for (const { outcome } of results) {
    if (outcome === undefined) continue;
    for (const [kind, count] of Object.entries(outcome.faults) as [FaultKind, number][])
      faults[kind] = (faults[kind] ?? 0) + count;
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += outcome[key];
  }
  const wrong = results.filter((result) => !isRight(result)).map(({ seed }) => seed);
  const seconds = results.reduce((sum, result) => sum + result.seconds, 0);
  return { seeds: results.length, minutes: seconds / 60, wrong, ...sums, faults };
}

const options = readOptions();
if (options === undefined) {
  console.log(usage);
  process.exit(2);
}
const rounds = options.seeds.map((seed) => planRound(seed, options.seconds));
if (options.plan) {
  for (const round of rounds) {
    console.log(describeRound(round));
    for (const { atMs, fault } of round.steps)
      console.log(`  ${(atMs / 1000).toFixed(1).padStart(6)} s  ${describeFault(fault)}`);
  }
  process.exit(0);
}
await ensureTestPrograms(progressTo());
// Broker, PostgreSQL and workers end with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const results: Result[] = [];
for (const round of rounds) {
  results.push(await runOne(round));
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ ...summary(results), rounds: results }, null, 2)}\n`);
}
const { faults, ...sums } = summary(results);
console.log(
  `\n${Object.entries(sums)
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join(", ")}`,
);
for (const [kind, count] of Object.entries(faults).sort(([a], [b]) => (a < b ? -1 : 1)))
  console.log(`${String(count).padStart(6)}  ${kind}`);
process.exit(results.every(isRight) ? 0 : 1);
