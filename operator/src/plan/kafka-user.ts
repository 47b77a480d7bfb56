/** The KafkaUser with which a pipeline's stages log in, where the chosen listener authenticates. */
import type { StreamPipeline } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { type KafkaAccess, kafkaUserName, strimziClusterLabel, readingStagesOf } from "@caudal/pipeline";
import { ownedMetadata } from "./metadata.ts";

interface Acl {
  readonly resource: { readonly type: string; readonly name: string; readonly patternType: "literal" | "prefix" };
  readonly operations: readonly string[];
}

export function buildKafkaUser(pipeline: StreamPipeline, access: KafkaAccess): KubeObject[] {
  const cluster = pipeline.spec.kafka.clusterRef?.name;
  if (!access.user || cluster === undefined) return [];
  const name = kafkaUserName(pipeline.metadata.name);
  const metadata = ownedMetadata(pipeline, name);
  return [
    {
      apiVersion: resources.kafkaUser.apiVersion,
      kind: resources.kafkaUser.kind,
      metadata: { ...metadata, labels: { ...metadata.labels, ...strimziClusterLabel(cluster) } },
      spec: {
        authentication: { type: "scram-sha-512" },
        ...(access.acls ? { authorization: { type: "simple", acls: buildAcls(pipeline) } } : {}),
      },
    },
  ];
}

/** What the stages do, and nothing else: sorted, topics first. */
function buildAcls(pipeline: StreamPipeline): Acl[] {
  const { metadata, spec } = pipeline;
  const operations = new Map<string, Set<string>>();
  const allow = (topic: string, ...names: string[]) => {
    const known = operations.get(topic) ?? new Set<string>();
    for (const name of names) known.add(name);
    operations.set(topic, known);
  };
  for (const { topic } of spec.generators ?? []) allow(topic, "Describe", "Read", "Write");
  for (const stage of readingStagesOf(pipeline)) {
    allow(stage.topic, "Describe", "Read");
    allow(stage.deadLetterTopic, "Describe", "Write");
    // Read: Kafka lets nobody else see which transactions are open in a topic.
    for (const topic of writtenTopics(stage)) allow(topic, "Describe", "Read", "Write");
  }
  const topics = [...operations].sort(([a], [b]) => (a < b ? -1 : 1));
  const prefix = `caudal.${metadata.namespace}.${metadata.name}.`;
  return [
    ...topics.map(([name, names]) => ({
      resource: { type: "topic", name, patternType: "literal" as const },
      operations: [...names].sort(),
    })),
    {
      resource: { type: "group", name: prefix, patternType: "prefix" as const },
      operations: ["Describe", "Read"],
    },
    {
      resource: { type: "transactionalId", name: prefix, patternType: "prefix" as const },
      operations: ["Describe", "Write"],
    },
  ];
}

/** In transactions. */
function writtenTopics(stage: ReturnType<typeof readingStagesOf>[number]): string[] {
  if (stage.role === "source") return [stage.topic, stage.deadLetterTopic];
  return stage.role === "aggregator"
    ? stage.tables.flatMap(({ emit }) => emit?.final.topic ?? [])
    : stage.to.flatMap(({ topic }) => topic ?? []);
}
