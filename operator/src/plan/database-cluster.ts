/** The CloudNativePG Cluster of a pipeline's own. */
import type { StreamPipeline } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { keptMetadata } from "./metadata.ts";
import { databaseName, databaseObjectName, databaseOwner } from "./names.ts";

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
        ...(synchronous === undefined
          ? {}
          : { postgresql: { synchronous: { method: synchronous.method, number: synchronous.number } } }),
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
