import type { Logger } from "pino";
import type { KubeObject, Secret, StatefulSet } from "./core/objects.ts";
import { sameJson } from "./core/objects.ts";
import { stampConditions } from "./core/conditions.ts";
import type { Condition } from "./core/conditions.ts";
import type { KubeClient } from "./kube/client.ts";
import type { Store } from "./kube/store.ts";
import type { Cluster, Database, DatabaseRole } from "./cnpg/core/types.ts";
import type { Kafka, KafkaNodePool, KafkaTopic, KafkaUser } from "./strimzi/core/types.ts";

/** What both reconcilers work with. */
export interface Context {
  client: KubeClient;
  log: Logger;
  kafkas: Store<Kafka>;
  pools: Store<KafkaNodePool>;
  topics: Store<KafkaTopic>;
  users: Store<KafkaUser>;
  clusters: Store<Cluster>;
  databases: Store<Database>;
  roles: Store<DatabaseRole>;
  secrets: Store<Secret>;
  statefulSets: Store<StatefulSet>;
}

interface WithConditions {
  conditions?: Condition[];
}

/** Writes a status where it differs from the one that is there. */
export async function writeStatus(context: Context, object: KubeObject, status: object): Promise<void> {
  const { conditions } = status as WithConditions;
  const stamped =
    conditions === undefined
      ? status
      : {
          ...status,
          conditions: stampConditions(
            conditions,
            (object.status as WithConditions | undefined)?.conditions,
            new Date().toISOString(),
          ),
        };
  if (sameJson(stamped, object.status ?? {})) return;
  await context.client.replaceStatus(object, stamped);
}

/** Adds or takes away a finalizer and answers the object as it is then; 409 when it has changed since it was read. */
export async function setFinalizer<T extends KubeObject>(
  context: Context,
  object: T,
  finalizer: string,
  wanted: boolean,
): Promise<T> {
  const before = object.metadata.finalizers ?? [];
  if (before.includes(finalizer) === wanted) return object;
  const finalizers = wanted ? [...before, finalizer] : before.filter((one) => one !== finalizer);
  const patch = { metadata: { finalizers, resourceVersion: object.metadata.resourceVersion } };
  return context.client.merge(object, patch);
}

/** Whether the one pod of a StatefulSet runs its newest revision and is ready. */
export function podReady(statefulSet: StatefulSet | undefined): boolean {
  const status = statefulSet?.status;
  return (
    status?.readyReplicas === 1 &&
    status.observedGeneration === statefulSet?.metadata.generation &&
    status.currentRevision === status.updateRevision
  );
}
