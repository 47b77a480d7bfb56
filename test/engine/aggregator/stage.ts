/** A stage under test: its configuration, and worker processes that run the real role. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StageStatus, WorkloadConfig } from "@caudal/crds";
import { CommandFailed } from "../../cluster/host/errors.ts";
import { poll } from "../../cluster/host/poll.ts";
import type { Broker } from "../broker.ts";
import { programFile } from "../../bundle.ts";
import type { Database } from "../postgres.ts";
import { tables } from "./expected.ts";

export interface StageOptions {
  readonly broker: Broker;
  readonly secret: string;
  readonly topic: string;
  readonly pipeline?: Partial<WorkloadConfig["pipeline"]>;
  readonly stage?: string;
  readonly aggregator?: Partial<NonNullable<WorkloadConfig["aggregator"]>>;
}

export function stageConfig(options: StageOptions): WorkloadConfig {
  return {
    version: 1,
    pipeline: { namespace: "shop", name: "events", uid: "first", generation: 1, ...options.pipeline },
    stage: { name: options.stage ?? `metrics-${options.topic}`, role: "aggregator" },
    kafka: { bootstrapServers: [options.broker.bootstrap] },
    database: { secret: options.secret },
    aggregator: {
      topic: {
        name: options.topic,
        timestamp: "event_ts",
        fields: [
          { name: "event_id", type: "uuid", nullable: false },
          { name: "user_id", type: "string", nullable: true },
          { name: "event_type", type: "string", nullable: true },
          { name: "event_ts", type: "timestamp", nullable: false },
          { name: "points", type: "integer", nullable: true },
          { name: "waiting_time_ms", type: "double", nullable: true },
        ],
      },
      watermark: { maxDelayMs: 10_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 },
      lateEvents: "Update",
      deadLetterTopic: `${options.topic}-dlq`,
      tables: tables.map((table) => ({ ...table, groupBy: [...table.groupBy], aggregates: [...table.aggregates] })),
      replicas: 2,
      ...options.aggregator,
    },
  };
}

export interface Worker {
  readonly pid: number;
  readonly log: () => string;
  /** Resolves when it serves its status; rejects when it ends before, or takes too long. */
  readonly started: Promise<void>;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  status(): Promise<StageStatus>;
  /** Status code and text of /readyz, /livez and the like; /metrics' text. */
  get(path: string): Promise<{ readonly status: number; readonly text: string }>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, also of a stopped process. */
  kill(): Promise<void>;
  /** SIGTERM. @returns the exit code */
  drain(): Promise<number | null>;
}

/** Processes that are still alive; a failed test leaves none behind. */
const living = new Set<ChildProcess>();

export async function killWorkers(): Promise<void> {
  await Promise.all([...living].map(end));
}

export interface WorkerOptions {
  /** Arguments of Node itself. */
  readonly node?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The file of another program than the bundled workloads, with the same arguments. */
  readonly program?: string;
  /** A command that starts Node, such as one that limits it. */
  readonly through?: readonly string[];
}

/** A worker that has started. */
export async function startWorker(config: WorkloadConfig, options: WorkerOptions = {}): Promise<Worker> {
  const worker = spawnWorker(config, options);
  await worker.started;
  return worker;
}

/** A worker that may still have to start. */
export function spawnWorker(config: WorkloadConfig, options: WorkerOptions = {}): Worker {
  const { node = [], env = {}, through = [] } = options;
  const folder = mkdtempSync(join(tmpdir(), "caudal-worker-"));
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify(config));
  const program = options.program ?? programFile("main");
  const { role } = config.stage;
  const [command = "", ...args] = [...through, process.execPath, ...node, program, role, "--config", file];
  const child = spawn(command, args, {
    env: { ...process.env, CAUDAL_HTTP_PORT: "0", LOG_LEVEL: "info", CAUDAL_FAILED_SECONDS: "3", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  living.add(child);
  const withUs = (): void => void child.kill("SIGKILL");
  process.once("exit", withUs);
  const exited = once(child, "exit").then(() => {
    living.delete(child);
    process.off("exit", withUs);
    rmSync(folder, { recursive: true, force: true });
    return { code: child.exitCode, signal: child.signalCode };
  });
  let log = "";
  const take = (chunk: string): void => {
    log = (log + chunk).slice(-200_000);
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  let port = "";
  const serves = async (): Promise<true | undefined> => {
    if (isOver(child)) throw new CommandFailed(`node main.ts ${config.stage.role}`, child.exitCode, log);
    port ||= /"port":(\d+)/.exec(log)?.[1] ?? "";
    return await Promise.resolve(port === "" ? undefined : true);
  };
  const started = poll(serves, {
    seconds: 120,
    everyMs: 50,
    onTimeout: () => `the worker did not start:\n${log}`,
  }).then(() => undefined);
  started.catch(() => undefined); // told to those who wait for it
  const get = async (path: string) => {
    if (isOver(child)) throw new CommandFailed(`node main.ts ${config.stage.role}`, child.exitCode, log);
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(30_000) });
    return { status: response.status, text: await response.text() };
  };
  return {
    pid: child.pid ?? 0,
    log: () => log,
    started,
    exited,
    get,
    status: async () => JSON.parse((await get("/status")).text) as StageStatus,
    signal: (signal) => void child.kill(signal),
    kill: async () => await end(child),
    drain: async () => {
      if (!isOver(child)) child.kill("SIGTERM");
      return (await exited).code;
    },
  };
}

function isOver({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function end(child: ChildProcess): Promise<void> {
  if (isOver(child)) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** Waits until every table has committed all of the log. @param outputs where the stage has not all tables */
export async function untilDone(
  database: Database,
  topic: string,
  ends: ReadonlyMap<number, number>,
  seconds = 60,
  outputs: readonly string[] = tables.map(({ name }) => name),
): Promise<void> {
  const behind = async (): Promise<string[]> => {
    const rows = await database.query<{ output: string; partition: number; next_offset: string }>(
      "select output, partition, next_offset from caudal.progress where topic = $1",
      [topic],
    );
    return outputs.flatMap((name) =>
      [...ends].flatMap(([partition, end]) => {
        const row = rows.find((candidate) => candidate.output === name && candidate.partition === partition);
        return Number(row?.next_offset ?? 0) >= end
          ? []
          : [`${name}/${partition} ${row?.next_offset ?? "-"} of ${end}`];
      }),
    );
  };
  await poll(
    async () => {
      try {
        return (await behind()).length === 0 ? true : undefined;
      } catch (error) {
        // PostgreSQL is being restarted, or the worker has not made its schema yet.
        if (error instanceof Error) return undefined;
        throw error;
      }
    },
    { seconds, everyMs: 100, onTimeout: async () => `not committed to the end: ${(await behind()).join(", ")}` },
  );
}

/** Offsets that the slowest table has committed, over all partitions. */
export async function committedEvents(database: Database, topic: string): Promise<number> {
  const [exists] = await database.query<{ there: boolean }>(
    "select to_regclass('caudal.progress') is not null as there",
  );
  if (exists?.there !== true) return 0;
  const [row] = await database.query<{ committed: string | null }>(
    "select min(committed) as committed from (select sum(next_offset) as committed from caudal.progress where topic = $1 group by output) t",
    [topic],
  );
  return Number(row?.committed ?? 0);
}
