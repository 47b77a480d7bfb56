/** What the Kafka tests share: a client's parts with everything observed, and reading a topic to its end. */
import type { KafkaConnection } from "@caudal/crds";
import { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { KafkaUnavailable, TopicMissing } from "@caudal/workloads/kafka/errors";
import { Group } from "@caudal/workloads/kafka/group";
import { listOffsets } from "@caudal/workloads/kafka/offsets";
import { TopicReader } from "@caudal/workloads/kafka/reader";
import { type RecordBlock, valueAt } from "@caudal/workloads/kafka/record-block";
import { createTopic, type NewTopic } from "@caudal/workloads/kafka/topics";
import { createMetrics } from "@caudal/workloads/runtime/metrics";
import { Kafka, logLevel } from "kafkajs";
import { pino } from "pino";
import { poll } from "../../cluster/host/poll.ts";

export const metrics = createMetrics({ namespace: "test", pipeline: "test", stage: "test", role: "test" });
export const log = pino({ level: "silent" });

export function connection(bootstrap: string): KafkaConnection {
  return { bootstrapServers: [bootstrap] };
}

export function newCluster(bootstrap: string): KafkaCluster {
  return new KafkaCluster(connection(bootstrap), { clientId: "caudal-test", metrics });
}

/** Another client, to produce what ours does not: transactions, keys and headers of all kinds. */
export function kafkajs(bootstrap: string): Kafka {
  return new Kafka({ clientId: "other", brokers: [bootstrap], logLevel: logLevel.NOTHING });
}

export interface Row {
  readonly partition: number;
  readonly offset: number;
  /** The value as text, "" for null. */
  readonly line: string;
}

export function rowsOf(block: RecordBlock): Row[] {
  return Array.from(block.offsets, (offset, row) => ({
    partition: block.partition,
    offset,
    line: valueAt(block, row)?.toString() ?? "",
  }));
}

export interface ReadToEnd {
  readonly rows: Row[];
  readonly blocks: RecordBlock[];
  readonly next: ReadonlyMap<number, number>;
}

/** A copy of a block, which holds when the reader is asked for more. */
function kept(block: RecordBlock): RecordBlock {
  const originals = Array.from(block.offsets, (_, row) => block.original(row));
  const original = (row: number) => originals[row] ?? block.original(row);
  return { ...block, bytes: Buffer.from(block.bytes), original };
}

/** Reads a topic from its beginning to its last stable offsets. */
export async function readToEnd(
  cluster: KafkaCluster,
  topic: string,
  options: { readonly maxBytes?: number; readonly maxBytesPerPartition?: number } = {},
): Promise<ReadToEnd> {
  const info = await cluster.topic(topic);
  const first = await listOffsets(cluster, info, "earliest");
  const last = await listOffsets(cluster, info, "latest");
  const reader = new TopicReader(cluster, info, { metrics, onProblem: () => undefined, maxWaitMs: 100, ...options });
  for (const [partition, offset] of first) reader.read({ partition, offset, epoch: -1 });
  const blocks: RecordBlock[] = [];
  const next = new Map(first);
  const deadline = performance.now() + 30_000;
  while ([...last].some(([partition, end]) => (next.get(partition) ?? 0) < end)) {
    if (performance.now() > deadline)
      throw new Error(`read only to ${JSON.stringify([...next])} of ${JSON.stringify([...last])}`);
    for (const block of (await reader.next(1_000)).blocks) {
      blocks.push(kept(block));
      next.set(block.partition, block.nextOffset);
    }
  }
  reader.close();
  return { rows: blocks.flatMap(rowsOf), blocks, next };
}

/** Makes a topic whose partitions take records at once: for clients that do not try again by themselves. */
export async function createReadyTopic(cluster: KafkaCluster, topic: NewTopic): Promise<void> {
  await createTopic(cluster, topic);
  const led = async () =>
    await unlessUnavailable(async () => {
      const info = await cluster.topic(topic.name);
      const ends = await listOffsets(cluster, info, "latest");
      return ends.size === topic.partitions ? true : undefined;
    });
  await poll(led, { seconds: 120, everyMs: 50, onTimeout: () => `${topic.name} takes no records` });
}

async function unlessUnavailable<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof KafkaUnavailable || error instanceof TopicMissing) return undefined;
    throw error;
  }
}

/** Waits for a new broker's topic of groups, which it makes when it is first asked for. */
export async function untilGroups(cluster: KafkaCluster): Promise<void> {
  await createTopic(cluster, { name: "warm", partitions: 1 });
  const group = new Group(cluster, { groupId: "warm", topic: "warm", sessionMs: 0, rebalanceMs: 0 });
  const asked = async () => await unlessUnavailable(async () => await group.committed([0]));
  await poll(asked, { seconds: 120, everyMs: 100, onTimeout: () => "the broker coordinates no groups" });
}
