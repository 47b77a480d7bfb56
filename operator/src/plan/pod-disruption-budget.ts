/** Drains of nodes take one pod of a stage at a time, and are never blocked by a stage of one pod. */
import type { StreamPipeline } from "@caudal/crds";
import { type KubeObject, resources } from "../kube/object.ts";
import { ownedMetadata } from "./metadata.ts";
import { childName, selectorOf, type StageIdentity } from "@caudal/pipeline";

export function buildPodDisruptionBudget(pipeline: StreamPipeline, stage: StageIdentity): KubeObject {
  return {
    apiVersion: resources.podDisruptionBudget.apiVersion,
    kind: resources.podDisruptionBudget.kind,
    metadata: ownedMetadata(pipeline, childName(pipeline.metadata.name, stage.name), stage),
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorOf(pipeline.metadata.name, stage) } },
  };
}
