/** A Kafka of the cluster, reached through a tunnel whatever address the broker advertises. */
import { connect } from "node:net";
import { Kafka, logLevel } from "kafkajs";
import { list, NAMESPACE } from "./kube.ts";
import { openTunnel, type Tunnel } from "./tunnel.ts";

export interface ClusterKafka {
  readonly kafka: Kafka;
  /** Every committed record of a topic, in partition and offset order. */
  readAll(topic: string): Promise<TopicRecord[]>;
  /** Last stable offset of each partition. */
  ends(topic: string): Promise<Map<number, number>>;
  close(): Promise<void>;
}

export interface TopicRecord {
  partition: number;
  offset: number;
  timestamp: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, string>;
}

/** Pods of the brokers of a Kafka. */
export const brokerPods = async (cluster: string) =>
  await list("pods", `strimzi.io/cluster=${cluster},strimzi.io/kind=Kafka`);

/** Name of the one running broker's pod. */
async function brokerPod(cluster: string): Promise<string> {
  const pods = await brokerPods(cluster);
  const running = pods.find((pod) => pod.metadata.deletionTimestamp === undefined);
  if (running === undefined) throw new Error("no broker's pod runs");
  return running.metadata.name;
}

/** @param cluster name of a Kafka with one broker in the demonstration's namespace */
export async function openKafka(cluster = "platform"): Promise<ClusterKafka> {
  const tunnel: Tunnel = await openTunnel(NAMESPACE, async () => await brokerPod(cluster), 9092);
  const kafka = new Kafka({
    clientId: "caudal-e2e",
    brokers: [`${cluster}-kafka-bootstrap:9092`],
    logLevel: logLevel.NOTHING,
    retry: { retries: 20, initialRetryTime: 200, maxRetryTime: 3_000 },
    socketFactory: ({ onConnect }) => connect({ host: "127.0.0.1", port: tunnel.port }, onConnect),
  });

  async function offsets(topic: string): Promise<{ partition: number; low: number; high: number }[]> {
    const admin = kafka.admin();
    await admin.connect();
    try {
      return (await admin.fetchTopicOffsets(topic)).map((one) => ({
        partition: one.partition,
        low: Number(one.low),
        high: Number(one.high),
      }));
    } finally {
      await admin.disconnect();
    }
  }

  async function readAll(topic: string): Promise<TopicRecord[]> {
    const wanted = new Map(
      (await offsets(topic)).filter((one) => one.high > one.low).map((one) => [one.partition, one.high]),
    );
    const records: TopicRecord[] = [];
    if (wanted.size === 0) return records;
    const consumer = kafka.consumer({
      groupId: `e2e-read-${crypto.randomUUID()}`,
      readUncommitted: false,
      maxBytesPerPartition: 4 * 1024 * 1024,
    });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      const reached = new Map<number, number>();
      /** Where the record after the last one is: a consumer that has to join anew begins at the beginning again. */
      const next = new Map<number, number>();
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`reading ${topic} took longer than 180 s`)), 180_000);
        const done = () => {
          if ([...wanted].every(([partition, end]) => (reached.get(partition) ?? 0) >= end)) {
            clearTimeout(timer);
            resolve();
          }
        };
        // The last offsets may be transaction markers, which no consumer sees: the batch's end says how far it went.
        consumer.on(consumer.events.END_BATCH_PROCESS, (event) => {
          const { partition, lastOffset } = event.payload;
          reached.set(partition, Math.max(reached.get(partition) ?? 0, Number(lastOffset) + 1));
          done();
        });
        consumer
          .run({
            autoCommit: false,
            eachBatchAutoResolve: true,
            eachBatch: ({ batch }) => {
              for (const message of batch.messages) {
                const offset = Number(message.offset);
                if (offset < (next.get(batch.partition) ?? 0)) continue;
                next.set(batch.partition, offset + 1);
                records.push({
                  partition: batch.partition,
                  offset,
                  timestamp: Number(message.timestamp),
                  key: message.key,
                  value: message.value,
                  headers: Object.fromEntries(
                    Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value ?? "")]),
                  ),
                });
              }
              return Promise.resolve();
            },
          })
          .catch(reject);
      });
    } finally {
      await consumer.disconnect();
    }
    return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  }

  return {
    kafka,
    readAll,
    ends: async (topic) => new Map((await offsets(topic)).map((one) => [one.partition, one.high])),
    close: () => tunnel.close(),
  };
}

/**
 * A Kafka of one node, for a test that needs its own.
 *
 * @param listener in YAML; one with a login brings ACLs
 */
export const smallKafka = (name: string, listener: string): string => `
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: { name: ${name} }
spec:
  kafka:
    config:
      default.replication.factor: 1
      min.insync.replicas: 1
      offsets.topic.replication.factor: 1
      transaction.state.log.replication.factor: 1
      transaction.state.log.min.isr: 1
    ${listener.includes("authentication") ? "authorization: { type: simple }" : ""}
    listeners: [${listener}]
  entityOperator: { topicOperator: {}, userOperator: {} }
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: { name: ${name}, labels: { strimzi.io/cluster: ${name} } }
spec:
  replicas: 1
  roles: [controller, broker]
  storage: { type: jbod, volumes: [{ id: 0, type: persistent-claim, size: 1Gi, kraftMetadata: shared, deleteClaim: true }] }
  resources: { limits: { memory: 1Gi } }
`;
