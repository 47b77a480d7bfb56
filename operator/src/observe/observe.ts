/** Gathers all that a decision needs, from the caches and, for secrets, from the API server. */
import { KIND, label, type StreamPipeline } from "@caudal/crds";
import type { KubeClient } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import { Forbidden, KubeError, NotFound } from "../kube/errors.ts";
import { type KubeObject, type Resource, resourceOf, resources } from "../kube/object.ts";
import { kafkaAccessOf, databaseClusterOf, secretNamesOf } from "@caudal/pipeline";
import { holdsData } from "../plan/kinds.ts";
import type { Caches } from "./caches.ts";
import { claimsOf } from "./claims.ts";
import type { Observation, SecretObservation } from "./observation.ts";
import { observePod } from "./pods.ts";
import { observeSecret } from "./secrets.ts";
import type { StagePoller } from "./stages.ts";

export interface ObserveContext {
  readonly client: KubeClient;
  readonly caches: Caches;
  readonly stages: StagePoller;
  readonly hmacKey: Buffer;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly clock: Clock;
}

/** Kinds that a pipeline's children have. */
const childKinds: readonly Resource[] = [
  resources.kafkaTopic,
  resources.kafkaUser,
  resources.databaseCluster,
  resources.databaseRole,
  resources.database,
  resources.configMap,
  resources.service,
  resources.podDisruptionBudget,
  resources.deployment,
  resources.podMonitor,
];

/** The caches do not yet hold everything that exists: a decision on them would be wrong. */
export class NotSynced extends KubeError {
  readonly code = "ENOTSYNCED";
  readonly reason = "CachesNotSynced";
  readonly retryable = true;
}

export async function observePipeline(
  { caches, client }: ObserveContext,
  namespace: string,
  name: string,
): Promise<StreamPipeline | undefined> {
  const unseen = caches.unseen(namespace).some(({ kind }) => kind === resources.streamPipeline.kind);
  const known = caches.get(resources.streamPipeline, namespace, name);
  if (!unseen) return known as StreamPipeline | undefined;
  // What was known of it is old. That it is gone is not for one answer to say while the kind is not seen.
  const live = await client.get(resources.streamPipeline, namespace, name);
  if (live === undefined) throw new NotSynced(`StreamPipeline is not seen in namespace ${namespace}`);
  return live as unknown as StreamPipeline;
}

/** Kinds that a pipeline's children and dependencies have. */
function needsKind({ spec }: StreamPipeline, kind: string): boolean {
  if (["Kafka", "KafkaTopic", "KafkaUser"].includes(kind)) return spec.kafka.clusterRef !== undefined;
  if (["Cluster", "Database", "DatabaseRole"].includes(kind))
    return spec.database !== undefined && spec.database.secretRef === undefined;
  return true;
}

export async function observe(context: ObserveContext, pipeline: StreamPipeline): Promise<Observation> {
  const { caches } = context;
  const { namespace, name } = pipeline.metadata;
  const kafkaName = pipeline.spec.kafka.clusterRef?.name;
  const kafka = kafkaName === undefined ? undefined : caches.get(resources.kafka, namespace, kafkaName);
  const shared = pipeline.spec.database?.clusterRef?.name;
  const clusterName = databaseClusterOf(pipeline);
  const cluster = clusterName === undefined ? undefined : caches.get(resources.databaseCluster, namespace, clusterName);
  const names = secretNamesOf(pipeline, kafkaAccessOf(pipeline, kafka), cluster);
  const secrets = new Map<string, SecretObservation>();
  for (const secret of names)
    secrets.set(secret, await observeSecret(context.client, context.hmacKey, namespace, secret));
  return {
    now: context.now(),
    clock: context.clock(),
    pipeline,
    installed: caches.installed(),
    unseen: caches.unseen(namespace).filter(({ kind }) => needsKind(pipeline, kind)),
    kafka,
    sharedDatabaseCluster: shared === undefined ? undefined : cluster,
    databaseCluster: cluster,
    secrets,
    children: new Map(childrenInCaches(caches, namespace, name).map((child) => [keyOfChild(child), child])),
    pods: caches
      .ofPipeline(resources.pod, namespace, name)
      .filter((pod) => pod.status?.["phase"] !== "Succeeded" && pod.status?.["phase"] !== "Failed")
      .map((pod) => observePod(pod, context.stages.of(pod))),
    claims: claimsOf(pipeline, caches.all(resources.streamPipeline) as unknown as StreamPipeline[]),
  };
}

export function keyOfChild({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.name}`;
}

function childrenInCaches(caches: Caches, namespace: string, pipeline: string): KubeObject[] {
  return childKinds.flatMap((resource) => caches.ofPipeline(resource, namespace, pipeline));
}

/** An object that the caches do not hold, asked of the API server. */
export async function readLive({ client }: ObserveContext, object: KubeObject): Promise<KubeObject | undefined> {
  return await client.get(resourceOf(object), object.metadata.namespace, object.metadata.name);
}

/** Whether the pipeline of this uid exists now. */
export async function isCurrent({ client }: ObserveContext, { metadata }: StreamPipeline): Promise<boolean> {
  const live = await client.get(resources.streamPipeline, metadata.namespace, metadata.name);
  return live?.metadata.uid === metadata.uid;
}

/** Topics and databases whose pipeline, by name, is gone. */
export async function observeOrphans(context: ObserveContext, namespace: string, name: string): Promise<KubeObject[]> {
  const orphans = childrenInCaches(context.caches, namespace, name).filter(
    (object) =>
      // The rest has an owner, and is collected.
      holdsData(object) &&
      object.metadata.labels?.[label.released] !== "true" &&
      object.metadata.deletionTimestamp === undefined,
  );
  if (orphans.length === 0) return [];
  // The cache may be behind: only the API server can say that the pipeline is gone.
  const live = await context.client.get(resources.streamPipeline, namespace, name);
  return live === undefined ? orphans : [];
}

/** Everything whose label names the pipeline, from the API server: a cache may not have seen the last create. */
export async function observeLeftBehind(context: ObserveContext, { metadata }: StreamPipeline): Promise<KubeObject[]> {
  const objects: KubeObject[] = [];
  for (const resource of childKinds) {
    if (context.caches.isGone(resource)) continue;
    const query = { labelSelector: `${label.pipeline}=${metadata.name}` };
    try {
      objects.push(...(await context.client.list(resource, metadata.namespace, query)).items);
    } catch (error) {
      // The garbage collector takes monitors, whatever becomes of their kind.
      if (resource === resources.podMonitor && (error instanceof NotFound || error instanceof Forbidden)) continue;
      if (!(error instanceof NotFound)) throw error;
      throw new NotSynced(
        `${resource.kind} is away: its objects are looked for again until it has been so for a while`,
      );
    }
  }
  return objects;
}

/** What stands in for a pipeline that is gone, for what is written about it. */
export function tombstone(namespace: string, name: string): StreamPipeline {
  return {
    apiVersion: resources.streamPipeline.apiVersion,
    kind: KIND,
    metadata: { name, namespace, uid: "", generation: 0, resourceVersion: "" },
    spec: { suspend: false, deletionPolicy: "Retain", kafka: {}, topics: [] },
  };
}
