/** An engine at work on a topic, in a database and a folder of its own; all of it goes when the work is over. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import type { Cleanup } from "./cleanup.ts";
import { makeDatabase } from "./database.ts";
import { type EngineProcess, startEngine } from "./engine-process.ts";
import type { Engine, Stage } from "./engines/engine.ts";
import { type Meter, newMeter, type Reading } from "./meter.ts";
import { peakMb } from "./process-usage.ts";
import type { Servers } from "./servers.ts";
import type { Topics } from "./topics.ts";

/** What all measurements share. */
export interface Bench {
  readonly servers: Servers;
  readonly topics: Topics;
  /** Folder of the whole command. */
  readonly folder: string;
  readonly cleanup: Cleanup;
  readonly say: (line: string) => void;
  /** Whether databases, topics and folders stay. */
  readonly keep: boolean;
  /** Folder for CPU profiles. */
  readonly profile?: string;
}

export interface RunOptions {
  /** Names the run's database, groups, topics and log. */
  readonly id: string;
  readonly topic: Stage["topic"];
  readonly mode: Stage["mode"];
  /** Processes of the engine that share the topic. */
  readonly replicas?: number;
}

export interface Running {
  readonly stage: Stage;
  /** On which the benchmark asks its questions: what they cost is not PostgreSQL's. */
  readonly client: Client;
  /** What was used when the engine began, the last time. */
  readonly begun: Reading;
  read(): Reading;
  /** Most memory that one of its processes has held so far, in MB. */
  peakMb(): number;
  /** @throws BenchFailed when one of its processes has ended */
  check(): void;
  stop(): Promise<void>;
  /** Starts it anew, as it was started first. */
  again(): Promise<void>;
}

/** A dead-letter topic takes a record of the source with what is said about it. */
const deadLetterConfig = { "max.message.bytes": "2000000" };

/** @throws BenchFailed when the engine does not begin; what the work throws */
export async function withEngine<T>(
  bench: Bench,
  engine: Pick<Engine, "setUp" | "begins">,
  options: RunOptions,
  work: (running: Running) => Promise<T>,
): Promise<T> {
  const { servers, topics, profile } = bench;
  const { id, topic, mode, replicas = 1 } = options;
  const folder = join(bench.folder, id);
  await mkdir(folder, { recursive: true });
  const { database, client, drop } = await makeDatabase(servers.postgres, id);
  const bootstrap = servers.broker.bootstrap;
  const stage: Stage = { id, folder, bootstrap, topic, database, mode, ...(profile === undefined ? {} : { profile }) };
  const processes: EngineProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map(async (one) => await one.stop()));
  };
  const done = bench.cleanup.add(stop);
  try {
    const command = await engine.setUp(stage, client, async (name) => await topics.create(name, 1, deadLetterConfig));
    const meter = await newMeter(servers, client);
    const startAll = async (): Promise<Reading> =>
      await start(meter, engine, { ...command, folder, log: join(bench.folder, id), replicas }, processes);
    let begun = await startAll();
    return await work({
      stage,
      client,
      get begun() {
        return begun;
      },
      read: () => meter.read(processes.map(({ pid }) => pid)),
      peakMb: () => Math.max(...processes.map(({ pid }) => peakMb(pid))),
      check: () => processes.forEach((one) => one.check()),
      stop,
      again: async () => {
        await stop();
        processes.length = 0;
        begun = await startAll();
      },
    });
  } finally {
    await stop();
    done();
    if (!bench.keep) {
      await drop();
      await topics.remove((name) => name.startsWith(id));
      await rm(folder, { recursive: true, force: true });
    }
  }
}

type Start = Awaited<ReturnType<Engine["setUp"]>> & {
  readonly folder: string;
  readonly log: string;
  readonly replicas: number;
};

/** Starts the processes at once. @returns what was used when the first one began */
async function start(
  meter: Meter,
  engine: Pick<Engine, "begins">,
  { folder, log, replicas, ...command }: Start,
  processes: EngineProcess[],
): Promise<Reading> {
  let begun: Reading | undefined;
  const one = async (replica: number): Promise<void> => {
    const scratch = join(folder, `tmp-${replica}`);
    await mkdir(scratch, { recursive: true });
    const env = { ...command.env, TMPDIR: scratch };
    const file = replica === 1 ? `${log}.log` : `${log}-${replica}.log`;
    const atBegin = (pid: number): void => void (begun ??= meter.read([pid]));
    processes.push(await startEngine({ ...command, env }, engine.begins, file, atBegin));
  };
  await Promise.all(Array.from({ length: replicas }, async (_, index) => await one(index + 1)));
  return begun ?? meter.read([]);
}
