/** What a StreamPipeline means: its stages and their names, its secrets, how it reaches Kafka, and the configuration of its workloads. Pure. */
export { canonical } from "./canonical.ts";
export { type KafkaAccess, kafkaAccessOf, listenersOf } from "./kafka-access.ts";
export {
  childName,
  configMapName,
  databaseName,
  databaseObjectName,
  databaseOwner,
  databaseSecretName,
  kafkaUserName,
  labelsOf,
  selectorOf,
  slotName,
  type StageIdentity,
  strimziClusterLabel,
  topicObjectName,
} from "./names.ts";
export type { Problem } from "./problem.ts";
export {
  databaseCaSecretOf,
  databaseClusterOf,
  databaseSecretOf,
  databaseUses,
  secretNamesOf,
  secretsOf,
  type SecretUse,
} from "./secrets.ts";
export { readingStagesOf, stagesOf, type StageSpec, tablesOf } from "./stages.ts";
export { buildAggregatorConfig, buildTransformConfig, buildWorkloadConfig, topicConfig } from "./workload-config.ts";
