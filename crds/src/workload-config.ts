/**
 * What the operator hands a workload: the file /etc/caudal/config.json. Durations are whole milliseconds here,
 * defaults are filled in, and secrets are paths of folders, never values.
 */
import { type Static, Type } from "typebox";
import { Aggregator } from "./schema/aggregator.ts";
import { Generator } from "./schema/generator.ts";
import { PostgresSource } from "./schema/source.ts";
import { Field } from "./schema/topic.ts";
import { Lookup, Output, Transform } from "./schema/transform.ts";
import { FilesOutput, RedisOutput } from "./schema/transform-outputs.ts";

export const KafkaConnection = Type.Object({
  bootstrapServers: Type.Array(Type.String(), { minItems: 1 }),
  /** Speaks TLS; trusts all files `*.crt` in the folder `ca`, or the system's authorities. */
  tls: Type.Optional(Type.Object({ ca: Type.Optional(Type.String()) })),
  /** Logs in with the file `password` in the folder `secret`; the user is `username`, or that folder's file `username`. */
  sasl: Type.Optional(
    Type.Object({
      mechanism: Type.Union([Type.Literal("scram-sha-512"), Type.Literal("scram-sha-256"), Type.Literal("plain")]),
      username: Type.Optional(Type.String()),
      secret: Type.String(),
    }),
  ),
});
export type KafkaConnection = Static<typeof KafkaConnection>;

export const TopicConfig = Type.Object({
  name: Type.String(),
  key: Type.Optional(Type.String()),
  timestamp: Type.Optional(Type.String()),
  fields: Type.Array(Field),
});
export type TopicConfig = Static<typeof TopicConfig>;

const {
  resources: _r,
  template: _t,
  name: _n,
  topic: _topic,
  replicas: _replicas,
  ...generatorFields
} = Generator.properties;
export const GeneratorConfig = Type.Object({ ...generatorFields, topic: TopicConfig });
export type GeneratorConfig = Static<typeof GeneratorConfig>;

const aggregatorFields = Aggregator.properties;
export const AggregatorConfig = Type.Object({
  topic: TopicConfig,
  where: aggregatorFields.where,
  watermark: Type.Object({ maxDelayMs: Type.Integer(), idleTimeoutMs: Type.Integer(), maxAheadMs: Type.Integer() }),
  lateEvents: aggregatorFields.lateEvents,
  deadLetterTopic: Type.String(),
  tables: aggregatorFields.tables,
  /** Most connections to PostgreSQL that this stage's pods may hold in all; each holds at most 3. */
  replicas: Type.Integer(),
});
export type AggregatorConfig = Static<typeof AggregatorConfig>;

const {
  refresh: _refresh,
  connectionSecretRef: _secretRef,
  caSecretRef: _lookupCa,
  ...lookupFields
} = Lookup.properties;
/** A lookup with the folder of its database's secret. */
export const LookupConfig = Type.Object({ ...lookupFields, refreshMs: Type.Integer(), secret: Type.String() });
export type LookupConfig = Static<typeof LookupConfig>;

const { connectionSecretRef: _redisSecret, caSecretRef: _redisCa, ttl: _ttl, ...redisFields } = RedisOutput.properties;
export const RedisOutputConfig = Type.Object({
  ...redisFields,
  /** Time to live of a key; 0: for ever. */
  ttlMs: Type.Integer(),
  /** Folder with the file uri, and ca.crt where an authority is named. */
  secret: Type.String(),
});
export type RedisOutputConfig = Static<typeof RedisOutputConfig>;

const {
  credentialsSecretRef: _s3Secret,
  caSecretRef: _s3Ca,
  claimRef: _claim,
  every: _every,
  path: _path,
  ...filesFields
} = FilesOutput.properties;
export const FilesOutputConfig = Type.Object({
  ...filesFields,
  /** s3://bucket/prefix/, or file:///folder/ as it is mounted. */
  path: Type.String(),
  everyMs: Type.Integer(),
  /** Folder with the files AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for s3://. */
  secret: Type.Optional(Type.String()),
});
export type FilesOutputConfig = Static<typeof FilesOutputConfig>;

const { topic: _outputTopic, redis: _redis, files: _files, ...outputFields } = Output.properties;
export const OutputConfig = Type.Object({
  ...outputFields,
  topic: Type.Optional(TopicConfig),
  redis: Type.Optional(RedisOutputConfig),
  files: Type.Optional(FilesOutputConfig),
});
export type OutputConfig = Static<typeof OutputConfig>;

const transformFields = Transform.properties;
export const TransformConfig = Type.Object({
  topic: TopicConfig,
  where: transformFields.where,
  select: transformFields.select,
  lookups: Type.Array(LookupConfig),
  deadLetterTopic: Type.String(),
  to: Type.Array(OutputConfig),
  replicas: Type.Integer(),
});
export type TransformConfig = Static<typeof TransformConfig>;

const { table, mode, keyColumns, timestampColumn, operationField, onInheritance, resync } = PostgresSource.properties;
export const SourceConfig = Type.Object({
  topic: TopicConfig,
  deadLetterTopic: Type.String(),
  postgres: Type.Object({
    /** Folder with the files host, port, dbname, username and password, and perhaps sslmode and ca.crt. */
    secret: Type.String(),
    /** Name of the Secret that ca.crt is of: whoever removes the slot trusts the same authority. */
    caSecret: Type.Optional(Type.String()),
    table,
    mode,
    keyColumns,
    timestampColumn,
    pollIntervalMs: Type.Integer(),
    lookbackMs: Type.Integer(),
    operationField,
    onTruncate: Type.Union([Type.Literal("Stop"), Type.Literal("Ignore")]),
    onInheritance,
    maxRetainedWalBytes: Type.Integer(),
    resync,
    /** Name of the replication slot and of the publication: of this stage and table, and of nobody else on the server. */
    slot: Type.String(),
  }),
});
export type SourceConfig = Static<typeof SourceConfig>;

export const WorkloadConfig = Type.Object({
  version: Type.Literal(1),
  pipeline: Type.Object({
    namespace: Type.String(),
    name: Type.String(),
    uid: Type.String(),
    generation: Type.Integer(),
  }),
  stage: Type.Object({
    name: Type.String(),
    role: Type.Union([
      Type.Literal("generator"),
      Type.Literal("source"),
      Type.Literal("transform"),
      Type.Literal("aggregator"),
    ]),
  }),
  kafka: KafkaConnection,
  /** Folder with the files host, port, dbname, username and password. */
  database: Type.Optional(Type.Object({ secret: Type.String() })),
  generator: Type.Optional(GeneratorConfig),
  source: Type.Optional(SourceConfig),
  transform: Type.Optional(TransformConfig),
  aggregator: Type.Optional(AggregatorConfig),
  /** Ids, in Kafka's form, of topics of the source topic's name that are gone: places in them are given up. */
  lostTopics: Type.Optional(Type.Array(Type.String())),
});
export type WorkloadConfig = Static<typeof WorkloadConfig>;

/** Consumer group of a stage: `caudal.<namespace>.<pipeline>.<stage>`. */
export function consumerGroup(config: Pick<WorkloadConfig, "pipeline" | "stage">): string {
  return `caudal.${config.pipeline.namespace}.${config.pipeline.name}.${config.stage.name}`;
}

/** Consumer group of one output of a transform: `caudal.<namespace>.<pipeline>.<stage>.<output>`. */
export function outputGroup(config: Pick<WorkloadConfig, "pipeline" | "stage">, output: string): string {
  return `${consumerGroup(config)}.${output}`;
}
