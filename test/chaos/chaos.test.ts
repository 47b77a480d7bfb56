/** Some minutes of chaos with seeds that never change; `npm run chaos` does as many as one likes. */
import { afterEach, expect, it } from "vitest";
import { killWorkers } from "../engine/aggregator/stage.ts";
import { runRound } from "./round.ts";
import { plans, type Round } from "./src/schedule.ts";

afterEach(killWorkers);

/** With the least of what has to have been compared, so that nothing is not taken for right. */
const rounds: readonly [what: string, round: Round, least: Readonly<Record<string, number>>][] = [
  ["tables and dead letters of an aggregator", plans.aggregates(2017, 45), { rows: 100, letters: 10 }],
  [
    "decisions, and what is kept of them",
    plans.banking(27, 30),
    { decisions: 1_000, versions: 50, rows: 500, letters: 5 },
  ],
  [
    "what sources send, and what is delivered",
    plans.customers(26, 30),
    { changes: 500, rows: 500, keys: 50, fileRows: 500 },
  ],
];

it.each(rounds)("leaves %s exact", { timeout: 400_000 }, async (_, round, least) => {
  const said: string[] = [];
  const { violations, counts, faults } = await runRound(round, { say: (line) => said.push(line) });
  expect(violations.slice(0, 10), said.join("\n")).toEqual([]);
  for (const [name, count] of Object.entries(least))
    expect({ [name]: (counts[name] ?? 0) > count }, JSON.stringify(counts)).toEqual({ [name]: true });
  expect(Object.keys(faults).length, said.join("\n")).toBeGreaterThan(5);
});
