/** Which secrets a stage's pods mount, and which of their keys. */
import { path, type StreamPipeline } from "@caudal/crds";
import type { ReportedObject } from "./reported-object.ts";
import type { KafkaAccess } from "./kafka-access.ts";
import { clusterAppSecretName, clusterCaSecretName, databaseObjectName, databaseSecretName } from "./names.ts";
import { type StageSpec, stagesOf } from "./stages.ts";
import { usesDatabase } from "./workload-config.ts";

export interface SecretUse {
  readonly name: string;
  readonly keys: readonly string[];
  /** Keys that need not be there. */
  readonly optional?: readonly string[];
  /** All of its keys are mounted, also those that come later; `keys` are those that have to be there. */
  readonly whole?: boolean;
  /** It is read again for each connection: another content replaces no pod. */
  readonly readAgain?: boolean;
  /** Where its files are in the container. */
  readonly folder: string;
}

const REDIS_KEYS = ["uri"];
const S3_KEYS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
const DATABASE_KEYS = ["host", "port", "dbname", "username", "password"];
const DATABASE_OPTIONS = ["sslmode"];
const CA_KEYS = ["ca.crt"];

/** Name of the Secret with which the pipeline logs in to its database. */
export function databaseSecretOf({ metadata, spec }: StreamPipeline): string | undefined {
  if (spec.database === undefined) return undefined;
  if (spec.database.secretRef !== undefined) return spec.database.secretRef.name;
  return spec.database.clusterRef === undefined
    ? clusterAppSecretName(metadata.name)
    : databaseSecretName(metadata.name);
}

/** Name of the CloudNativePG Cluster that has the pipeline's database: its own, or the one that it shares. */
export function databaseClusterOf({ metadata, spec }: StreamPipeline): string | undefined {
  const { database } = spec;
  if (database === undefined || database.secretRef !== undefined) return undefined;
  return database.clusterRef?.name ?? databaseObjectName(metadata.name);
}

/**
 * Name of the Secret of the authority by which the pipeline's database is trusted.
 *
 * @param cluster the CloudNativePG Cluster of {@link databaseClusterOf}, which may have an authority that people gave it
 */
export function databaseCaSecretOf(pipeline: StreamPipeline, cluster: ReportedObject | undefined): string | undefined {
  const given = pipeline.spec.database?.caSecretRef;
  if (given !== undefined) return given.name;
  const name = databaseClusterOf(pipeline);
  if (name === undefined) return undefined;
  const { certificates } = (cluster?.spec ?? {}) as { certificates?: { serverCASecret?: string } };
  return certificates?.serverCASecret ?? clusterCaSecretName(name);
}

/** What a stage's pods mount. @param cluster as for {@link databaseCaSecretOf} */
export function secretsOf(
  pipeline: StreamPipeline,
  access: KafkaAccess,
  stage: StageSpec,
  cluster: ReportedObject | undefined,
): SecretUse[] {
  const uses = [...ownDatabase(pipeline, stage, cluster), ...namedSecrets(stage)];
  if (access.caSecret !== undefined) uses.push({ ...access.caSecret, folder: path.kafkaCa });
  if (access.userSecret !== undefined) uses.push({ ...access.userSecret, folder: path.kafkaUser });
  return uses;
}

/** The pipeline's own database, where the stage uses it. */
function ownDatabase(pipeline: StreamPipeline, stage: StageSpec, cluster: ReportedObject | undefined): SecretUse[] {
  const used = stage.role === "aggregator" || (stage.role === "transform" && usesDatabase(stage));
  return used ? databaseUses(pipeline, cluster) : [];
}

/** What it takes to log in to the pipeline's own database, and to trust it. @param cluster as for {@link databaseCaSecretOf} */
export function databaseUses(pipeline: StreamPipeline, cluster: ReportedObject | undefined): SecretUse[] {
  const name = databaseSecretOf(pipeline);
  if (name === undefined) return [];
  const ca = databaseCaSecretOf(pipeline, cluster);
  return [
    { name, keys: DATABASE_KEYS, optional: DATABASE_OPTIONS, folder: path.database },
    ...(ca === undefined ? [] : [caUse(ca, path.database)]),
  ];
}

function caUse(name: string, folder: string): SecretUse {
  return { name, keys: CA_KEYS, folder, readAgain: true };
}

/** Secrets that the stage itself names, each once with all keys that are read of it, and the authority beside each. */
function namedSecrets(stage: StageSpec): SecretUse[] {
  const named = new Map<string, { readonly keys: Set<string>; readonly optional: Set<string>; ca?: string }>();
  for (const { name, keys, optional = [], ca } of secretRefs(stage)) {
    const known = named.get(name) ?? { keys: new Set(), optional: new Set() };
    for (const key of keys) known.keys.add(key);
    for (const key of optional) known.optional.add(key);
    // A Secret's folder has one authority: who names the Secret twice, with two, gets the first for both.
    if (ca !== undefined) known.ca ??= ca;
    named.set(name, known);
  }
  return [...named]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, { keys, optional, ca }]) => {
      const folder = path.secret(name);
      const use = { name, keys: [...keys], folder, ...(optional.size === 0 ? {} : { optional: [...optional] }) };
      return [use, ...(ca === undefined ? [] : [caUse(ca, folder)])];
    });
}

interface SecretRef {
  readonly name: string;
  readonly keys: readonly string[];
  readonly optional?: readonly string[];
  readonly ca?: string;
}

function secretRefs(stage: StageSpec): SecretRef[] {
  type Ref = { readonly name: string } | undefined;
  const of = (ref: Ref, ca: Ref, keys: readonly string[], optional: readonly string[] = []): SecretRef[] =>
    ref === undefined ? [] : [{ name: ref.name, keys, optional, ...(ca === undefined ? {} : { ca: ca.name }) }];
  if (stage.role === "source") {
    const { connectionSecretRef, caSecretRef } = stage.postgres;
    return of(connectionSecretRef, caSecretRef, DATABASE_KEYS, DATABASE_OPTIONS);
  }
  if (stage.role !== "transform") return [];
  return [
    ...(stage.lookups ?? []).flatMap(({ connectionSecretRef, caSecretRef }) =>
      of(connectionSecretRef, caSecretRef, DATABASE_KEYS, DATABASE_OPTIONS),
    ),
    ...stage.to.flatMap(({ redis, files }) => [
      ...of(redis?.connectionSecretRef, redis?.caSecretRef, REDIS_KEYS),
      ...of(files?.credentialsSecretRef, files?.caSecretRef, S3_KEYS),
    ]),
  ];
}

/** Names of all secrets that any stage of the pipeline mounts, sorted. */
export function secretNamesOf(
  pipeline: StreamPipeline,
  access: KafkaAccess,
  cluster: ReportedObject | undefined,
): string[] {
  const uses = stagesOf(pipeline).flatMap((stage) => secretsOf(pipeline, access, stage, cluster));
  return [...new Set([...uses, ...databaseUses(pipeline, cluster)].map(({ name }) => name))].sort();
}
