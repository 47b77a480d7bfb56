/** The cgroup below which the node's pods run: own, so that clusters do not share one and `down` can remove it. */
import { existsSync, globSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { poll } from "../host/poll.ts";

const mountPoint = "/sys/fs/cgroup";

/** The roots of all hierarchies: one with version 2, one a controller with version 1. */
function hierarchies(): readonly string[] {
  if (existsSync(join(mountPoint, "cgroup.controllers"))) return [mountPoint];
  return globSync("*/cgroup.procs", { cwd: mountPoint }).map((file) => join(mountPoint, file, ".."));
}

async function enableControllers(folder: string): Promise<void> {
  const controllers = (await readFile(join(folder, "cgroup.controllers"), "utf8")).trim().split(" ");
  const enable = controllers.filter((name) => name !== "").map((name) => `+${name}`);
  await writeFile(join(folder, "cgroup.subtree_control"), enable.join(" "));
}

/**
 * How often the pods together get a processor, beside one busy thread outside. A new cgroup counts as much as one such
 * thread: beside ten of them (a build, a test run) no probe of a pod would be answered in its time.
 */
const weightOfThreads = 10;

/** By version of the hierarchy: the file, and what one thread counts there. */
const weights = [
  ["cpu.weight", 100],
  ["cpu.shares", 1024],
] as const;

/** Makes the cgroup, in all hierarchies, with its share of the processors. */
export async function makeCgroup(path: string): Promise<void> {
  for (const root of hierarchies()) {
    const folder = join(root, path);
    await mkdir(folder, { recursive: true });
    if (root === mountPoint) {
      await enableControllers(root);
      await enableControllers(folder);
    }
    // With version 1 a new cpuset is empty, and nothing can run in it.
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (root !== mountPoint && existsSync(join(folder, file)))
        await writeFile(join(folder, file), await readFile(join(root, file), "utf8"));
    }
    for (const [file, thread] of weights)
      if (existsSync(join(folder, file))) await writeFile(join(folder, file), String(thread * weightOfThreads));
  }
}

/** Removes the cgroup with all below; its processes have ended, but the kernel takes a moment to notice. */
export async function removeCgroup(path: string): Promise<void> {
  for (const root of hierarchies()) {
    const top = join(root, path);
    let problem = "";
    const gone = async (): Promise<true | undefined> => {
      if (!existsSync(top)) return true;
      const below = globSync("**/", { cwd: top }).map((name) => join(top, name));
      for (const folder of [...below.sort().reverse(), top]) {
        await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== "ENOENT") problem = error.message;
        });
      }
      return existsSync(top) ? undefined : true;
    };
    await poll(gone, { seconds: 20, onTimeout: () => `a cgroup does not go away: ${problem}` });
  }
}
