/** The database of a pipeline in a CloudNativePG Cluster that it shares. */
import type { StreamPipeline } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { keptMetadata } from "./metadata.ts";
import { databaseName, databaseObjectName, databaseOwner } from "@caudal/pipeline";

export function buildDatabase(pipeline: StreamPipeline): KubeObject[] {
  const { metadata, spec } = pipeline;
  const cluster = spec.database?.clusterRef;
  if (cluster === undefined) return [];
  return [
    {
      apiVersion: resources.database.apiVersion,
      kind: resources.database.kind,
      metadata: keptMetadata(pipeline, databaseObjectName(metadata.name)),
      spec: {
        name: databaseName(metadata.name, spec.database?.name),
        owner: databaseOwner(metadata.name),
        cluster: { name: cluster.name },
        ensure: "present",
        databaseReclaimPolicy: spec.deletionPolicy === "Delete" ? "delete" : "retain",
      },
    },
  ];
}
