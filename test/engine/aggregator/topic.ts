/** A topic as its producers and an independent reader see it, by kafkajs. */
import "./kafkajs-aborted.ts";
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs, { type Admin, type Kafka, type Message, type Producer } from "kafkajs";
import { poll } from "../../cluster/host/poll.ts";
import type { Broker } from "../broker.ts";

// A CommonJS module, of which Node itself sees no other names.
const { CompressionTypes, KafkaJSAggregateError, KafkaJSProtocolError, logLevel, Partitioners } = kafkajs;

/** A record as read_committed gives it. */
export interface LoggedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A record's value, or that with headers. */
export type Sent =
  | string
  | Buffer
  | null
  | { readonly value: string | Buffer | null; readonly headers: Readonly<Record<string, string>> };

export interface Topic {
  readonly name: string;
  readonly admin: Admin;
  send(values: readonly Sent[], partition?: number): Promise<void>;
  /**
   * Sends in one transaction that is committed or aborted, after a while. When it rejects, nobody knows which; the next
   * one ends it if it is still open.
   */
  transaction(values: readonly Sent[], end: "commit" | "abort", afterMs?: number): Promise<void>;
  addPartitions(total: number): Promise<void>;
  /** Ends every partition with a tombstone. @returns by partition, the offset after it */
  seal(): Promise<ReadonlyMap<number, number>>;
  /** All records before the given ends, as committed reads give them. */
  readTo(ends: ReadonlyMap<number, number>): Promise<LoggedRecord[]>;
  close(): Promise<void>;
}

export async function createTopic(
  broker: Broker,
  name: string,
  partitions: number,
  config: Readonly<Record<string, string>> = {},
): Promise<Topic> {
  const kafka = new kafkajs.Kafka({
    clientId: "test",
    brokers: [broker.bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 240 },
  });
  const admin = kafka.admin();
  await admin.connect();
  const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
  const topic = { topic: name, numPartitions: partitions, configEntries };
  let refusal = "";
  /** A broker that had to wait for a processor counts as away for a moment, and topics need one that does not. */
  const made = async (): Promise<true | undefined> => {
    try {
      await admin.createTopics({ topics: [topic], waitForLeaders: false });
      return true;
    } catch (error) {
      if (!(error instanceof KafkaJSAggregateError)) throw error;
      refusal = error.errors.join("; ");
      return undefined;
    }
  };
  await poll(made, { seconds: 120, everyMs: 200, onTimeout: () => `topic ${name} cannot be made: ${refusal}` });
  await poll(async () => ((await hasLeaders(admin, name)) ? true : undefined), {
    seconds: 120,
    onTimeout: () => `topic ${name} has no leaders`,
  });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, metadataMaxAge: 500 });
  await producer.connect();
  let transactional: Producer | undefined;
  let transactions = 0;
  let turn = 0;

  /** Also ends what a broker that was killed has left open: see `kafka/take-over.ts` of the workloads. */
  const inTransaction = async (messages: Message[]) => {
    const writer = transactional ?? (await transactionalProducer(kafka, `${name}-writer`));
    transactional = writer;
    const transaction = await writer.transaction();
    const sent = await transaction.send({ topic: name, messages });
    await transaction.commit();
    return sent;
  };
  const messages = (values: readonly Sent[], partition?: number) =>
    values.map((sent) => ({
      ...(sent === null || typeof sent === "string" || Buffer.isBuffer(sent) ? { value: sent } : sent),
      ...(partition === undefined ? { key: `k${turn++}` } : { partition }),
    }));

  return {
    name,
    admin,
    send: async (values, partition) => {
      await producer.send({ topic: name, messages: messages(values, partition), compression: CompressionTypes.GZIP });
    },
    transaction: async (values, end, afterMs = 0) => {
      const writer = transactional ?? (await transactionalProducer(kafka, `${name}-writer`));
      transactional = undefined;
      transactions++;
      try {
        const transaction = await writer.transaction();
        await transaction.send({ topic: name, messages: messages(values) });
        await sleep(afterMs);
        await transaction[end]();
        transactional = writer;
      } catch (error) {
        await writer.disconnect();
        throw error;
      }
    },
    addPartitions: async (total) => {
      await admin.createPartitions({ topicPartitions: [{ topic: name, count: total }] });
      const known = async () => (await admin.fetchTopicMetadata({ topics: [name] })).topics[0]?.partitions.length;
      await poll(async () => ((await known()) === total ? true : undefined), {
        seconds: 120,
        onTimeout: () => `${name} did not get ${total} partitions`,
      });
      await sleep(600); // until the producer asks for metadata again
    },
    seal: async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
      const all = topics[0]?.partitions.map(({ partitionId }) => partitionId) ?? [];
      const ends = all.map((partition) => ({ value: null, key: "end", partition }));
      const sent =
        transactions === 0 ? await producer.send({ topic: name, messages: ends }) : await inTransaction(ends);
      return new Map(sent.map(({ partition, baseOffset }) => [partition, Number(baseOffset) + 1]));
    },
    readTo: async (ends) => await readTo(kafka, name, ends),
    close: async () => {
      await Promise.all([producer.disconnect(), transactional?.disconnect(), admin.disconnect()]);
    },
  };
}

async function transactionalProducer(kafka: Kafka, transactionalId: string): Promise<Producer> {
  const producer = kafka.producer({
    transactionalId,
    transactionTimeout: 20_000,
    maxInFlightRequests: 1,
    idempotent: true,
    createPartitioner: Partitioners.DefaultPartitioner,
    metadataMaxAge: 500,
  });
  await producer.connect();
  return producer;
}

async function hasLeaders(admin: Admin, name: string): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    return topics[0]?.partitions.every(({ leader }) => leader >= 0) === true;
  } catch (error) {
    if (error instanceof KafkaJSProtocolError) return false; // not known to every broker yet
    throw error;
  }
}

async function readTo(kafka: Kafka, topic: string, ends: ReadonlyMap<number, number>): Promise<LoggedRecord[]> {
  const consumer = kafka.consumer({ groupId: `reader-${topic}-${Date.now()}`, readUncommitted: false });
  const records: LoggedRecord[] = [];
  /** Where the record after the last one is: a consumer that has to join anew begins at the beginning again. */
  const next = new Map<number, number>();
  const open = new Set([...ends].filter(([, end]) => end > 0).map(([partition]) => partition));
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      if (open.size === 0) resolve();
      consumer
        .run({
          autoCommit: false,
          eachMessage: async ({ partition, message }) => {
            const offset = Number(message.offset);
            const end = ends.get(partition) ?? 0;
            if (offset < (next.get(partition) ?? 0)) return;
            next.set(partition, offset + 1);
            if (offset < end)
              records.push({
                partition,
                offset,
                key: message.key?.toString() ?? null,
                value: message.value,
                headers: Object.fromEntries(
                  Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
                ),
              });
            if (offset + 1 >= end) open.delete(partition);
            if (open.size === 0) resolve();
            await Promise.resolve();
          },
        })
        .catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return records;
}
