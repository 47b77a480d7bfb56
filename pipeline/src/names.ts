/** Every name and label that the operator gives, in one place. */
import { createHash } from "node:crypto";
import { label, MANAGER, readTableName } from "@caudal/crds";

export type Role = "generator" | "source" | "transform" | "aggregator";

const STRIMZI_CLUSTER = "strimzi.io/cluster";
/** Longest name of a Service and of a label's value. */
const DNS_LABEL = 63;

export function shortHash(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 8);
}

/** `<pipeline>-<stage>-<hash of both>`, cut so that it is a DNS label: the hash keeps `a-b`, `c` and `a`, `b-c` apart. */
export function childName(pipeline: string, stage: string): string {
  const hash = shortHash(pipeline, stage);
  return `${`${pipeline}-${stage}`.slice(0, DNS_LABEL - hash.length - 1).replace(/-+$/, "")}-${hash}`;
}

/** A ConfigMap is named by its content, so that a pod never starts with another's configuration. */
export function configMapName(pipeline: string, stage: string, contentHash: string): string {
  return `${childName(pipeline, stage)}-${contentHash.slice(0, 8)}`;
}

export const kafkaUserName = (pipeline: string): string => `${pipeline}-kafka`;

/** The pipeline's own CloudNativePG Cluster, or its Database and DatabaseRole in a shared one. */
export const databaseObjectName = (pipeline: string): string => `${pipeline}-db`;

/** The Secret with which workloads log in to the pipeline's own Cluster; CloudNativePG makes it. */
export const clusterAppSecretName = (pipeline: string): string => `${databaseObjectName(pipeline)}-app`;

/** The Secret of the authority that signs the certificates of a CloudNativePG Cluster's servers. */
export const clusterCaSecretName = (cluster: string): string => `${cluster}-ca`;

/** The Secret with which workloads log in to a shared Cluster; the operator makes it once. */
export const databaseSecretName = (pipeline: string): string => `${pipeline}-database`;

/** Also with the prefix that keeps them apart: pipelines `pg-x` and `caudal-pg-x` may share a cluster. */
const RESERVED_ROLE = /^(caudal_)*(postgres$|streaming_replica$|pg_|cnpg_)/;

/** Owner of the database: the pipeline's name as an SQL identifier, kept apart from PostgreSQL's own roles. */
export function databaseOwner(pipeline: string): string {
  const name = pipeline.replaceAll("-", "_");
  return RESERVED_ROLE.test(name) ? `caudal_${name}` : name;
}

export function databaseName(pipeline: string, given: string | undefined): string {
  return given ?? pipeline.replaceAll("-", "_");
}

const OBJECT_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** The KafkaTopic's own name: the topic's where Kubernetes allows it, or a slug with a hash. */
export function topicObjectName(topic: string): string {
  if (topic.length <= 253 && OBJECT_NAME.test(topic)) return topic;
  const slug = topic
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 200);
  return `${slug === "" ? "topic" : slug}-${shortHash(topic)}`;
}

/** Longest name in PostgreSQL; slots take a to z, 0 to 9 and _. */
const IDENTIFIER = 63;

/** Replication slot and publication of a source: another table or another database is another slot. */
export function slotName(namespace: string, pipeline: string, stage: string, secret: string, table: string): string {
  const hash = shortHash(namespace, pipeline, stage, secret, sourceTable(table));
  return `${`caudal_${pipeline}_${stage}`.replaceAll("-", "_").slice(0, IDENTIFIER - hash.length - 1)}_${hash}`;
}

const BARE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The table with its schema, however the spec writes it. */
function sourceTable(text: string): string {
  const ref = readTableName(text);
  if (typeof ref === "string") return text;
  return [ref.schema, ref.name].map((part) => (BARE.test(part) ? part : JSON.stringify(part))).join(".");
}

export interface StageIdentity {
  readonly name: string;
  readonly role: Role;
}

/** Labels of everything that belongs to a pipeline, or to one of its stages. */
export function labelsOf(pipeline: string, stage?: StageIdentity): Record<string, string> {
  return {
    "app.kubernetes.io/name": "caudal",
    "app.kubernetes.io/instance": pipeline,
    "app.kubernetes.io/managed-by": MANAGER,
    "app.kubernetes.io/part-of": "caudal",
    [label.pipeline]: pipeline,
    ...(stage === undefined
      ? {}
      : { "app.kubernetes.io/component": stage.role, [label.stage]: stage.name, [label.role]: stage.role }),
  };
}

/** What a Deployment, Service and PodDisruptionBudget select their pods by; it can never change. */
export function selectorOf(pipeline: string, stage: StageIdentity): Record<string, string> {
  return { [label.pipeline]: pipeline, [label.stage]: stage.name };
}

export const strimziClusterLabel = (cluster: string): Record<string, string> => ({ [STRIMZI_CLUSTER]: cluster });
