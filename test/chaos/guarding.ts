/** Scenarios that are run as the product is, and with a mutant that lacks one guard. */
import { join } from "node:path";
import type { WorkloadConfig } from "@caudal/crds";
import { sourceFile } from "../bundle.ts";
import { poll } from "../cluster/host/poll.ts";
import { makeEvents } from "../engine/aggregator/events.ts";
import { startWorker, type Worker } from "../engine/aggregator/stage.ts";
import { type Mutant, MUTANTS_VARIABLE } from "./src/mutants.ts";

export const lines = (seed: number, count: number, from = 0) =>
  makeEvents(seed, count, from).map((event) => JSON.stringify(event));
export const start = async (config: WorkloadConfig, mutants: readonly Mutant[]): Promise<Worker> =>
  await startWorker(
    config,
    mutants.length === 0
      ? {}
      : {
          program: sourceFile("main"), // what the guards are taken out of
          node: ["--import", join(import.meta.dirname, "mutate.ts")],
          env: { [MUTANTS_VARIABLE]: mutants.join(" ") },
        },
  );
/** Asks until it is so; what it throws meanwhile is "not yet". */
export const until = async (what: string, holds: () => Promise<boolean>, worker?: Worker): Promise<void> => {
  await poll(async () => ((await holds().catch(() => false)) ? true : undefined), {
    seconds: 200,
    everyMs: 20,
    onTimeout: () => `never: ${what}\n${worker?.log() ?? ""}`,
  });
};
export const owns = async (worker: Worker, count: number): Promise<void> => {
  await until(`owns ${count}`, async () => (await worker.status()).partitions.length === count, worker);
};
/** The same with the guard and without. */
export const withAndWithout = async <T>(
  guard: Mutant,
  scenario: (mutants: readonly Mutant[]) => Promise<T>,
  always: readonly Mutant[] = [],
): Promise<readonly [guarded: T, unguarded: T]> => await Promise.all([scenario(always), scenario([...always, guard])]);
