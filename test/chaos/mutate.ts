/** Loaded before the workload (node --import): takes guards out of its sources, as the environment asks. */
import { registerHooks } from "node:module";
import { applyEdit, type Edit, isMutant, mutants, MUTANTS_VARIABLE } from "./src/mutants.ts";

const names = (process.env[MUTANTS_VARIABLE] ?? "").split(" ").filter((name) => name !== "");
const edits = names.flatMap((name): readonly Edit[] => {
  if (!isMutant(name)) throw new RangeError(`no mutant is named ${name}: ${Object.keys(mutants).join(", ")}`);
  return mutants[name];
});

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const mine = edits.filter(({ file }) => url.endsWith(`/workloads/src/${file}`));
    if (mine.length === 0) return loaded;
    return { ...loaded, source: mine.reduce(applyEdit, String(loaded.source)) };
  },
});
