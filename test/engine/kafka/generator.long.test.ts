import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type StageStatus, type WorkloadConfig } from "@caudal/crds";
import type { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { partitionOf } from "@caudal/workloads/kafka/core/murmur2";
import { addPartitions, createTopic } from "@caudal/workloads/kafka/topics";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { poll } from "../../cluster/host/poll.ts";
import { type Broker, startBroker } from "../broker.ts";
import { newCluster, readToEnd } from "./fixtures.ts";
import { programFile } from "../../bundle.ts";

let broker: Broker;
let cluster: KafkaCluster;
let folder: string;

beforeAll(async () => {
  broker = await startBroker();
  cluster = newCluster(broker.bootstrap);
  folder = await mkdtemp(join(tmpdir(), "caudal-generator-"));
});

afterAll(async () => {
  await cluster?.close();
  await broker?.stop();
  await rm(folder, { recursive: true, force: true });
});

type Generator = NonNullable<WorkloadConfig["generator"]>;

function configOf(topic: string, generator: Partial<Generator>): WorkloadConfig {
  const fields = [
    { name: "n", type: "bigint", nullable: false },
    { name: "user_id", type: "string", nullable: false },
    { name: "score", type: "double", nullable: true },
  ];
  return {
    version: 1,
    pipeline: { namespace: "default", name: topic, uid: "u", generation: 3 },
    stage: { name: "events", role: "generator" },
    kafka: { bootstrapServers: [broker.bootstrap] },
    generator: {
      topic: { name: topic, key: "user_id", fields },
      count: 1,
      seed: 42,
      limit: 0,
      values: [
        { field: "n", sequence: { start: 0, step: 1 } },
        { field: "user_id", choice: { from: 50, prefix: "u", distribution: "uniform" } },
        { field: "score", uniform: { min: 0, max: 1 }, nulls: 0.2 },
      ],
      ...generator,
    },
  };
}

interface Running {
  readonly status: () => Promise<StageStatus | undefined>;
  readonly get: (path: string) => Promise<{ status: number; text: string }>;
  readonly kill: (signal: NodeJS.Signals) => Promise<number | null>;
  readonly log: () => string;
}

async function start(config: WorkloadConfig): Promise<Running> {
  const file = join(folder, `${config.pipeline.name}.json`);
  await writeFile(file, JSON.stringify(config));
  const child = spawn(process.execPath, [programFile("main"), "generator", "--config", file], {
    env: { ...process.env, CAUDAL_HTTP_PORT: "0", CAUDAL_FAILED_SECONDS: "3" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => void (said += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => void (said += chunk));
  const exited = once(child, "exit");
  onTestFinished(() => void child.kill("SIGKILL"));
  const get = async (path: string): Promise<{ status: number; text: string }> => {
    const port = /"port":(\d+)/.exec(said)?.[1] ?? expect.fail(`it does not listen yet:\n${said}`);
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  return {
    get,
    status: async () => {
      try {
        return JSON.parse((await get("/status")).text) as StageStatus;
      } catch {
        return undefined;
      }
    },
    kill: async (signal) => {
      child.kill(signal);
      const [code] = (await exited) as [number | null];
      return code;
    },
    log: () => said,
  };
}

async function untilState(running: Running, state: StageStatus["state"], seconds = 30): Promise<StageStatus> {
  return await poll(
    async () => {
      const status = await running.status();
      return status?.state === state ? status : undefined;
    },
    { seconds, everyMs: 100, onTimeout: () => `never ${state}:\n${running.log()}` },
  );
}

interface Made {
  readonly n: number;
  readonly user_id: string;
  readonly score: number | null;
}

async function eventsOf(topic: string): Promise<{ made: Made[]; lines: string[]; partitions: number[] }> {
  const { rows } = await readToEnd(cluster, topic);
  return {
    made: rows.map(({ line }) => JSON.parse(line) as Made),
    lines: rows.map(({ line }) => line),
    partitions: rows.map(({ partition }) => partition),
  };
}

describe("a generator with a limit", () => {
  it("makes exactly its events, once, spread by key, and stays ready when it has completed", async () => {
    await createTopic(cluster, { name: "limited", partitions: 3 });
    const running = await start(configOf("limited", { rate: 20_000, limit: 10_001 }));
    const status = await untilState(running, "Completed");
    expect(status).toMatchObject({ generation: 3, events: 10_001, deadLetters: 0 });
    expect((await running.get("/readyz")).status).toBe(200);
    expect((await running.get("/metrics")).text).toMatch(
      /caudal_events_total\{topic="limited",namespace="default",pipeline="limited",stage="events",role="generator"\} 10001/,
    );
    expect(await running.kill("SIGTERM")).toBe(0);
    const { made, partitions } = await eventsOf("limited");
    expect(made.map(({ n }) => n).sort((one, other) => one - other)).toEqual(
      Array.from({ length: 10_001 }, (_, i) => i),
    );
    made.forEach(({ user_id }, i) => expect(partitions[i]).toBe(partitionOf(Buffer.from(user_id), 3)));
    expect(made.filter(({ score }) => score === null).length / made.length).toBeCloseTo(0.2, 1);
  });

  it("goes on where it was after a stop and after SIGKILL, with the same values and at most a second twice", async () => {
    await createTopic(cluster, { name: "resumed", partitions: 2 });
    const config = configOf("resumed", { rate: 2_000, limit: 8_000 });
    const eventsIn = async (running: Running, least: number): Promise<unknown> =>
      await poll(async () => (((await running.status())?.events ?? 0) >= least ? true : undefined), {
        seconds: 120,
        everyMs: 50,
        onTimeout: () => `fewer than ${least} events:\n${running.log()}`,
      });
    const first = await start(config);
    await eventsIn(first, 1_000);
    expect(await first.kill("SIGTERM")).toBe(0);
    const stopped = (await eventsOf("resumed")).made.length;
    const second = await start(config);
    await eventsIn(second, 2_500);
    await second.kill("SIGKILL");
    await addPartitions(cluster, "resumed", 4);
    const third = await start(config);
    await untilState(third, "Completed", 60);
    expect(await third.kill("SIGTERM")).toBe(0);
    const { made, lines } = await eventsOf("resumed");
    expect(new Set(made.map(({ n }) => n)).size).toBe(8_000);
    expect(new Set(lines).size).toBe(8_000);
    expect(stopped).toBeGreaterThanOrEqual(1_000);
    expect(lines.length - 8_000).toBeLessThan(2_000 * 1.5);
  });
});

describe("the pace", () => {
  it("is a rate that replicas share, within one per cent", async () => {
    await createTopic(cluster, { name: "paced", partitions: 4 });
    const config = configOf("paced", { rate: 3_000 });
    const replicas = [await start(config), await start(config)];
    const ready = async (): Promise<true | undefined> => {
      const all = await Promise.all(replicas.map(async (one) => (await one.status())?.events ?? 0));
      return all.every((events) => events > 200) ? true : undefined;
    };
    await poll(ready, { seconds: 120, everyMs: 100, onTimeout: () => "not both make events" });
    const total = async (): Promise<{ events: number; at: number }> => {
      const all = await Promise.all(replicas.map(async (one) => await one.status()));
      return { events: all.reduce((sum, one) => sum + (one?.events ?? 0), 0), at: performance.now() };
    };
    // A busy machine makes the replicas late, and then they catch up: a window without that shows the pace.
    let before = await total();
    const seen: number[] = [];
    await poll(
      async () => {
        const after = await total();
        if (after.at - before.at < 8_000) return undefined;
        seen.push((after.events - before.events) / ((after.at - before.at) / 1_000) / 3_000);
        before = after;
        return Math.abs((seen.at(-1) ?? 0) - 1) <= 0.01 ? true : undefined;
      },
      { seconds: 120, everyMs: 500, onTimeout: () => `of the rate, in windows of 8 s: ${seen.join(", ")}` },
    );
    await Promise.all(replicas.map(async (one) => await one.kill("SIGTERM")));
  });

  it("is a burst of count events every interval", async () => {
    await createTopic(cluster, { name: "bursts", partitions: 3 });
    const running = await start(configOf("bursts", { interval: "1s", count: 50 }));
    await poll(async () => (((await running.status())?.events ?? 0) >= 150 ? true : undefined), {
      seconds: 120,
      everyMs: 20,
      onTimeout: () => running.log(),
    });
    await running.kill("SIGTERM");
    const { rows, blocks } = await readToEnd(cluster, "bursts");
    expect(rows.length % 50).toBe(0);
    const times = blocks.flatMap(({ timestamps }) => [...timestamps]).sort((one, other) => one - other);
    for (let burst = 0; burst + 1 < times.length / 50; burst++) {
      expect((times[burst * 50 + 49] ?? 0) - (times[burst * 50] ?? 0)).toBeLessThan(500);
      expect((times[(burst + 1) * 50] ?? 0) - (times[burst * 50] ?? 0)).toBeGreaterThan(700);
    }
  });
});

describe("what is wrong", () => {
  it("with a faker name ends with code 2, names near, and a status that says so", async () => {
    const values = [{ field: "user_id", fake: "person.fulName" }];
    const running = await start(configOf("limited", { rate: 1, values }));
    const status = await untilState(running, "Failed");
    expect(status.error).toMatchObject({
      reason: "ConfigInvalid",
      message: expect.stringContaining("person.fullName"),
    });
    expect(await running.kill("SIGCONT")).toBe(2);
  });

  it("with the broker is waited for: alive, not ready, and at work when it is back", async () => {
    await createTopic(cluster, { name: "outage", partitions: 1 });
    await broker.kill();
    const running = await start(configOf("outage", { rate: 100, limit: 100 }));
    const status = await poll(
      async () => {
        const now = await running.status();
        return now?.error === undefined ? undefined : now;
      },
      { seconds: 120, onTimeout: () => running.log() },
    );
    expect(status.error?.reason).toBe("KafkaUnavailable");
    expect((await running.get("/livez")).status).toBe(200);
    expect((await running.get("/readyz")).status).toBe(503);
    await broker.restart();
    expect(await untilState(running, "Completed", 60)).not.toHaveProperty("error");
    expect(await running.kill("SIGTERM")).toBe(0);
  });
});
