/** config.json of a stage: the spec with its names resolved, its durations in milliseconds and its secrets as paths. */
import {
  type Aggregator,
  type AggregatorConfig,
  annotation,
  defaultDeadLetterTopic,
  type FilesOutput,
  type FilesOutputConfig,
  type KafkaConnection,
  parseDuration,
  path,
  readLostTopics,
  type RedisOutput,
  type RedisOutputConfig,
  type Source,
  type SourceConfig,
  type StreamPipeline,
  tableTitle,
  type TopicConfig,
  type Transform,
  type TransformConfig,
  type WorkloadConfig,
} from "@caudal/crds";
import type { KafkaAccess } from "./kafka-access.ts";
import { slotName } from "./names.ts";
import type { StageSpec } from "./stages.ts";

/** Roles with a place in a topic. */
const READERS: ReadonlySet<StageSpec["role"]> = new Set(["aggregator", "transform"]);

/**
 * @param known the way to Kafka that the stage uses now: it holds while the Kafka does not say another
 * @returns undefined while the way to Kafka is not known
 */
export function buildWorkloadConfig(
  { metadata, spec }: StreamPipeline,
  stage: StageSpec,
  access: KafkaAccess,
  known: KafkaConnection | undefined,
): WorkloadConfig | undefined {
  const kafka = access.connection ?? known;
  if (kafka === undefined) return undefined;
  const { name, namespace, uid, generation } = metadata;
  const lostTopics = readLostTopics(metadata.annotations?.[annotation.acknowledgeLostTopics]).get(stage.topic);
  const config: WorkloadConfig = {
    version: 1,
    pipeline: { namespace, name, uid, generation },
    stage: { name: stage.name, role: stage.role },
    kafka,
    ...(lostTopics !== undefined && READERS.has(stage.role) && { lostTopics: [...lostTopics].sort() }),
  };
  if (stage.role === "generator") {
    const topic = topicConfig(spec, stage.topic);
    const { name: _n, role: _r, topic: _t, resources: _s, template: _p, replicas: _c, ...fields } = stage;
    return { ...config, generator: { ...fields, topic } };
  }
  if (stage.role === "source") return { ...config, source: buildSourceConfig({ metadata, spec }, stage) };
  if (stage.role === "transform")
    return {
      ...config,
      ...(usesDatabase(stage) ? { database: { secret: path.database } } : {}),
      transform: buildTransformConfig({ metadata, spec }, stage),
    };
  return {
    ...config,
    database: { secret: path.database },
    aggregator: buildAggregatorConfig({ metadata, spec }, stage),
  };
}

/** What an aggregator computes; also what its SQL is checked with. */
export function buildAggregatorConfig(
  { metadata, spec }: Pick<StreamPipeline, "metadata" | "spec">,
  stage: Aggregator,
): AggregatorConfig {
  const { watermark, lateEvents, tables, replicas } = stage;
  return {
    topic: topicConfig(spec, stage.topic),
    ...(stage.where === undefined ? {} : { where: stage.where }),
    watermark: {
      maxDelayMs: parseDuration(watermark.maxDelay),
      idleTimeoutMs: parseDuration(watermark.idleTimeout),
      maxAheadMs: parseDuration(watermark.maxAhead),
    },
    lateEvents,
    deadLetterTopic: stage.deadLetterTopic ?? defaultDeadLetterTopic(metadata.name, stage.name),
    tables: tables.map((table) => ({ ...table, name: tableTitle(table.name) })),
    replicas,
  };
}

/** What a transform computes and writes; also what its SQL is checked with. */
export function buildTransformConfig(
  { metadata, spec }: Pick<StreamPipeline, "metadata" | "spec">,
  stage: Transform,
): TransformConfig {
  const { where, select, lookups = [], to, replicas } = stage;
  return {
    topic: topicConfig(spec, stage.topic),
    ...(where === undefined ? {} : { where }),
    ...(select === undefined ? {} : { select }),
    lookups: lookups.map(({ refresh, connectionSecretRef, caSecretRef: _ca, ...lookup }) => ({
      ...lookup,
      refreshMs: parseDuration(refresh),
      secret: connectionSecretRef === undefined ? path.database : path.secret(connectionSecretRef.name),
    })),
    deadLetterTopic: stage.deadLetterTopic ?? defaultDeadLetterTopic(metadata.name, stage.name),
    to: to.map(({ topic, table, redis, files, ...output }) => ({
      ...output,
      ...(table === undefined ? {} : { table: { ...table, name: tableTitle(table.name) } }),
      ...(topic === undefined ? {} : { topic: topicConfig(spec, topic) }),
      ...(redis === undefined ? {} : { redis: redisConfig(redis) }),
      ...(files === undefined ? {} : { files: filesConfig(files) }),
    })),
    replicas,
  };
}

function redisConfig({ connectionSecretRef, caSecretRef: _ca, ttl, ...redis }: RedisOutput): RedisOutputConfig {
  return { ...redis, ttlMs: ttl === undefined ? 0 : parseDuration(ttl), secret: path.secret(connectionSecretRef.name) };
}

function filesConfig(output: FilesOutput): FilesOutputConfig {
  const { credentialsSecretRef, caSecretRef: _ca, claimRef, every, path: place, ...files } = output;
  return {
    ...files,
    // A path of a volume is one within it.
    path: claimRef === undefined ? place : place.replace("file://", `file://${path.volume(claimRef.name)}`),
    everyMs: parseDuration(every),
    ...(credentialsSecretRef === undefined ? {} : { secret: path.secret(credentialsSecretRef.name) }),
  };
}

/** Whether the transform needs the pipeline's own database: files keep their progress there. */
export function usesDatabase({ to, lookups = [] }: Transform): boolean {
  return (
    to.some(({ table, files }) => table !== undefined || files !== undefined) ||
    lookups.some(({ connectionSecretRef }) => connectionSecretRef === undefined)
  );
}

const MEBI = 1_048_576;
const wal: Readonly<Record<string, number>> = { Mi: MEBI, Gi: 1024 * MEBI, Ti: 1024 * 1024 * MEBI };

/** Where a source reads, and how. */
export function buildSourceConfig(
  { metadata, spec }: Pick<StreamPipeline, "metadata" | "spec">,
  stage: Source,
): SourceConfig {
  const { connectionSecretRef, caSecretRef, pollInterval, lookback, maxRetainedWal, onTruncate, ...fields } =
    stage.postgres;
  const kept = maxRetainedWal ?? "10Gi";
  return {
    topic: topicConfig(spec, stage.topic),
    deadLetterTopic: stage.deadLetterTopic ?? defaultDeadLetterTopic(metadata.name, stage.name),
    postgres: {
      ...fields,
      secret: path.secret(connectionSecretRef.name),
      ...(caSecretRef === undefined ? {} : { caSecret: caSecretRef.name }),
      pollIntervalMs: parseDuration(pollInterval ?? "500ms"),
      lookbackMs: parseDuration(lookback ?? "30s"),
      onTruncate: onTruncate ?? "Stop",
      maxRetainedWalBytes: Number(kept.slice(0, -2)) * (wal[kept.slice(-2)] ?? MEBI),
      slot: slotName(metadata.namespace, metadata.name, stage.name, connectionSecretRef.name, fields.table),
    },
  };
}

export function topicConfig(spec: StreamPipeline["spec"], name: string): TopicConfig {
  const topic = spec.topics.find((entry) => entry.name === name);
  const time = topic?.fields?.find((field) => field.name === topic.timestamp);
  return {
    name,
    ...(topic?.key === undefined ? {} : { key: topic.key }),
    // The record's own time is taken where no field is the event's.
    ...(topic?.timestamp === undefined || time?.from === "timestamp" ? {} : { timestamp: topic.timestamp }),
    fields: topic?.fields ?? [],
  };
}
