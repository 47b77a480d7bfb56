/** The CloudNativePG Cluster of a pipeline's own. */
import type { StreamPipeline } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { keptMetadata } from "./metadata.ts";
import { databaseName, databaseObjectName, databaseOwner } from "@caudal/pipeline";

type OwnCluster = NonNullable<NonNullable<StreamPipeline["spec"]["database"]>["cluster"]>;
/** From so many instances on, a quorum can tell whether a standby has all that was committed. */
const QUORUM_INSTANCES = 3;

/**
 * Commits wait for a standby unless the spec says that they wait for none: without that, a failover loses the last ones.
 */
function replicationOf(
  instances: number,
  { method, number }: NonNullable<OwnCluster["synchronous"]> = { method: "any", number: instances > 1 ? 1 : 0 },
): Record<string, unknown> {
  if (number === 0) return {};
  const quorum = instances >= QUORUM_INSTANCES ? { failoverQuorum: true } : {};
  return { postgresql: { synchronous: { method, number, ...quorum } } };
}

export function buildDatabaseCluster(pipeline: StreamPipeline): KubeObject[] {
  const { metadata, spec } = pipeline;
  const cluster = spec.database?.cluster;
  if (cluster === undefined) return [];
  const { instances, storage, imageName, resources: podResources, synchronous } = cluster;
  return [
    {
      apiVersion: resources.databaseCluster.apiVersion,
      kind: resources.databaseCluster.kind,
      metadata: keptMetadata(pipeline, databaseObjectName(metadata.name)),
      spec: {
        instances,
        storage: {
          size: String(storage.size),
          ...(storage.storageClass === undefined ? {} : { storageClass: storage.storageClass }),
        },
        ...(imageName === undefined ? {} : { imageName }),
        ...(podResources === undefined || Object.keys(podResources).length === 0 ? {} : { resources: podResources }),
        ...replicationOf(instances, synchronous),
        bootstrap: {
          initdb: {
            database: databaseName(metadata.name, spec.database?.name),
            owner: databaseOwner(metadata.name),
          },
        },
      },
    },
  ];
}
