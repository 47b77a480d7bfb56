/** The role with which a pipeline logs in to a CloudNativePG Cluster that it shares. */
import type { StreamPipeline } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { keptMetadata } from "./metadata.ts";
import { databaseObjectName, databaseOwner, databaseSecretName } from "@caudal/pipeline";

export function buildDatabaseRole(pipeline: StreamPipeline): KubeObject[] {
  const { metadata, spec } = pipeline;
  const cluster = spec.database?.clusterRef;
  if (cluster === undefined) return [];
  return [
    {
      apiVersion: resources.databaseRole.apiVersion,
      kind: resources.databaseRole.kind,
      metadata: keptMetadata(pipeline, databaseObjectName(metadata.name)),
      spec: {
        name: databaseOwner(metadata.name),
        cluster: { name: cluster.name },
        login: true,
        passwordSecret: { name: databaseSecretName(metadata.name) },
        databaseRoleReclaimPolicy: spec.deletionPolicy === "Delete" ? "delete" : "retain",
      },
    },
  ];
}
