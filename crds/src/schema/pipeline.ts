import { type Static, Type } from "typebox";
import { Aggregator } from "./aggregator.ts";
import { listMap, rules } from "./common.ts";
import { DatabaseSpec } from "./database.ts";
import { Generator } from "./generator.ts";
import { KafkaSpec } from "./kafka.ts";
import { Source } from "./source.ts";
import { PipelineStatus } from "./status.ts";
import { Topic } from "./topic.ts";
import { Transform } from "./transform.ts";

export const PipelineSpec = Type.Object(
  {
    suspend: Type.Boolean({ default: false, description: "true: stages drain and scale to zero; nothing is lost." }),
    deletionPolicy: Type.Union([Type.Literal("Retain"), Type.Literal("Delete")], {
      default: "Retain",
      description: "What becomes of topics and database when the pipeline is deleted.",
    }),
    kafka: KafkaSpec,
    database: Type.Optional(DatabaseSpec),
    topics: listMap(Topic, { minItems: 1, maxItems: 64, description: "The topics that stages read and write." }),
    generators: Type.Optional(listMap(Generator, { maxItems: 32, description: "Stages that make up events." })),
    sources: Type.Optional(listMap(Source, { maxItems: 32, description: "Stages that read databases into topics." })),
    transforms: Type.Optional(
      listMap(Transform, { maxItems: 32, description: "Stages that filter events and pass them on." }),
    ),
    aggregators: Type.Optional(listMap(Aggregator, { maxItems: 32, description: "Stages that keep exact tables." })),
  },
  {
    description: "What the pipeline is.",
    ...rules(
      {
        rule: "!has(self.transforms) || has(self.database) || self.transforms.all(s, s.to.all(o, !has(o.table) && !has(o.files)) && (!has(s.lookups) || s.lookups.all(l, has(l.connectionSecretRef))))",
        message:
          "tables, lookups and the progress of files are in PostgreSQL: set spec.database, or connectionSecretRef for a lookup",
        fieldPath: ".transforms",
      },
      {
        rule: "!has(self.aggregators) || self.aggregators.size() == 0 || has(self.database)",
        message: "aggregators keep their tables in PostgreSQL: set spec.database",
        fieldPath: ".aggregators",
      },
      { rule: "!has(oldSelf.database) || has(self.database)", message: "spec.database cannot be removed" },
      {
        rule: "!has(self.kafka.external) || self.topics.all(t, !t.managed)",
        message: "topics of an external Kafka cannot be managed: create them there and set managed: false",
        fieldPath: ".topics",
      },
    ),
  },
);
export type PipelineSpec = Static<typeof PipelineSpec>;

export const StreamPipelineSchema = Type.Object(
  {
    apiVersion: Type.Optional(Type.String({ description: "caudal.dev/v1alpha1." })),
    kind: Type.Optional(Type.String({ description: "StreamPipeline." })),
    metadata: Type.Optional(Type.Unsafe<Record<string, unknown>>({ type: "object" })),
    spec: PipelineSpec,
    status: Type.Optional(PipelineStatus),
  },
  {
    description: "A streaming pipeline: topics, the stages that read and write them, and a database for results.",
    ...rules({
      rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 40",
      message: "a pipeline's name is a DNS label (a to z, 0 to 9 and -, begins with a letter) of at most 40 characters",
    }),
  },
);

/** What the API server keeps of every object. */
export interface ObjectMeta {
  name: string;
  namespace: string;
  uid: string;
  generation: number;
  resourceVersion: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

/** A StreamPipeline as the API server serves it, with its defaults filled in. */
export interface StreamPipeline {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: PipelineSpec;
  status?: PipelineStatus;
}
