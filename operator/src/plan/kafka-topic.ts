/** A KafkaTopic per managed topic, and one per dead-letter topic that the spec does not declare. */
import type { StreamPipeline, Topic } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { keptMetadata } from "./metadata.ts";
import { strimziClusterLabel, topicObjectName, readingStagesOf } from "@caudal/pipeline";

const DEFAULT_PARTITIONS = 3;
const FOURTEEN_DAYS_MS = 14 * 86_400_000;
/** Kafka's own default of max.message.bytes. */
const MESSAGE_BYTES = 1_048_588;
/** Room for the reason and coordinates beside the record. */
const DEAD_LETTER_ROOM = 65_536;

interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly replicas?: number | undefined;
  readonly config?: Readonly<Record<string, string>> | undefined;
}

export function buildKafkaTopics(pipeline: StreamPipeline): KubeObject[] {
  const { kafka, topics } = pipeline.spec;
  const { clusterRef } = kafka;
  if (clusterRef === undefined) return [];
  const managed = topics
    .filter((topic) => topic.managed)
    .map(({ name, partitions = DEFAULT_PARTITIONS, replicas, config }) => ({ name, partitions, replicas, config }));
  return [...managed, ...deadLetterTopics(pipeline)].map((topic) => buildKafkaTopic(pipeline, clusterRef.name, topic));
}

/** Two stages may share one: it takes the larger events of both. */
function deadLetterTopics(pipeline: StreamPipeline): TopicSpec[] {
  const declared = new Map(pipeline.spec.topics.map((topic) => [topic.name, topic]));
  const wanted = new Map<string, { bytes: number; source: Topic | undefined }>();
  for (const { topic, deadLetterTopic } of readingStagesOf(pipeline)) {
    if (declared.has(deadLetterTopic)) continue;
    const source = declared.get(topic);
    const bytes = Number(source?.config?.["max.message.bytes"] ?? MESSAGE_BYTES) + DEAD_LETTER_ROOM;
    const known = wanted.get(deadLetterTopic);
    if (known === undefined || known.bytes < bytes) wanted.set(deadLetterTopic, { bytes, source });
  }
  return [...wanted].map(([name, { bytes, source }]) => ({
    name,
    partitions: 1,
    replicas: source?.replicas,
    config: { "max.message.bytes": String(bytes), "retention.ms": String(FOURTEEN_DAYS_MS) },
  }));
}

function buildKafkaTopic(pipeline: StreamPipeline, cluster: string, topic: TopicSpec): KubeObject {
  const name = topicObjectName(topic.name);
  return {
    apiVersion: resources.kafkaTopic.apiVersion,
    kind: resources.kafkaTopic.kind,
    metadata: keptMetadata(pipeline, name, strimziClusterLabel(cluster)),
    spec: {
      ...(name === topic.name ? {} : { topicName: topic.name }),
      partitions: topic.partitions,
      ...(topic.replicas === undefined ? {} : { replicas: topic.replicas }),
      ...(topic.config === undefined || Object.keys(topic.config).length === 0 ? {} : { config: topic.config }),
    },
  };
}
