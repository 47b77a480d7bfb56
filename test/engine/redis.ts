/** A Redis of one's own on loopback, from Debian's package `redis-server`, in a folder that goes with it. */
import { createClient } from "@redis/client";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ToolMissing } from "../cluster/host/errors.ts";
import { onHost } from "../cluster/host/packages.ts";
import { poll } from "../cluster/host/poll.ts";
import { freePorts } from "./free-ports.ts";

export interface Redis {
  readonly port: number;
  /** Of the process that runs now; undefined when none does. */
  readonly pid: number | undefined;
  /** Folder with the file `uri`, as a pod finds its mounted secret. */
  readonly secret: string;
  /** The same for a way through another port of loopback, such as a proxy's. */
  secretFor(port: number): string;
  /** Sends one command, each over a connection of its own. */
  command(...args: readonly string[]): Promise<unknown>;
  /** Stops and starts again, with what its append-only file says. @param signal SIGTERM: in order; SIGKILL: not */
  restart(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Ends it; {@link start} brings it back with its data. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT: it holds its connections open and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

const PASSWORD = "only-on-loopback";

/** @param settings of redis.conf, in place of or besides those that suit a test */
export async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<Redis> {
  if (onHost("redis-server") === undefined)
    throw new ToolMissing("Redis is not installed: apt-get install redis-server (6.2 or newer)");
  const folder = mkdtempSync(join(tmpdir(), "caudal-redis-"));
  const [port = 0] = await freePorts(1);
  const all = {
    port: String(port),
    bind: "127.0.0.1",
    dir: folder,
    requirepass: PASSWORD,
    save: "",
    appendonly: "yes",
    appendfsync: "always",
    ...settings,
  };
  let server: ChildProcess | undefined;
  const uri = (to: number): string => `redis://:${PASSWORD}@127.0.0.1:${to}`;

  async function command(...args: readonly string[]): Promise<unknown> {
    const client = createClient({ url: uri(port), RESP: 2, socket: { reconnectStrategy: false } });
    client.on("error", () => undefined); // the command itself rejects
    await client.connect();
    try {
      return await client.sendCommand([...args]);
    } finally {
      client.destroy();
    }
  }

  async function answers(): Promise<true | undefined> {
    try {
      return (await command("PING")) === "PONG" ? true : undefined;
    } catch (error) {
      if (error instanceof Error) return undefined; // not yet, or still reading its file
      throw error;
    }
  }

  async function start(): Promise<void> {
    if (server !== undefined) return;
    const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
    const launched = spawn("redis-server", args, { stdio: "ignore" });
    server = launched;
    const withUs = (): void => void launched.kill("SIGKILL");
    process.once("exit", withUs);
    launched.once("exit", () => process.off("exit", withUs));
    await poll(answers, { seconds: 120, everyMs: 50, onTimeout: () => `Redis did not start in ${folder}` });
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    server = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill(signal);
    await exited;
  }

  function secretFor(to: number): string {
    const secret = mkdtempSync(join(folder, "secret-"));
    writeFileSync(join(secret, "uri"), uri(to));
    return secret;
  }

  await start();
  return {
    port,
    get pid() {
      return server?.pid;
    },
    secret: secretFor(port),
    secretFor,
    command,
    restart: async (signal = "SIGTERM") => {
      await end(signal);
      await start();
    },
    kill: async () => await end("SIGKILL"),
    start,
    freeze: () => void server?.kill("SIGSTOP"),
    thaw: () => void server?.kill("SIGCONT"),
    stop: async () => {
      await end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
