/**
 * Bundles the programs once for all tests of a run, as an image has them: tests start hundreds of them, and from a
 * bundle one starts with less than half of the CPU time that its sources take.
 */
import { existsSync, globSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { bundle, caudal } from "../scripts/build.ts";
import { repository } from "./cluster/host/paths.ts";

/** Names the folder of the bundled programs, for the processes in which tests run. One that is named already is used. */
const BUNDLE_VARIABLE = "CAUDAL_TEST_BUNDLE";

/** Programs of the bundle → their sources. */
const { main: caudalSource, ...besideCaudal } = caudal;
const programs = {
  caudal: caudalSource,
  main: "workloads/src/main.ts",
  house: "test/engine/outbox/house.ts",
} as const;
type Program = keyof typeof programs;

/** A program's file: of the bundle, where one was made. */
export function programFile(name: Program): string {
  const folder = process.env[BUNDLE_VARIABLE];
  return folder === undefined ? sourceFile(name) : join(folder, `${name}.js`);
}

/** A program's source, which Node runs as it is. */
export const sourceFile = (name: Program): string => join(repository, programs[name]);

/** A command as the docs print it, with the bundled `caudal`, and without the setup, which may install packages under a running test. */
export const withBundle = (printed: string): string =>
  printed.replace("npm run -s caudal --", `${process.execPath} ${programFile("caudal")}`);

/** @returns what removes the bundle, where this call has made it */
export default async function bundlePrograms(): Promise<() => Promise<void>> {
  if (process.env[BUNDLE_VARIABLE] !== undefined) return async () => await Promise.resolve();
  const cache = join(repository, ".cache");
  await removeLeft(cache);
  const folder = join(cache, `bundle-${process.pid}`);
  const dist = join(folder, "dist"); // A package looks for its WebAssembly in ../dist.
  await bundle({ dist, entries: { ...programs, ...besideCaudal } });
  process.env[BUNDLE_VARIABLE] = dist;
  return async () => await rm(folder, { recursive: true, force: true });
}

/** Bundles of runs that were killed. */
async function removeLeft(cache: string): Promise<void> {
  for (const name of globSync("bundle-*", { cwd: cache }))
    if (!existsSync(`/proc/${name.slice("bundle-".length)}`))
      await rm(join(cache, name), { recursive: true, force: true });
}
