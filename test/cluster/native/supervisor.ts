/**
 * Runs inside the node's own mount, network and PID namespaces: prepares them, starts every program of the node and
 * ends when one of them ends. With its first process the whole PID namespace is gone, and with that every mount,
 * address and rule that was made in here; nothing has to be undone.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { poll } from "../host/poll.ts";
import { run, succeeds } from "../host/run.ts";
import { programs, type Program } from "./programs.ts";
import { nodeRoot, type NodeSettings } from "./settings.ts";
import { serveVolumes } from "./volumes.ts";

const settings = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as NodeSettings;
// Relative paths from here on: the mounts below may hide the folder's absolute one.
process.chdir(`${settings.clusterDir}/node`);
const logOf = (program: Program): string => `${settings.clusterDir}/node/log/${program.name}.log`;

function report(state: "running" | "ended", message: string): void {
  writeFileSync(".status", JSON.stringify({ state, message }));
  renameSync(".status", "status.json");
}

/** Own folders where programs insist on fixed paths; the host's stay as they are. */
async function prepareMounts(): Promise<void> {
  const script = `set -e
    mount -t tmpfs -o mode=0755 tmpfs /run
    mkdir /run/caudal /run/upper /run/work
    mount --bind . /run/caudal
    mount -t overlay -o lowerdir=/var,upperdir=/run/upper,workdir=/run/work overlay /var
    mount --make-rshared /`;
  await run("sh", ["-c", script]);
}

async function prepareNetwork(): Promise<void> {
  const linked = async (): Promise<true | undefined> =>
    (await succeeds("ip", ["link", "show", "eth0"])) ? true : undefined;
  await poll(linked, { seconds: 30, everyMs: 20, onTimeout: () => "nobody gave this node its link to the host" });
  const ip = async (...args: string[]): Promise<unknown> => await run("ip", args);
  await ip("link", "set", "lo", "up");
  await ip("addr", "add", `${settings.nodeIp}/30`, "dev", "eth0");
  await ip("link", "set", "eth0", "up");
  await ip("route", "add", "default", "via", settings.hostIp);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
}

function start(program: Program): void {
  const log = openSync(`log/${program.name}.log`, "a");
  const [command = "", ...args] = program.args;
  const child = spawn(command, args, { stdio: ["ignore", log, log], cwd: nodeRoot });
  closeSync(log);
  const ended = (how: string): void => {
    report("ended", `${program.name} ${how}; see ${logOf(program)}`);
    process.exit(1);
  };
  child.on("error", (error) => ended(`could not be started (${error.message})`));
  child.on("exit", (code, signal) => ended(`ended with ${signal ?? `code ${code}`}`));
}

async function startAll(): Promise<void> {
  for (const program of programs(settings)) {
    start(program);
    const [command, ...args] = program.ready ?? [];
    if (command === undefined) continue;
    const serves = async (): Promise<true | undefined> => ((await succeeds(command, args)) ? true : undefined);
    await poll(serves, {
      seconds: 90,
      onTimeout: () => `${program.name} does not serve after 90 s; see ${logOf(program)}`,
    });
  }
}

try {
  await Promise.all([prepareMounts(), prepareNetwork()]);
  await startAll();
  report("running", "all programs of the node are started");
  await serveVolumes(settings);
} catch (error) {
  report("ended", error instanceof Error ? error.message : String(error));
  process.exit(1);
}
