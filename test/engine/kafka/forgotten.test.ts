import {
  addOffsetsToTxnV3,
  addPartitionsToTxnV3,
  type Connection,
  describeTransactionsV0,
  endTxnV3,
  txnOffsetCommitV3,
} from "@platformatic/kafka";
import { BatchEncoder } from "@caudal/workloads/kafka/batch-encoder";
import type { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { RecordTooLarge } from "@caudal/workloads/kafka/errors";
import { endForgotten } from "@caudal/workloads/kafka/forgotten";
import { Group } from "@caudal/workloads/kafka/group";
import { produce } from "@caudal/workloads/kafka/produce";
import { takeOver, takeOverPlaces } from "@caudal/workloads/kafka/take-over";
import { openTransactions } from "@caudal/workloads/kafka/transaction-states";
import { type TransactionEnd, TransactionalWriter } from "@caudal/workloads/kafka/transactions";
import { retry } from "@caudal/workloads/runtime/retry";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../broker.ts";
import { createReadyTopic, newCluster, readToEnd, untilGroups } from "./fixtures.ts";

let broker: Broker;
let cluster: KafkaCluster;
let name: string;
let count = 0;

beforeAll(async () => {
  // A broker that takes records of partitions that the transaction's coordinator was not told of gives them no end.
  broker = await startBroker({ properties: { "transaction.partition.verification.enable": "false" } });
  cluster = newCluster(broker.bootstrap);
  await untilGroups(cluster);
});
afterAll(async () => {
  await cluster?.close();
  await broker?.stop();
});
beforeEach(async () => {
  name = `forgotten${++count}`;
  await createReadyTopic(cluster, { name, partitions: 2 });
});

const soon = { timeout: 120_000, interval: 100 };
const batch = (value: string): BatchEncoder => {
  const encoder = new BatchEncoder(128);
  encoder.append(1_700_000_000_000, "key", value);
  return encoder;
};
const writers = () => ({ own: (id: string) => id.startsWith(`${name}.`), topics: [name], group: name });
const kept = async () =>
  await new Group(cluster, { groupId: name, topic: name, sessionMs: 0, rebalanceMs: 0 }).committed([0]);
const committed = async (): Promise<string[]> => (await readToEnd(cluster, name)).rows.map(({ line }) => line).sort();
/** What is there when nothing is undecided any more: brokers end transactions a moment after they say so. */
const settled = async (): Promise<string[]> => {
  await expect.poll(async () => await openTransactions(cluster, [name]), soon).toEqual([]);
  return await committed();
};

interface Identity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** Nothing was written under the id before. */
const begun = async (id: string): Promise<Identity> => ({
  producerId: (await TransactionalWriter.open(cluster, id)).producerId,
  producerEpoch: 0,
});
const ask = async <T>(request: (connection: Connection) => Promise<T>): Promise<T> =>
  await retry(async () => await cluster.call("any", "control", "test", request), { onRetry: () => undefined });

async function enlist(id: string, identity: Identity, partition: number): Promise<void> {
  const topics = [{ name, partitions: [partition] }];
  const transaction = { transactionalId: id, ...identity, verifyOnly: false, topics };
  await ask(async (connection) => await addPartitionsToTxnV3.api.async(connection, [transaction]));
}

async function send(id: string, identity: Identity, value: string): Promise<void> {
  const bytes = batch(value).finish({ ...identity, baseSequence: 0, transactional: true });
  await ask(async (connection) => await produce(connection, id, name, [{ partition: 1, bytes }]));
}

async function decide(id: string, { producerId, producerEpoch }: Identity, end: TransactionEnd): Promise<void> {
  await ask(
    async (connection) => await endTxnV3.api.async(connection, id, producerId, producerEpoch, end === "commit"),
  );
}

/** Ends a transaction of which the coordinator knows partition 0, with a record in partition 1 and a place. */
async function forget(
  id: string,
  identity: Identity,
  { end, place, knowsGroup }: { end: TransactionEnd; place: number; knowsGroup: boolean },
): Promise<void> {
  const { producerId, producerEpoch } = identity;
  await enlist(id, identity, 0);
  if (knowsGroup)
    await ask(async (connection) => await addOffsetsToTxnV3.api.async(connection, id, producerId, producerEpoch, name));
  await send(id, identity, `of ${id}`);
  const at = { partitionIndex: 0, committedOffset: BigInt(place), committedLeaderEpoch: -1, committedMetadata: "m" };
  const topics = [{ name, partitions: [at] }];
  await ask(
    async (connection) =>
      await txnOffsetCommitV3.api.async(connection, id, name, producerId, producerEpoch, -1, "", null, topics),
  );
  await decide(id, identity, end);
}

describe("a transaction without an end in one of its partitions", () => {
  it.each([
    { end: "commit", becomes: 1 },
    { end: "abort", becomes: 0 },
  ] as const)("of a writer that is gone is ended as was decided: $end", async ({ end, becomes }) => {
    const id = `${name}.gone`;
    await forget(id, await begun(id), { end, place: 7, knowsGroup: true });
    await expect.poll(async () => (await endForgotten(cluster, writers())).map((one) => one.end), soon).toEqual([end]);
    expect(await settled()).toEqual(Array(becomes).fill(`of ${id}`));
    expect(await endForgotten(cluster, writers())).toEqual([]);
  });

  it("is not one that lasts, nor one of others", async () => {
    const id = `${name}.slow`;
    const slow = await begun(id);
    await enlist(id, slow, 1);
    await send(id, slow, "slow");
    await forget("other.gone", await begun("other.gone"), { end: "commit", place: 1, knowsGroup: true });
    expect((await openTransactions(cluster, [name])).length).toBe(2);
    expect(await endForgotten(cluster, writers())).toEqual([]);
    await decide(id, slow, "commit");
    const ended = await endForgotten(cluster, { ...writers(), own: (one) => one === "other.gone" });
    expect(ended).toMatchObject([{ transactionalId: "other.gone", partitions: [`${name}/1`] }]);
    expect(await settled()).toEqual(["of other.gone", "slow"]);
  });

  it("is ended by who takes its id over, though the place is decided", async () => {
    const id = `${name}.same`;
    await forget(id, await begun(id), { end: "commit", place: 7, knowsGroup: true });
    const at = { group: name, topic: name, partition: 0 };
    const { writer, place } = await takeOver(cluster, { transactionalId: id, place: at, topics: [name] });
    expect(place?.offset).toBe(7);
    await writer.write(new Map([[name, new Map([[1, batch("next")]])]]), { ...at, offset: 8, metadata: "m" });
    expect(await settled()).toEqual(["next", `of ${id}`]);
  });

  it("is ended by who needs the place that it holds, under another id", async () => {
    const id = `${name}.gone`;
    await forget(id, await begun(id), { end: "commit", place: 7, knowsGroup: false });
    await expect(kept()).rejects.toThrow("UNSTABLE_OFFSET_COMMIT");
    const succession = {
      transactionalId: `${name}.new`,
      own: writers().own,
      places: { group: name, topic: name, partitions: [0] },
      topics: [name],
      transactionMs: 30_000,
      patienceMs: 1_000,
    };
    const { places } = await takeOverPlaces(cluster, succession);
    expect(places.get(0)?.offset).toBe(7);
    expect(await settled()).toEqual([`of ${id}`]);
  });

  it("is ended by its own writer after connections were lost, before what comes next could be undone with it", async () => {
    const id = `${name}.alive`;
    const other = newCluster(broker.bootstrap);
    const writer = await TransactionalWriter.open(other, id);
    const at = { group: name, topic: name, partition: 0, metadata: "m" };
    await writer.write(new Map([[name, new Map([[0, batch("first")]])]]), { ...at, offset: 1 });
    const identity = { producerId: writer.producerId, producerEpoch: 0 };
    await forget(id, identity, { end: "commit", place: 2, knowsGroup: true });
    await broker.restart();
    await untilGroups(cluster);
    await ask(async (connection) => await describeTransactionsV0.api.async(connection, [id]));
    // Partition 1 is in this transaction, which is undone: partition 0 does not take so much.
    const refused = new Map([
      [0, batch("x".repeat(2_000_000))],
      [1, batch("second")],
    ]);
    await expect(writer.write(new Map([[name, refused]]), { ...at, offset: 3 })).rejects.toBeInstanceOf(RecordTooLarge);
    const { place } = await takeOver(cluster, { transactionalId: id, place: at, topics: [name] });
    expect(place?.offset).toBe(2);
    expect(await settled()).toEqual(["first", `of ${id}`]);
    await other.close();
  });
});
