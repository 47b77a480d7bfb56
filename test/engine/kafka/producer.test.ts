import { BatchEncoder } from "@caudal/workloads/kafka/batch-encoder";
import type { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { type DeadLetter, sendDeadLetters } from "@caudal/workloads/kafka/dead-letters";
import { RecordTooLarge } from "@caudal/workloads/kafka/errors";
import { Producer } from "@caudal/workloads/kafka/producer";
import { createTopic } from "@caudal/workloads/kafka/topics";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../broker.ts";
import { metrics, newCluster, readToEnd } from "./fixtures.ts";

let broker: Broker;
let cluster: KafkaCluster;

beforeAll(async () => {
  broker = await startBroker();
  cluster = newCluster(broker.bootstrap);
});

afterAll(async () => {
  await cluster?.close();
  await broker?.stop();
});

function batchOf(values: readonly string[]): BatchEncoder {
  const batch = new BatchEncoder(128);
  values.forEach((value, i) => batch.append(1_700_000_000_000 + i * 1000, `key ${i}`, value, [["h", `${i}`]]));
  return batch;
}

describe("the producer", () => {
  it("writes batches that read back the same, in the order of its calls", async () => {
    await createTopic(cluster, { name: "written", partitions: 2 });
    const producer = new Producer(cluster, { metrics, onProblem: () => undefined });
    await Promise.all([
      producer.send(
        "written",
        new Map([
          [0, batchOf(["1", "2"])],
          [1, batchOf(["a", "ä"])],
        ]),
      ),
      producer.send("written", new Map([[0, batchOf(["3"])]])),
    ]);
    const { rows, blocks } = await readToEnd(cluster, "written");
    const of = (partition: number): string[] =>
      rows.filter((row) => row.partition === partition).map((row) => row.line);
    expect(of(0)).toEqual(["1", "2", "3"]);
    expect(of(1)).toEqual(["a", "ä"]);
    const block = blocks.find(({ partition }) => partition === 1);
    expect(block?.original(1)).toMatchObject({ key: Buffer.from("key 1"), timestamp: 1_700_000_001_000 });
    expect(block?.original(1).headers).toEqual([["h", Buffer.from("1")]]);
  });

  it("writes each batch once, whatever becomes of the broker meanwhile", async () => {
    await createTopic(cluster, { name: "once", partitions: 1 });
    const problems: unknown[] = [];
    const producer = new Producer(cluster, { metrics, onProblem: (error) => void problems.push(error) });
    const total = 60;
    const sending = (async () => {
      for (let i = 0; i < total; i++) {
        await producer.send("once", new Map([[0, batchOf([String(i)])]]));
        if (i === 20) disturb.resolve();
      }
    })();
    await disturb.promise;
    await broker.kill();
    await broker.restart();
    await sending;
    const { rows } = await readToEnd(cluster, "once");
    expect(rows.map(({ line }) => Number(line))).toEqual(Array.from({ length: total }, (_, i) => i));
    expect(problems.length).toBeGreaterThan(0);
  });

  it("says so when a batch is larger than the topic takes, and goes on with the next", async () => {
    await createTopic(cluster, { name: "small", partitions: 1, config: { "max.message.bytes": "2000" } });
    const producer = new Producer(cluster, { metrics, onProblem: () => undefined });
    await expect(producer.send("small", new Map([[0, batchOf(["x".repeat(3000)])]]))).rejects.toBeInstanceOf(
      RecordTooLarge,
    );
    await producer.send("small", new Map([[0, batchOf(["fits"])]]));
    expect((await readToEnd(cluster, "small")).rows.map(({ line }) => line)).toEqual(["fits"]);
  });
});

describe("dead letters", () => {
  const target = { deadLetterTopic: "dead", pipeline: "default/app-events", stage: "metrics" };
  const letter = (offset: number, value: Buffer | null, more: Partial<DeadLetter["record"]> = {}): DeadLetter => ({
    topic: "app-events",
    topicId: "11111111-2222-3333-4444-555555555555",
    partition: 4,
    record: { offset, timestamp: 1_700_000_000_123, key: null, value, headers: [], ...more },
    reason: "MalformedJson",
    detail: "not JSON",
  });

  it("are the records as they were, with where they came from and why", async () => {
    await createTopic(cluster, { name: "dead", partitions: 1 });
    const producer = new Producer(cluster, { metrics, onProblem: () => undefined });
    const headers = [
      ["caudal-reason", Buffer.from("old")],
      ["note", null],
    ] as const;
    await sendDeadLetters(
      cluster,
      producer,
      target,
      [
        letter(7, Buffer.from("{\n")),
        letter(8, null, { key: Buffer.from([0]) }),
        { ...letter(9, Buffer.from("{}"), { headers }), tables: ["a", "b"] },
      ],
      1_700_000_100_000,
    );
    const { blocks } = await readToEnd(cluster, "dead");
    const records = blocks.flatMap((block) => Array.from({ length: block.count }, (_, row) => block.original(row)));
    expect(records.map(({ value }) => value?.toString())).toEqual(["{\n", undefined, "{}"]);
    expect(records[1]?.key).toEqual(Buffer.from([0]));
    expect(texts(records[2]?.headers ?? [])).toEqual({
      note: null,
      "caudal-reason": "MalformedJson",
      "caudal-detail": "not JSON",
      "caudal-topic": "app-events",
      "caudal-topic-id": "11111111-2222-3333-4444-555555555555",
      "caudal-partition": "4",
      "caudal-offset": "9",
      "caudal-timestamp": "1700000000123",
      "caudal-pipeline": "default/app-events",
      "caudal-stage": "metrics",
      "caudal-tables": "a,b",
    });
  });

  it("are cut when the topic does not take them whole, and never stop the pipeline", async () => {
    await createTopic(cluster, { name: "dead-small", partitions: 1, config: { "max.message.bytes": "4000" } });
    const producer = new Producer(cluster, { metrics, onProblem: () => undefined });
    await sendDeadLetters(
      cluster,
      producer,
      { ...target, deadLetterTopic: "dead-small" },
      [
        letter(1, Buffer.from("small")),
        letter(2, Buffer.alloc(10_000, "x")),
        letter(3, Buffer.alloc(1_500, "y")),
        letter(4, Buffer.from("z"), { key: Buffer.alloc(9_000, "k") }),
      ],
      1_700_000_100_000,
    );
    const { blocks } = await readToEnd(cluster, "dead-small");
    const records = blocks.flatMap((block) => Array.from({ length: block.count }, (_, row) => block.original(row)));
    const seen = records
      .map(({ value, headers, key }) => ({
        ...texts(headers),
        offset: Number(texts(headers)["caudal-offset"]),
        bytes: value?.length,
        key: key?.length,
      }))
      .sort((one, other) => one.offset - other.offset);
    expect(seen).toMatchObject([
      { offset: 1, bytes: 5 },
      { offset: 2, bytes: 2_500, "caudal-truncated": "true", "caudal-original-size": "10000" },
      { offset: 3, bytes: 1_500 },
      { offset: 4, bytes: 0, key: 1024, "caudal-truncated": "true", "caudal-original-size": "1" },
    ]);
    expect(seen[0]).not.toHaveProperty("caudal-truncated");
  });
});

const disturb = Promise.withResolvers<void>();

function texts(headers: readonly (readonly [string, Buffer | null])[]): Record<string, string | null> {
  return Object.fromEntries(headers.map(([name, value]) => [name, value?.toString() ?? null]));
}
