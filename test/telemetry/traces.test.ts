/** Traces of generator and aggregator, from a real broker and a real PostgreSQL to a collector. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkloadConfig } from "@caudal/crds";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { poll } from "../cluster/host/poll.ts";
import { type Broker, startBroker } from "../engine/broker.ts";
import { type Postgres, startPostgres } from "../engine/postgres.ts";
import { type CollectedSpan, type Collector, startCollector } from "./collector.ts";
import { startWorkload, type Workload } from "./workload.ts";

const kind = { producer: 4, consumer: 5 };
let folder: string;
let collector: Collector;
let broker: Broker;
let postgres: Postgres;
const running: Workload[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "caudal-telemetry-"));
  [collector, broker, postgres] = await Promise.all([startCollector(), startBroker(), startPostgres()]);
  const admin = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({
    topics: ["traced", "untraced", "foreign", "flushed", "letters"].map((topic) => ({ topic, numPartitions: 1 })),
  });
  await admin.disconnect();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "100" };
  running.push(
    await startWorkload(generator("traced"), folder, env),
    await startWorkload(generator("untraced"), folder, {}),
    await startWorkload(await aggregator("traced"), folder, env),
    await startWorkload(await aggregator("foreign"), folder, env),
  );
});

afterAll(async () => {
  await Promise.allSettled(running.map(async (workload) => await workload.stop()));
  await Promise.all([collector.stop(), broker.stop(), postgres.stop()]);
  await rm(folder, { recursive: true, force: true });
});

describe("traces", () => {
  it("arrive from the generator as spans of a producer that name the topic", async () => {
    const span = await arrived("caudal-generator", ({ kind: is }) => is === kind.producer);
    expect(span.attributes).toMatchObject({ "messaging.system": "kafka", "messaging.destination.name": "traced" });
    expect(span.status).toBe(0);
    expect(span.durationNs).toBeGreaterThan(0n);
  });

  it("travel with each event in the header traceparent", async () => {
    const headers = await traceparents("traced", 5);
    expect(headers).toHaveLength(5);
    for (const header of headers) {
      expect(header).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      const [, traceId, spanId] = header?.split("-") ?? [];
      await arrived("caudal-generator", (span) => span.traceId === traceId && span.spanId === spanId);
    }
  });

  it("lead from the aggregator's commit back to the spans that sent its events", async () => {
    const commit = await arrived("caudal-aggregator", ({ name, links }) => name === "commit" && links.length > 0);
    expect(commit.attributes["caudal.events"]).toBeGreaterThan(0);
    expect(commit.attributes["caudal.tables"]).toBe(1);
    for (const { traceId, spanId } of commit.links)
      await arrived("caudal-generator", (span) => span.traceId === traceId && span.spanId === spanId);
  });

  it("are off, headers and all, for a process that is given no endpoint", async () => {
    expect(await traceparents("untraced", 5)).toEqual(Array.from({ length: 5 }, () => undefined));
    const topics = collector.spans.map(({ attributes }) => attributes["messaging.destination.name"]);
    expect(topics).toContain("traced");
    expect(topics).not.toContain("untraced");
  });

  it("lead back to any producer that brings the header", async () => {
    const [traceId, spanId] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
    const producer = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    const value = JSON.stringify({ id: "00000000-0000-4000-8000-000000000001", at: Date.now() });
    const headers = { other: "x", traceparent: `00-${traceId}-${spanId}-01` };
    await producer.send({ topic: "foreign", messages: [{ value, headers }, { value }] });
    await producer.disconnect();
    const commit = await arrived("caudal-aggregator", ({ links }) => links.some((link) => link.traceId === traceId));
    expect(commit.links).toEqual([{ traceId, spanId }]);
    expect(commit.attributes["caudal.events"]).toBe(2);
  });

  it("are flushed when the process is asked to stop", async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "600000" };
    const workload = await startWorkload(generator("flushed"), folder, env);
    running.push(workload);
    await traceparents("flushed", 1);
    const ofIt = ({ attributes }: CollectedSpan): boolean => attributes["messaging.destination.name"] === "flushed";
    expect(collector.spans.filter(ofIt)).toEqual([]);
    await workload.stop();
    running.splice(running.indexOf(workload), 1);
    expect(collector.spans.filter(ofIt)).not.toEqual([]);
  });
});

async function arrived(service: string, match: (span: CollectedSpan) => boolean): Promise<CollectedSpan> {
  const ask = (): Promise<CollectedSpan | undefined> =>
    Promise.resolve(collector.spans.find((span) => span.resource["service.name"] === service && match(span)));
  return await poll(ask, {
    seconds: 120,
    onTimeout: () => {
      const seen = collector.spans.map(
        ({ resource, name, kind: is }) => `${resource["service.name"]}: ${name} (${is})`,
      );
      const logs = running.map((workload) => workload.log().slice(-1500)).join("\n\n");
      return `no such span came from ${service}; what came: ${[...new Set(seen)].join(", ") || "nothing"}\n${logs}`;
    },
  });
}

/** The header of the first records of a topic. */
async function traceparents(topic: string, count: number): Promise<(string | undefined)[]> {
  const kafka = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `telemetry-test-${topic}` });
  const headers: (string | undefined)[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message }) => {
        headers.push(message.headers?.["traceparent"]?.toString());
        return Promise.resolve();
      },
    });
    await poll(() => Promise.resolve(headers.length >= count ? true : undefined), {
      seconds: 120,
      onTimeout: () =>
        `${topic} has ${headers.length} records; ${running.map((workload) => workload.log().slice(-1500)).join("\n")}`,
    });
    return headers.slice(0, count);
  } finally {
    await consumer.disconnect();
  }
}

function common(
  stage: string,
  role: "generator" | "aggregator",
): Pick<WorkloadConfig, "version" | "pipeline" | "stage" | "kafka"> {
  return {
    version: 1,
    pipeline: { namespace: "default", name: "telemetry", uid: "5e9ec7ad-0000-4000-8000-000000000000", generation: 1 },
    stage: { name: stage, role },
    kafka: { bootstrapServers: [broker.bootstrap] },
  };
}

function topic(name: string): NonNullable<WorkloadConfig["generator"]>["topic"] {
  return {
    name,
    timestamp: "at",
    fields: [
      { name: "id", type: "uuid", nullable: false },
      { name: "at", type: "timestamp", nullable: false },
    ],
  };
}

function generator(name: string): WorkloadConfig {
  const values = [{ field: "at", now: {} }];
  return {
    ...common(`generator-${name}`, "generator"),
    generator: { topic: topic(name), interval: "500ms", count: 5, seed: 1, limit: 0, values },
  };
}

async function aggregator(name: string): Promise<WorkloadConfig> {
  const { secret } = await postgres.database(`telemetry_${name}`);
  return {
    ...common(`counts-${name}`, "aggregator"),
    database: { secret },
    aggregator: {
      topic: topic(name),
      watermark: { maxDelayMs: 1000, idleTimeoutMs: 5000, maxAheadMs: 60_000 },
      lateEvents: "Update",
      deadLetterTopic: "letters",
      tables: [{ name: "counts", window: { tumbling: { size: "1m" } }, groupBy: [], aggregates: ["count(*) as n"] }],
      replicas: 1,
    },
  };
}
