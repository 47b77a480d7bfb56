/** Starts and removes the one node of the native cluster, from the host's side. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { kubeconfigFor, makeCertificates } from "../api-server/certificates.ts";
import { type Component } from "../host/binaries.ts";
import { HostUnfit, NotReadyInTime } from "../host/errors.ts";
import { withLock } from "../host/lock.ts";
import { cacheDir, clusterDir, clusterId, kubeconfigPath } from "../host/paths.ts";
import { poll } from "../host/poll.ts";
import { run, succeeds } from "../host/run.ts";
import { makeCgroup, removeCgroup } from "./cgroups.ts";
import { cniConfig, containerdConfig, kubeletConfig } from "./config.ts";
import { allProcesses, firstProcess, nodeProcesses } from "./processes.ts";
import { apiUrl, identities } from "./programs.ts";
import { containerdSocket, freeSlot, nodeSettings, slots, type NodeSettings } from "./settings.ts";

const nodeDir = join(clusterDir, "node");
const settingsFile = join(nodeDir, "settings.json");
const statusFile = join(nodeDir, "status.json");

export interface RunningNode {
  readonly settings: NodeSettings;
  /** Host PID of the first process of its namespaces. */
  readonly pid: number;
}

/** The node of this checkout, if it runs and all its programs are up. */
export async function runningNode(): Promise<RunningNode | undefined> {
  const first = firstProcess(settingsFile);
  if (first === undefined || !existsSync(statusFile) || !existsSync(kubeconfigPath)) return undefined;
  const { state } = JSON.parse(await readFile(statusFile, "utf8")) as { state: string };
  if (state !== "running") return undefined;
  return { settings: JSON.parse(await readFile(settingsFile, "utf8")) as NodeSettings, pid: first.pid };
}

/** Runs a command in the node's namespaces, with the host's files. */
export async function inNode(node: RunningNode, command: string, args: readonly string[]): Promise<string> {
  const inside = ["--target", String(node.pid), "--mount", "--net", "--pid"];
  return await run("nsenter", [...inside, "--", command, ...args]);
}

/** containerd's own client, on the images and containers of Kubernetes. */
export async function ctr(node: RunningNode, ...args: readonly string[]): Promise<string> {
  return await inNode(node, "ctr", ["--address", containerdSocket, "--namespace", "k8s.io", ...args]);
}

async function writeConfiguration(settings: NodeSettings): Promise<void> {
  const folders = ["log", "cni", "volumes", "pod-logs"];
  await Promise.all(folders.map(async (name) => await mkdir(join(nodeDir, name), { recursive: true })));
  const pki = join(nodeDir, "pki");
  await makeCertificates(pki, identities(settings));
  const kubeconfigs = identities(settings).map(({ name }) => name);
  const files: Record<string, string> = {
    "settings.json": JSON.stringify(settings, null, 2),
    "cni/10-pods.conflist": cniConfig(settings),
    "containerd.toml": containerdConfig(settings),
    "kubelet.json": kubeletConfig(settings),
    // A node without a way out has nobody to ask about names outside the cluster.
    "resolv.conf": "",
  };
  for (const name of kubeconfigs) files[`pki/${name}.kubeconfig`] = await kubeconfigFor(pki, name, apiUrl(settings));
  for (const [name, text] of Object.entries(files)) await writeFile(join(nodeDir, name), text, { mode: 0o600 });
}

/** Starts the supervisor as the first process of new namespaces; it outlives us. */
function spawnNode(pauseProgram: string): void {
  const log = openSync(join(nodeDir, "log", "supervisor.log"), "a");
  const namespaces = ["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", "--kill-child"];
  const supervisor = [process.execPath, join(import.meta.dirname, "supervisor.ts"), settingsFile];
  const args = [...namespaces, "--propagation", "private", "--", pauseProgram, ...supervisor];
  // Of the caller's environment (proxies, say) only the PATH is the node's business.
  const env = { HOME: "/root", PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin` };
  spawn("unshare", args, { detached: true, stdio: ["ignore", log, log], cwd: "/", env }).unref();
  closeSync(log);
}

async function linkToHost(settings: NodeSettings, pid: number): Promise<void> {
  const ip = async (...args: string[]): Promise<unknown> => await run("ip", args);
  await ip("link", "add", settings.link, "type", "veth", "peer", "name", "eth0", "netns", String(pid));
  await ip("addr", "add", `${settings.hostIp}/30`, "dev", settings.link);
  await ip("link", "set", settings.link, "up");
  for (const range of [settings.podCidr, settings.serviceCidr]) {
    await ip("route", "add", range, "via", settings.nodeIp, "dev", settings.link);
  }
}

async function awaitRunning(): Promise<void> {
  const running = async (): Promise<true | undefined> => {
    if (!existsSync(statusFile)) return undefined;
    const { state, message } = JSON.parse(await readFile(statusFile, "utf8")) as { state: string; message: string };
    if (state === "ended") throw new NotReadyInTime(`The node could not be started: ${message}`);
    return true;
  };
  await poll(running, {
    seconds: 180,
    onTimeout: () => `The node did not start in 3 minutes; see the logs in ${nodeDir}/log`,
  });
}

/** Starts a node from nothing: what an earlier one left is removed first. Needs root. */
export async function startNode(
  binaries: Readonly<Record<Component, string>>,
  pauseProgram: string,
): Promise<RunningNode> {
  await removeNode();
  await mkdir(nodeDir, { recursive: true });
  const fileSystem = (await run("stat", ["--file-system", "--format=%T", nodeDir])).trim();
  const snapshotter = fileSystem === "overlayfs" ? "native" : "overlayfs";
  const pid = await withLock(join(cacheDir, "locks", "addresses"), 60, async () => {
    const slot = freeSlot(await run("ip", ["-4", "route"]));
    if (slot === undefined)
      throw new HostUnfit(`All ${slots} address ranges for clusters are in use on this host: remove a cluster first`);
    const places = { clusterDir, binaryDir: dirname(binaries.etcd), snapshotter } as const;
    const settings = nodeSettings(clusterId, slot, places);
    await writeConfiguration(settings);
    await makeCgroup(settings.cgroup);
    spawnNode(pauseProgram);
    const first = await poll(async () => await Promise.resolve(firstProcess(settingsFile)), {
      seconds: 20,
      everyMs: 20,
      onTimeout: () => `The node's first process did not start; see ${nodeDir}/log/supervisor.log`,
    });
    await linkToHost(settings, first.pid);
    return first.pid;
  });
  await awaitRunning();
  const admin = await readFile(join(nodeDir, "pki", "admin.kubeconfig"), "utf8");
  await writeFile(`${kubeconfigPath}.new`, admin, { mode: 0o600 });
  await rename(`${kubeconfigPath}.new`, kubeconfigPath);
  return { settings: JSON.parse(await readFile(settingsFile, "utf8")) as NodeSettings, pid };
}

/** Ends every process of the node, and with them its mounts and its network, and removes its data. */
export async function removeNode(): Promise<void> {
  const left = (): readonly number[] => nodeProcesses(settingsFile, allProcesses()).map(({ pid }) => pid);
  for (const pid of left()) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  await poll(async () => await Promise.resolve(left().length === 0 ? true : undefined), {
    seconds: 30,
    onTimeout: () => `Processes of the node do not end: ${left().join(", ")}`,
  });
  const settings = nodeSettings(clusterId, 0, { clusterDir, binaryDir: "", snapshotter: "overlayfs" });
  await removeCgroup(settings.cgroup);
  // The link is gone with the node's network, if it ever was moved there; the kernel takes it down a moment later.
  if (await succeeds("ip", ["link", "show", settings.link])) await succeeds("ip", ["link", "delete", settings.link]);
  await rm(kubeconfigPath, { force: true });
  await rm(nodeDir, { recursive: true, force: true });
}
