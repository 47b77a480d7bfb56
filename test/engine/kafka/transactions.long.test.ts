import { BatchEncoder } from "@caudal/workloads/kafka/batch-encoder";
import type { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { ProducerFenced, RecordTooLarge } from "@caudal/workloads/kafka/errors";
import { Group } from "@caudal/workloads/kafka/group";
import { takeOver } from "@caudal/workloads/kafka/take-over";
import { type TopicBatches, TransactionalWriter } from "@caudal/workloads/kafka/transactions";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../broker.ts";
import { createReadyTopic, newCluster, readToEnd, untilGroups } from "./fixtures.ts";

let broker: Broker;
let cluster: KafkaCluster;
let name: string;
let count = 0;

beforeAll(async () => {
  broker = await startBroker();
  cluster = newCluster(broker.bootstrap);
  await untilGroups(cluster);
});
afterAll(async () => {
  await cluster?.close();
  await broker?.stop();
});
beforeEach(async () => {
  name = `tx${++count}`;
  await createReadyTopic(cluster, { name, partitions: 2, config: { "max.message.bytes": "20000" } });
});

const batches = (...values: readonly string[]): TopicBatches => {
  const encoders = new Map<number, BatchEncoder>();
  for (const [index, value] of values.entries()) {
    const encoder = encoders.get(index % 2) ?? new BatchEncoder(128);
    encoder.append(1_700_000_000_000, `key ${index % 2}`, value);
    encoders.set(index % 2, encoder);
  }
  return new Map([[name, encoders]]);
};
const place = (offset: number) => ({ group: name, topic: name, partition: 0, offset, metadata: "m" });
const open = async (other = cluster): Promise<TransactionalWriter> => await TransactionalWriter.open(other, name);
/** What is on the topic when it has as many records: Kafka's commit returns before readers see what it holds. */
const values = async (count: number): Promise<string[]> => {
  const read = async () => (await readToEnd(cluster, name)).rows.map(({ line }) => line).sort();
  await expect.poll(async () => (await read()).length, { timeout: 120_000 }).toBeGreaterThanOrEqual(count);
  return await read();
};
const kept = async (): Promise<number | undefined> =>
  (await new Group(cluster, { groupId: name, topic: name, sessionMs: 0, rebalanceMs: 0 }).committed([0])).get(0)
    ?.offset;

describe("a transaction", () => {
  it("holds records of several partitions and the place, one after another", async () => {
    const writer = await open();
    for (let turn = 1; turn <= 20; turn++) await writer.write(batches(`${turn} a`, `${turn} b`), place(turn));
    expect((await values(40)).length).toBe(40);
    expect(await kept()).toBe(20);
  });

  it("of an earlier writer that did not end is undone, its place with it, when another one opens", async () => {
    const writer = await open();
    await writer.write(batches("before"), place(1));
    // Larger than the topic takes: one partition is written, the other refused, and the end never comes.
    await expect(writer.write(batches("torn", "x".repeat(30_000)), place(2))).rejects.toBeInstanceOf(RecordTooLarge);
    await expect(writer.write(batches("more"), place(3))).rejects.toThrow("open it anew");
    const next = await open();
    expect(await kept()).toBe(1);
    await next.write(batches("after"), place(4));
    expect(await values(2)).toEqual(["after", "before"]);
  });

  it("of a writer that was replaced is refused, whatever it had begun", async () => {
    const zombie = await open();
    await zombie.write(batches("first"), place(1));
    const other = newCluster(broker.bootstrap);
    const next = await open(other);
    await expect(zombie.write(batches("zombie"), place(2))).rejects.toBeInstanceOf(ProducerFenced);
    await next.write(batches("second"), place(3));
    await other.close();
    expect(await values(2)).toEqual(["first", "second"]);
    expect(await kept()).toBe(3);
  });

  it("is whole or not at all, and the place says which, when the broker is killed in the middle again and again", async () => {
    let next = 1;
    let kills = 0;
    const at = { group: name, topic: name, partition: 0 };
    let writer: TransactionalWriter | undefined;
    const killing = (async () => {
      for (; kills < 3; kills++) {
        await new Promise((resolve) => setTimeout(resolve, 700));
        await broker.kill();
        await broker.restart();
      }
    })();
    while (kills < 3 || next <= 60) {
      try {
        if (writer === undefined) {
          const taken = await takeOver(cluster, { transactionalId: name, place: at, topics: [name] });
          writer = taken.writer;
          next = (taken.place?.offset ?? 0) + 1;
        }
        await writer.write(batches(`a ${next}`, `b ${next}`), place(next));
        next++;
      } catch {
        writer = undefined;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
    await killing;
    const all = Array.from({ length: next - 1 }, (_, index) => [`a ${index + 1}`, `b ${index + 1}`]).flat();
    expect(await values(all.length)).toEqual(all.sort());
  });
});
