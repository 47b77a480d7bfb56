/** PodMonitors, where the Prometheus operator's CRD is there. */
import type { StreamPipeline } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { ownedMetadata } from "./metadata.ts";
import { childName, databaseObjectName, selectorOf, type StageIdentity } from "@caudal/pipeline";

export function buildPodMonitor(pipeline: StreamPipeline, stage: StageIdentity): KubeObject {
  return {
    apiVersion: resources.podMonitor.apiVersion,
    kind: resources.podMonitor.kind,
    metadata: ownedMetadata(pipeline, childName(pipeline.metadata.name, stage.name), stage),
    spec: {
      selector: { matchLabels: selectorOf(pipeline.metadata.name, stage) },
      podMetricsEndpoints: [{ port: "http", path: "/metrics" }],
    },
  };
}

/** Of the pipeline's own PostgreSQL: CloudNativePG's enablePodMonitor is deprecated. */
export function buildDatabasePodMonitor(pipeline: StreamPipeline): KubeObject[] {
  if (pipeline.spec.database?.cluster === undefined) return [];
  const name = databaseObjectName(pipeline.metadata.name);
  return [
    {
      apiVersion: resources.podMonitor.apiVersion,
      kind: resources.podMonitor.kind,
      metadata: ownedMetadata(pipeline, name),
      spec: {
        selector: { matchLabels: { "cnpg.io/cluster": name, "cnpg.io/podRole": "instance" } },
        podMetricsEndpoints: [{ port: "metrics" }],
      },
    },
  ];
}
