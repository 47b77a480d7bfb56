/**
 * Signals to a pod's processes from the host, as a crash gives them: from inside a container process 1 cannot be killed.
 * Works wherever the node's processes are visible from here: the cluster without Docker, and kind on Linux.
 */
import { readdirSync, readFileSync } from "node:fs";
import { get, kubectl, type KubeObject, NAMESPACE, until } from "./kube.ts";

/** Process ids, on this host, of a pod's containers, without its pause process. */
export function processesOf(podUid: string): number[] {
  const spellings = [podUid, podUid.replaceAll("-", "_")];
  const found: number[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^[0-9]+$/.test(entry)) continue;
    try {
      const cgroup = readFileSync(`/proc/${entry}/cgroup`, "utf8");
      if (!spellings.some((uid) => cgroup.includes(uid))) continue;
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8");
      if (command !== "" && !/^(\/?pause)\0/.test(command)) found.push(Number(entry));
    } catch (error) {
      // A process that ended while we looked.
      if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
  return found;
}

/** Sends a signal to every process of a pod; answers how many there were. */
export function signalPod(pod: KubeObject, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): number {
  const pids = processesOf(pod.metadata.uid);
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  return pids.length;
}

/**
 * Deletes a pod at once, so that its controller makes another. Not by force: then the next one may start while the
 * processes of this one still run, and two PostgreSQL servers in one data directory end each other.
 */
export async function killPod(name: string, namespace = NAMESPACE): Promise<void> {
  await kubectl(["-n", namespace, "delete", "pod", name, "--now", "--wait=false"]);
}

/** Kills a pod, and waits until its successor is ready. */
export async function replacePod({ metadata: { name, uid } }: KubeObject): Promise<void> {
  await killPod(name);
  await until(`the successor of the pod ${name}`, 180, async () => {
    const pod = await get("pod", name);
    const conditions = (pod?.status?.["conditions"] ?? []) as { type: string; status: string }[];
    return pod?.metadata.uid !== uid && conditions.some(({ type, status }) => type === "Ready" && status === "True");
  });
}

/** Numbers between 0 and 1 from a seed (mulberry32), so that a schedule of faults can be run again. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
