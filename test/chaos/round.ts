/** One round: servers and workers of its own, the load and the faults of one seed, and the verdict. */
import { setTimeout as sleep } from "node:timers/promises";
import { Injector } from "./inject.ts";
import type { Parts, Scenario, Verdict } from "./scenario.ts";
import { openAggregates } from "./scenarios/aggregates.ts";
import { openBanking } from "./scenarios/banking.ts";
import { openCustomers } from "./scenarios/customers.ts";
import { type Opened, startServers } from "./servers.ts";
import { describeFault, type FaultKind } from "./src/faults.ts";
import type { Round } from "./src/schedule.ts";
import { Turns } from "./turns.ts";

export interface Outcome extends Verdict {
  /** Faults that happened, by kind. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
}

export interface RoundOptions {
  readonly say: (line: string) => void;
}

/** After the last fault, everything must be through within it: a call into a black hole gives up after 70 s. */
const SETTLE_SECONDS = 180;

export async function runRound(round: Round, { say }: RoundOptions): Promise<Outcome> {
  const ends: (() => Promise<unknown>)[] = [];
  const opened: Opened = (thing, close) => {
    ends.unshift(async () => await close(thing));
    return thing;
  };
  const crashes: string[] = [];
  const onCrash = (what: string, log: string): void => {
    say(`${what}:\n${log.slice(-4_000)}`);
    crashes.push(what);
  };
  try {
    const servers = await startServers(round.system, opened);
    const turns = new Turns();
    const scenario = await openScenario(round, { servers, turns, opened, onCrash });
    const injecting = injectAll(round, new Injector(round.seed, servers, scenario, turns), say);
    const [faults] = await Promise.all([injecting, scenario.write(injecting)]);
    for (const fleet of scenario.fleets) fleet.heal();
    say(`${scenario.written} records or rows written; no more faults, waiting for the stages`);
    try {
      await scenario.settle(SETTLE_SECONDS);
    } catch (error) {
      const fleets = await Promise.all(scenario.fleets.map(async (fleet) => await fleet.describe()));
      throw new Stuck([String(error), ...fleets].join("\n"), { cause: error });
    }
    const verdict = await scenario.judge();
    return { ...verdict, violations: [...crashes, ...verdict.violations], faults };
  } finally {
    for (const end of ends) await end();
  }
}

/** Not everything came through though nothing stood in the way any more. */
export class Stuck extends Error {
  readonly code = "STUCK";
}

async function openScenario(round: Round, parts: Parts): Promise<Scenario> {
  switch (round.system) {
    case "aggregates":
      return await openAggregates(round, parts);
    case "banking":
      return await openBanking(round, parts);
    case "customers":
      return await openCustomers(round, parts);
  }
}

async function injectAll(
  round: Round,
  injector: Injector,
  say: (line: string) => void,
): Promise<Partial<Record<FaultKind, number>>> {
  const counts: Partial<Record<FaultKind, number>> = {};
  const began = performance.now();
  const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s `;
  const running = round.steps.map(async ({ atMs, fault }) => {
    await sleep(atMs);
    say(`${seconds()} ${describeFault(fault)}`);
    if (await injector.inject(fault)) counts[fault.kind] = (counts[fault.kind] ?? 0) + 1;
    else say(`${seconds()} ${fault.kind} met nothing`);
  });
  await Promise.all(running);
  return counts;
}
