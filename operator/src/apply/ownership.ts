/** Whether an object that exists may be written by this pipeline: pure, so that every rule has a test. */
import { annotation, GROUP, label, MANAGER, type StreamPipeline } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";

export type Verdict =
  | { readonly kind: "ours" }
  /** Of a pipeline of this name that is gone, or released earlier: taken back. */
  | { readonly kind: "reclaim" }
  /** Another's, offered by its annotation. */
  | { readonly kind: "adopt" }
  | { readonly kind: "refused"; readonly message: string }
  /** Stamped by a newer generation than the one this plan is for. */
  | { readonly kind: "newer" };

export function judge(live: KubeObject, { metadata }: StreamPipeline): Verdict {
  const { labels = {}, annotations = {}, ownerReferences = [] } = live.metadata;
  const managed = labels["app.kubernetes.io/managed-by"] === MANAGER;
  const named = managed && labels[label.pipeline] === metadata.name;
  const controller = ownerReferences.find((reference) => reference.controller === true);
  const owner = controller?.uid ?? annotations[annotation.owner];
  if (named && owner === metadata.uid) {
    const stamp = Number(annotations[annotation.generation] ?? 0);
    if (stamp > metadata.generation) return { kind: "newer" };
    return labels[label.released] === "true" ? { kind: "reclaim" } : { kind: "ours" };
  }
  // One pipeline of a name can exist at a time: the other uid's is gone. The garbage collector takes what it owned.
  if (named && controller === undefined) return { kind: "reclaim" };
  if (controller === undefined && annotations[annotation.adopt] === "true") return { kind: "adopt" };
  const other = controller === undefined ? labels[label.pipeline] : `${controller.kind}/${controller.name}`;
  const whose = other === undefined ? "is not this pipeline's" : `belongs to ${other}`;
  return {
    kind: "refused",
    message:
      `${live.kind}/${live.metadata.name} exists and ${whose}: delete it, use another name, or ` +
      (controller === undefined
        ? `annotate it with ${annotation.adopt}: "true" to let this pipeline take it over`
        : "remove its owner"),
  };
}

/** Taken over from somebody: retained whatever the policy says. */
export function isAdopted(live: KubeObject): boolean {
  return live.metadata.annotations?.[annotation.adopted] === "true";
}

/** Annotation with the hash of what was written last. */
export const APPLIED = `${GROUP}/applied`;
