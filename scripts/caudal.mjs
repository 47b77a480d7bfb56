// `npm run caudal`: the command line from the sources, bundled as an image has it. A bundle is made when sources have
// changed since the last one; from it the program starts with a quarter of the CPU time that the sources take. No
// TypeScript, and one process with the setup: either would cost as much as a small statement.
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import "./setup.mjs";

const file = fileURLToPath(import.meta.url);
const root = join(dirname(file), "..");
const cache = join(root, ".cache", "caudal");
const stateFile = join(cache, "state.json");

/**
 * @typedef {object} State
 * @property {string} folder the folder whose `dist` is the bundle, in the cache
 * @property {Record<string, string>} sources what it was made of → how it was then
 */

/** @returns {State | undefined} undefined where none was made yet */
function readState() {
  try {
    return JSON.parse(readFileSync(stateFile, "utf8"));
  } catch {
    return undefined; // there is none, or it was cut off: a bundle is made anew
  }
}

/** Changes with the file; empty for one that is not there. */
function stampOf(path) {
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.mtimeMs} ${found.size}`;
}

/** @param {State} state */
function isFresh({ folder, sources }) {
  return (
    statSync(join(cache, folder, "dist", "main.js"), { throwIfNoEntry: false }) !== undefined &&
    Object.entries(sources).every(([path, stamp]) => stampOf(path) === stamp)
  );
}

/**
 * In a folder of its own: a program that runs reads parts of its bundle late.
 *
 * @param {State | undefined} before
 */
async function bundleNow(before) {
  process.stderr.write("bundling caudal, as its sources are new\n");
  const { bundle, caudal } = await import("./build.ts");
  const folder = `${Date.now()}-${process.pid}`;
  const inputs = await bundle({ dist: join(cache, folder, "dist"), entries: caudal });
  // Packages change with the lockfile alone.
  const own = inputs.filter((input) => !input.startsWith("node_modules/"));
  const paths = [...own, "package-lock.json", "scripts/build.ts"];
  const sources = Object.fromEntries(paths.map((path) => [path, stampOf(path)]));
  const unfinished = `${stateFile}-${process.pid}`;
  await mkdir(cache, { recursive: true });
  await writeFile(unfinished, JSON.stringify({ folder, sources }));
  await rename(unfinished, stateFile);
  const kept = new Set([folder, before?.folder, "state.json"]);
  for (const name of await readdir(cache))
    if (!kept.has(name)) await rm(join(cache, name), { recursive: true, force: true });
  return folder;
}

if (Number(process.versions.node.split(".")[0]) < 24) {
  // The host's own, before the setup has brought ours.
  const node = join(root, "node_modules", ".bin", "node");
  const { status } = spawnSync(node, [file, ...process.argv.slice(2)], { stdio: "inherit" });
  process.exit(status ?? 1);
}
const state = readState();
const folder = state !== undefined && isFresh(state) ? state.folder : await bundleNow(state);
await import(pathToFileURL(join(cache, folder, "dist", "main.js")).href);
