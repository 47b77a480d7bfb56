/** A minute of chaos with a seed that never changes; `npm run chaos` does as many as one likes. */
import { afterAll, expect, it } from "vitest";
import { killWorkers } from "../engine/aggregator/stage.ts";
import { runRound } from "./round.ts";
import { planRound } from "./src/schedule.ts";

const SEED = 2017;
const SECONDS = 45;

afterAll(killWorkers);

it("leaves tables and dead letters exact", { timeout: 400_000 }, async () => {
  const said: string[] = [];
  const outcome = await runRound(planRound(SEED, SECONDS), { say: (line) => said.push(line) });
  expect(outcome.violations, said.join("\n")).toEqual([]);
  expect(outcome.rows).toBeGreaterThan(100);
  expect(outcome.letters).toBeGreaterThan(10);
  expect(Object.keys(outcome.faults).length, said.join("\n")).toBeGreaterThan(5);
});
