/** The Secret with which a pipeline logs in to a CloudNativePG Cluster that it shares. */
import type { StreamPipeline } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { databaseName, databaseOwner, databaseSecretName, labelsOf } from "@caudal/pipeline";

/**
 * @param role as it is in the cluster: the Secret belongs to it, so that both go together and the operator needs no
 *   right to delete secrets
 * @param password made by the caller, once
 */
export function buildDatabaseSecret(pipeline: StreamPipeline, role: KubeObject, password: string): KubeObject {
  const { metadata, spec } = pipeline;
  const cluster = spec.database?.clusterRef?.name ?? "";
  return {
    apiVersion: resources.secret.apiVersion,
    kind: resources.secret.kind,
    metadata: {
      name: databaseSecretName(metadata.name),
      namespace: metadata.namespace,
      // CloudNativePG reads a password again when its Secret has this label.
      labels: { ...labelsOf(metadata.name), "cnpg.io/reload": "true" },
      ownerReferences: [
        {
          apiVersion: role.apiVersion,
          kind: role.kind,
          name: role.metadata.name,
          uid: role.metadata.uid ?? "",
        },
      ],
    },
    type: "kubernetes.io/basic-auth",
    stringData: {
      host: `${cluster}-rw.${metadata.namespace}.svc`,
      port: "5432",
      dbname: databaseName(metadata.name, spec.database?.name),
      username: databaseOwner(metadata.name),
      password,
    },
  };
}
