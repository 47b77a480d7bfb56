/** Which secrets a stage's pods mount, and which of their keys. */
import { path, type StreamPipeline } from "@caudal/crds";
import type { SecretObservation } from "../observe/observation.ts";
import type { KafkaAccess } from "./kafka-access.ts";
import { clusterAppSecretName, databaseSecretName } from "./names.ts";
import { type StageSpec, stagesOf } from "./stages.ts";
import { usesDatabase } from "./workload-config.ts";

export interface SecretUse {
  readonly name: string;
  readonly keys: readonly string[];
  /** Where its files are in the container. */
  readonly folder: string;
}

const REDIS_KEYS = ["uri"];
const S3_KEYS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
const DATABASE_KEYS = ["host", "port", "dbname", "username", "password"];

/** Name of the Secret with which the pipeline logs in to its database. */
export function databaseSecretOf({ metadata, spec }: StreamPipeline): string | undefined {
  if (spec.database === undefined) return undefined;
  if (spec.database.secretRef !== undefined) return spec.database.secretRef.name;
  return spec.database.clusterRef === undefined
    ? clusterAppSecretName(metadata.name)
    : databaseSecretName(metadata.name);
}

export function secretsOf(pipeline: StreamPipeline, access: KafkaAccess, stage: StageSpec): SecretUse[] {
  const uses = [...ownDatabase(pipeline, stage), ...namedSecrets(stage)];
  if (access.caSecret !== undefined) uses.push({ ...access.caSecret, folder: path.kafkaCa });
  if (access.userSecret !== undefined) uses.push({ ...access.userSecret, folder: path.kafkaUser });
  return uses;
}

/** The pipeline's own database, where the stage uses it. */
function ownDatabase(pipeline: StreamPipeline, stage: StageSpec): SecretUse[] {
  const used = stage.role === "aggregator" || (stage.role === "transform" && usesDatabase(stage));
  const name = used ? databaseSecretOf(pipeline) : undefined;
  return name === undefined ? [] : [databaseUse(name)];
}

export function databaseUse(name: string): SecretUse {
  return { name, keys: DATABASE_KEYS, folder: path.database };
}

/** Secrets that the stage itself names, each once with all keys that are read of it. */
function namedSecrets(stage: StageSpec): SecretUse[] {
  const keys = new Map<string, Set<string>>();
  for (const { name, keys: read } of secretRefs(stage)) keys.set(name, new Set([...(keys.get(name) ?? []), ...read]));
  return [...keys]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, read]) => ({ name, keys: [...read], folder: path.secret(name) }));
}

function secretRefs(stage: StageSpec): { readonly name: string; readonly keys: readonly string[] }[] {
  if (stage.role === "source") return [{ name: stage.postgres.connectionSecretRef.name, keys: DATABASE_KEYS }];
  if (stage.role !== "transform") return [];
  const of = (ref: { readonly name: string } | undefined, keys: readonly string[]) =>
    ref === undefined ? [] : [{ name: ref.name, keys }];
  return [
    ...(stage.lookups ?? []).flatMap(({ connectionSecretRef }) => of(connectionSecretRef, DATABASE_KEYS)),
    ...stage.to.flatMap(({ redis, files }) => [
      ...of(redis?.connectionSecretRef, REDIS_KEYS),
      ...of(files?.credentialsSecretRef, S3_KEYS),
    ]),
  ];
}

/** Names of all secrets that any stage of the pipeline mounts, sorted. */
export function secretNamesOf(pipeline: StreamPipeline, access: KafkaAccess): string[] {
  const uses = stagesOf(pipeline).flatMap((stage) => secretsOf(pipeline, access, stage));
  const database = databaseSecretOf(pipeline);
  return [...new Set([...uses.map(({ name }) => name), ...(database === undefined ? [] : [database])])].sort();
}

/** The first secret or key that is not there. */
export function missingSecrets(
  uses: readonly SecretUse[],
  secrets: ReadonlyMap<string, SecretObservation>,
): { reason: string; message: string } | undefined {
  for (const { name, keys } of uses) {
    const secret = secrets.get(name);
    if (secret?.error !== undefined)
      return { reason: "SecretNotReadable", message: `Secret/${name} cannot be read: ${secret.error}` };
    if (secret?.exists !== true)
      return { reason: "SecretNotFound", message: `Secret/${name} does not exist yet: waiting for it` };
    const absent = keys.filter((key) => !(key in secret.keys));
    if (absent.length > 0)
      return { reason: "SecretKeyMissing", message: `Secret/${name} lacks ${absent.join(", ")}: add what is missing` };
  }
  return undefined;
}
