/**
 * Suspends and resumes what runs where no plan says how many pods there are to be: while the spec is refused, or a stage
 * waits for something. What runs is the definition that was accepted last.
 */
import { annotation, label, type StreamPipeline } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import { resourceOf } from "../kube/object.ts";
import { stagesOf } from "@caudal/pipeline";
import type { WriteContext } from "./apply.ts";

/** @returns how many pods a Deployment of the pipeline is to have, where that is not what it asks for */
export function replicasOf(pipeline: StreamPipeline, deployment: KubeObject): number | undefined {
  const { metadata, spec = {} } = deployment;
  if (deployment.kind !== "Deployment" || metadata.deletionTimestamp !== undefined) return undefined;
  if (metadata.ownerReferences?.some(({ uid }) => uid === pipeline.metadata.uid) !== true) return undefined;
  // Written for a newer generation than the one that is looked at.
  if (Number(metadata.annotations?.[annotation.generation] ?? 0) > pipeline.metadata.generation) return undefined;
  const asked = Number(spec["replicas"] ?? 1);
  if (pipeline.spec.suspend) return asked === 0 ? undefined : 0;
  if (asked > 0) return undefined;
  const stage = stagesOf(pipeline).find(({ name }) => name === metadata.labels?.[label.stage]);
  return stage === undefined || stage.replicas === 0 ? undefined : stage.replicas;
}

/** @returns the Deployment as it is then */
export async function scale({ client, pipeline, writes }: WriteContext, live: KubeObject, replicas: number) {
  const { uid, resourceVersion } = live.metadata;
  const patch = { metadata: { uid, resourceVersion }, spec: { replicas } };
  const after = await client.patch(resourceOf(live), live.metadata, patch);
  writes.record(pipeline, after, "Updated");
  return { ...after, apiVersion: live.apiVersion, kind: live.kind };
}
