/** Making, removing and asking about topics. The operator owns a pipeline's topics; this serves tests and local runs. */
import { createPartitionsV3, createTopicsV7, deleteTopicsV6 } from "@platformatic/kafka";
import type { KafkaCluster } from "./cluster.ts";
import { Code, protocolError, withCodes } from "./protocol-errors.ts";

export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  /** Settings as Kafka names them. */
  readonly config?: Readonly<Record<string, string>>;
}

const TIMEOUT_MS = 15_000;
const BROKERS_DEFAULT = -1;

/** Makes a topic with the broker's number of replicas. @returns false when there was one of this name */
export async function createTopic(cluster: KafkaCluster, topic: NewTopic): Promise<boolean> {
  const request = {
    name: topic.name,
    numPartitions: topic.partitions,
    replicationFactor: BROKERS_DEFAULT,
    assignments: [],
    configs: Object.entries(topic.config ?? {}).map(([name, value]) => ({ name, value })),
  };
  const answer = await cluster.call(
    "any",
    "control",
    "create_topics",
    async (connection) => await withCodes(createTopicsV7.api.async(connection, [request], TIMEOUT_MS, false)),
  );
  const code = answer.topics[0]?.errorCode ?? Code.None;
  if (code === Code.TopicAlreadyExists) return false;
  if (code !== Code.None) throw protocolError(code, `making the topic ${topic.name}`);
  return true;
}

/** Raises a topic's number of partitions. */
export async function addPartitions(cluster: KafkaCluster, name: string, partitions: number): Promise<void> {
  const answer = await cluster.call(
    "any",
    "control",
    "create_partitions",
    async (connection) =>
      await withCodes(createPartitionsV3.api.async(connection, [{ name, count: partitions }], TIMEOUT_MS, false)),
  );
  const code = answer.results[0]?.errorCode ?? Code.None;
  if (code !== Code.None) throw protocolError(code, `adding partitions to ${name}`);
}

/** Removes a topic. @returns false when there was none */
export async function deleteTopic(cluster: KafkaCluster, name: string): Promise<boolean> {
  const answer = await cluster.call(
    "any",
    "control",
    "delete_topics",
    async (connection) => await withCodes(deleteTopicsV6.api.async(connection, [{ name }], TIMEOUT_MS)),
  );
  const code = answer.responses[0]?.errorCode ?? Code.None;
  if (code === Code.UnknownTopicOrPartition) return false;
  if (code !== Code.None) throw protocolError(code, `removing the topic ${name}`);
  return true;
}
