/** Metadata of what a pipeline makes: stateless children are owned by reference, what holds data by annotation. */
import { annotation, API_VERSION, KIND, type StreamPipeline } from "@caudal/crds";
import type { Metadata } from "../kube/object.ts";
import { labelsOf, type StageIdentity } from "@caudal/pipeline";

type Owner = Pick<StreamPipeline, "metadata">;

/** Of a child that goes with the pipeline: the garbage collector deletes it. */
export function ownedMetadata({ metadata }: Owner, name: string, stage?: StageIdentity): Metadata {
  return {
    name,
    namespace: metadata.namespace,
    labels: labelsOf(metadata.name, stage),
    annotations: { [annotation.generation]: String(metadata.generation) },
    ownerReferences: [
      {
        apiVersion: API_VERSION,
        kind: KIND,
        name: metadata.name,
        uid: metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  };
}

/** Of a topic or database: it outlives the pipeline unless the deletion policy says otherwise. */
export function keptMetadata({ metadata }: Owner, name: string, labels: Record<string, string> = {}): Metadata {
  return {
    name,
    namespace: metadata.namespace,
    labels: { ...labelsOf(metadata.name), ...labels },
    annotations: { [annotation.generation]: String(metadata.generation), [annotation.owner]: metadata.uid },
  };
}
