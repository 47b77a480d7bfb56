import { randomBytes } from "node:crypto";
import type { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { OffsetOutOfRange, TopicMissing, TopicRecreated } from "@caudal/workloads/kafka/errors";
import { listOffsets, verifyPosition } from "@caudal/workloads/kafka/offsets";
import { TopicReader } from "@caudal/workloads/kafka/reader";
import { valueAt } from "@caudal/workloads/kafka/record-block";
import { createTopic, deleteTopic } from "@caudal/workloads/kafka/topics";
import { deleteRecordsV2 } from "@platformatic/kafka";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { poll } from "../../cluster/host/poll.ts";
import { type Broker, startBroker } from "../broker.ts";
import { kafkajs, metrics, newCluster, readToEnd } from "./fixtures.ts";

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

let made = 0;
async function newTopic(partitions = 1, config: Record<string, string> = {}): Promise<string> {
  const name = `reader-${++made}`;
  await createTopic(cluster, { name, partitions, config });
  return name;
}

async function produce(topic: string, messages: Parameters<Producer["send"]>[0]["messages"]): Promise<void> {
  // A broker on a busy machine may take a send and answer too late: it is sent again, and there once all the same.
  const producer = kafkajs(broker.bootstrap).producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  await producer.send({ topic, messages });
  await producer.disconnect();
}
type Producer = ReturnType<ReturnType<typeof kafkajs>["producer"]>;

function newReader(info: { name: string; topicId: string }): TopicReader {
  const reader = new TopicReader(cluster, info, { metrics, onProblem: () => undefined, maxWaitMs: 100 });
  onTestFinished(() => reader.close());
  return reader;
}

describe("what is read", () => {
  it("is every value as a line, with offsets and times, in the order of each partition", async () => {
    const topic = await newTopic(3);
    const messages = Array.from({ length: 900 }, (_, i) => ({
      partition: i % 3,
      key: `k${i}`,
      value: `{"i":${i}}`,
      timestamp: String(1_700_000_000_000 + i),
    }));
    await produce(topic, messages);
    const { rows, blocks, next } = await readToEnd(cluster, topic);
    for (let partition = 0; partition < 3; partition++) {
      const mine = rows.filter((row) => row.partition === partition);
      expect(mine.map(({ line }) => line)).toEqual(Array.from({ length: 300 }, (_, n) => `{"i":${n * 3 + partition}}`));
      expect(mine.map(({ offset }) => offset)).toEqual(Array.from({ length: 300 }, (_, n) => n));
      expect(next.get(partition)).toBe(300);
    }
    expect(blocks[0]?.timestamps[0]).toBe(1_700_000_000_000 + (blocks[0]?.partition ?? 0));
    expect(blocks[0]?.leaderEpoch).toBeGreaterThanOrEqual(0);
  });

  it("keeps one line a record for breaks, empty values and tombstones, and gives the record back as it was", async () => {
    const topic = await newTopic();
    const header = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", a: ["1", "2"] };
    await produce(topic, [
      { key: "a", value: '{"a":"x\r\ny"}' },
      { key: "b", value: "" },
      { key: null, value: null, headers: header },
      { key: Buffer.from([0, 255]), value: Buffer.from([0xff, 0x0a, 0x00]) },
    ]);
    const { rows, blocks } = await readToEnd(cluster, topic);
    expect(rows.map(({ line }) => line)).toEqual(['{"a":"x\r\ny"}', "", "", expect.any(String)]);
    const [block] = blocks;
    expect(block?.original(0).value?.toString()).toBe('{"a":"x\r\ny"}');
    expect(block?.original(1)).toMatchObject({ offset: 1, key: Buffer.from("b"), value: Buffer.alloc(0) });
    expect(block?.original(2)).toMatchObject({ key: null, value: null });
    expect(block?.original(2).headers.map(([name, value]) => `${name}=${value}`)).toEqual([
      `traceparent=${header.traceparent}`,
      "a=1",
      "a=2",
    ]);
    expect(block?.original(3)).toMatchObject({ key: Buffer.from([0, 255]), value: Buffer.from([0xff, 0x0a, 0x00]) });
    expect(block?.traceparents).toEqual([header.traceparent]);
  });

  it("is whole also where one value is larger than all limits of a fetch", async () => {
    const topic = await newTopic(2, { "max.message.bytes": "6000000" });
    const large = "x".repeat(3_000_000);
    await produce(topic, [
      { partition: 0, value: `"${large}"` },
      { partition: 1, value: `"${large}"` },
      { partition: 0, value: "1" },
      { partition: 1, value: "2" },
    ]);
    const { rows } = await readToEnd(cluster, topic, { maxBytes: 100_000, maxBytesPerPartition: 50_000 });
    expect(rows.map(({ line }) => line.length).sort()).toEqual([1, 1, 3_000_002, 3_000_002]);
  });

  it.each(["none", "gzip", "snappy", "lz4", "zstd"])(
    "is the same when Kafka's own producer packs it with %s",
    async (codec) => {
      const topic = await newTopic();
      const lines = Array.from({ length: 3_000 }, (_, i) => `{"i":${i},"text":"${randomBytes(20).toString("hex")}"}`);
      const options = ["--bootstrap-server", broker.bootstrap, "--topic", topic, "--compression-codec", codec];
      await broker.tool("org.apache.kafka.tools.ConsoleProducer", options, `${lines.join("\n")}\n`);
      const { rows, blocks } = await readToEnd(cluster, topic);
      expect(rows.map(({ line }) => line)).toEqual(lines);
      const last = blocks.at(-1);
      expect(last?.original(last.count - 1).value?.toString()).toBe(lines.at(-1));
    },
  );
});

describe("transactions", () => {
  it("shows what was committed, leaves out what was aborted, and ends at the first open one", async () => {
    const topic = await newTopic();
    const client = kafkajs(broker.bootstrap);
    const one = client.producer({ transactionalId: "one", maxInFlightRequests: 1, idempotent: true });
    const two = client.producer({ transactionalId: "two", maxInFlightRequests: 1, idempotent: true });
    await Promise.all([one.connect(), two.connect()]);
    onTestFinished(async () => void (await Promise.all([one.disconnect(), two.disconnect()])));
    const expected: string[] = [];
    for (let round = 0; round < 6; round++) {
      const [first, second] = [await one.transaction(), await two.transaction()];
      const send = async (transaction: typeof first, value: string): Promise<void> =>
        void (await transaction.send({ topic, messages: [{ value }] }));
      await send(first, `"one ${round}a"`);
      await send(second, `"two ${round}a"`);
      await send(first, `"one ${round}b"`);
      await send(second, `"two ${round}b"`);
      if (round % 2 === 0) await first.abort();
      else await first.commit();
      if (round % 3 === 0) await second.abort();
      else await second.commit();
      if (round % 2 !== 0) expected.push(`"one ${round}a"`, `"one ${round}b"`);
      if (round % 3 !== 0) expected.push(`"two ${round}a"`, `"two ${round}b"`);
    }
    const info = await cluster.topic(topic);
    const latest = async () => (await listOffsets(cluster, info, "latest")).get(0);
    // A transaction's end is in the log a moment after it was answered.
    await expect.poll(latest, { timeout: 120_000 }).toBe(36);
    const open = await one.transaction();
    await open.send({ topic, messages: [{ value: '"open"' }] });
    await produce(topic, [{ value: '"after"' }]);
    const { rows, next } = await readToEnd(cluster, topic);
    expect(rows.map(({ line }) => line).sort()).toEqual(expected.sort());
    expect(await latest()).toBe(36);
    expect(next.get(0)).toBe(36);

    const reader = newReader(info);
    reader.read({ partition: 0, offset: 36, epoch: -1 });
    expect((await reader.next(300)).blocks).toEqual([]);
    await open.abort();
    const rest = await poll(async () => (await reader.next(500)).blocks.find(({ nextOffset }) => nextOffset === 39), {
      seconds: 120,
      onTimeout: () => "the end of the transaction was not read",
    });
    expect(valueAt(rest, 0)?.toString()).toBe('"after"');
  });

  it("moves on through records that were all aborted", async () => {
    const topic = await newTopic();
    const producer = kafkajs(broker.bootstrap).producer({ transactionalId: "none", maxInFlightRequests: 1 });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value: "1" }, { value: "2" }] });
    await transaction.abort();
    await producer.disconnect();
    // The broker writes the end of the transaction a moment after it has agreed to it.
    await expect.poll(async () => (await readToEnd(cluster, topic)).next.get(0), { timeout: 120_000 }).toBe(3);
    expect((await readToEnd(cluster, topic)).rows).toEqual([]);
  });
});

describe("offsets", () => {
  it("go on across the gaps that compaction leaves", async () => {
    const topic = await newTopic(1, {
      "cleanup.policy": "compact",
      "segment.ms": "100",
      "min.cleanable.dirty.ratio": "0.01",
      "max.compaction.lag.ms": "100",
    });
    for (let round = 0; round < 20; round++)
      await produce(
        topic,
        Array.from({ length: 5 }, (_, i) => ({ key: `k${i}`, value: `${round}` })),
      );
    const { rows, next } = await poll(
      async () => {
        await produce(topic, [{ key: "roll", value: "0" }]);
        const read = await readToEnd(cluster, topic);
        return read.rows.length < 60 ? read : undefined;
      },
      { seconds: 120, everyMs: 500, onTimeout: () => "the cleaner removed nothing" },
    );
    const offsets = rows.map(({ offset }) => offset);
    expect(offsets).toEqual([...offsets].sort((one, other) => one - other));
    expect(next.get(0)).toBeGreaterThan(rows.length);
    expect(rows.filter(({ line }) => line === "19").length).toBe(5);
  });

  it("are never jumped over when the log no longer holds them", async () => {
    const topic = await newTopic();
    await produce(
      topic,
      Array.from({ length: 10 }, (_, i) => ({ value: String(i) })),
    );
    const info = await cluster.topic(topic);
    const removed = [{ name: topic, partitions: [{ partitionIndex: 0, offset: 6n }] }];
    await cluster.call("any", "control", "delete_records", async (connection) =>
      deleteRecordsV2.api.async(connection, removed, 10_000),
    );
    for (const [offset, what] of [
      [3, "retention removed 3 offsets"],
      [11, "the log was cut or replaced"],
    ] as const) {
      const reader = newReader(info);
      reader.read({ partition: 0, offset, epoch: -1 });
      const error = await nextError(reader);
      expect(error).toBeInstanceOf(OffsetOutOfRange);
      expect(error).toMatchObject({ offset, logStartOffset: 6, logEndOffset: 10, retryable: false });
      expect((error as Error).message).toContain(what);
      reader.read({ partition: 0, offset: 6, epoch: -1 });
      const { blocks } = await reader.next(5_000);
      expect(blocks[0]?.count).toBe(4);
    }
  });

  it("are checked against the leader's epochs", async () => {
    const topic = await newTopic();
    await produce(topic, [{ value: "1" }, { value: "2" }]);
    const info = await cluster.topic(topic);
    await verifyPosition(cluster, info, { partition: 0, offset: 2, epoch: 0 });
    await expect(verifyPosition(cluster, info, { partition: 0, offset: 5, epoch: 0 })).rejects.toMatchObject({
      reason: "LogTruncated",
      retryable: false,
    });
    const reader = newReader(info);
    reader.read({ partition: 0, offset: 2, epoch: 7 });
    expect(await nextError(reader)).toMatchObject({ reason: "LogTruncated" });
  });
});

describe("the topic", () => {
  it("that does not exist is an error that passes", async () => {
    await expect(cluster.topic("nobody-made-it")).rejects.toBeInstanceOf(TopicMissing);
  });

  it("that was deleted and made again is another one", async () => {
    const topic = await newTopic();
    await produce(topic, [{ value: "1" }]);
    const info = await cluster.topic(topic);
    const reader = newReader(info);
    reader.read({ partition: 0, offset: 0, epoch: -1 });
    expect((await reader.next(5_000)).blocks[0]?.count).toBe(1);
    await deleteTopic(cluster, topic);
    await poll(async () => ((await createTopic(cluster, { name: topic, partitions: 1 })) ? true : undefined), {
      seconds: 120,
      onTimeout: () => "the topic could not be made again",
    });
    await produce(topic, [{ value: "1" }, { value: "2" }, { value: "3" }]);
    expect(await nextError(reader)).toBeInstanceOf(TopicRecreated);
  });
});

async function nextError(reader: TopicReader): Promise<unknown> {
  return await poll(
    async () => {
      try {
        await reader.next(500);
        return undefined;
      } catch (error) {
        return error;
      }
    },
    { seconds: 120, everyMs: 10, onTimeout: () => "no error came" },
  );
}
