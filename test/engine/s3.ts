/** A real S3 server (versitygw over a folder) on loopback, for tests; its data goes with it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { s3ServerBinary } from "../cluster/host/binaries.ts";
import { poll } from "../cluster/host/poll.ts";
import { freePorts } from "./free-ports.ts";

export interface S3 {
  readonly port: number;
  /** URL of the server. */
  readonly endpoint: string;
  /** Folder with the files AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as a pod finds its mounted secret. */
  readonly secret: string;
  /** Makes a bucket. @returns the folder in which its objects lie as files */
  bucket(name: string): string;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const ACCESS_KEY = "lake";
const SECRET_KEY = "only-on-loopback";

export async function startS3(): Promise<S3> {
  const binary = await s3ServerBinary();
  const folder = mkdtempSync(join(tmpdir(), "caudal-s3-"));
  const buckets = join(folder, "buckets");
  mkdirSync(buckets);
  const secret = join(folder, "secret");
  mkdirSync(secret);
  writeFileSync(join(secret, "AWS_ACCESS_KEY_ID"), ACCESS_KEY);
  writeFileSync(join(secret, "AWS_SECRET_ACCESS_KEY"), SECRET_KEY);
  const [port = 0] = await freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  let server: ChildProcess | undefined;

  async function answers(): Promise<true | undefined> {
    try {
      // Whatever it answers to a stranger: it serves.
      await (await fetch(endpoint)).text();
      return true;
    } catch (error) {
      if (error instanceof TypeError) return undefined;
      throw error;
    }
  }

  async function start(): Promise<void> {
    if (server !== undefined) return;
    const args = ["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--port", `127.0.0.1:${port}`, "posix", buckets];
    const launched = spawn(binary, args, { stdio: "ignore" });
    server = launched;
    const withUs = (): void => void launched.kill("SIGKILL");
    process.once("exit", withUs);
    launched.once("exit", () => process.off("exit", withUs));
    await poll(answers, { seconds: 120, everyMs: 50, onTimeout: () => "versitygw did not start" });
  }

  async function end(): Promise<void> {
    const ending = server;
    server = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill("SIGKILL");
    await exited;
  }

  await start();
  return {
    port,
    endpoint,
    secret,
    bucket: (name) => {
      mkdirSync(join(buckets, name));
      return join(buckets, name);
    },
    kill: end,
    start,
    stop: async () => {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
