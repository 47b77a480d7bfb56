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
  const pipeline = managed && labels[label.released] !== "true" ? labels[label.pipeline] : undefined;
  return { kind: "refused", message: refusal(live, controller, pipeline, metadata.name) };
}

/**
 * @param pipeline the one that keeps the object now
 * @param name of the pipeline that is refused
 */
function refusal(
  { kind, metadata }: KubeObject,
  controller: { readonly kind: string; readonly name: string } | undefined,
  pipeline: string | undefined,
  name: string,
): string {
  const title = `${kind}/${metadata.name}`;
  if (pipeline === name)
    return `${title} is of an earlier pipeline ${name} that is gone: Kubernetes' garbage collector removes it within a minute, and it is made anew then`;
  if (kind === "KafkaTopic" && pipeline !== undefined)
    return (
      `${title} belongs to the pipeline ${pipeline}, which keeps it: to read or write the topic here too, set ` +
      "managed: false for it in spec.topics, without partitions, replicas and config (also for a topic of dead letters); or " +
      "use another name"
    );
  if (pipeline !== undefined)
    return `${title} exists and belongs to the pipeline ${pipeline}, which keeps it: use another name`;
  const [whose, take] =
    controller === undefined
      ? ["is not this pipeline's", `annotate it with ${annotation.adopt}: "true" to let this pipeline take it over`]
      : [`belongs to ${controller.kind}/${controller.name}`, "remove its owner"];
  const unmanaged =
    kind === "KafkaTopic"
      ? "to use the topic as it is, set managed: false for it in spec.topics, without partitions, replicas and config; or "
      : "";
  return `${title} exists and ${whose}: ${unmanaged}use another name, delete it if nobody needs it, or ${take}`;
}

/** Taken over from somebody: retained whatever the policy says. */
export function isAdopted(live: KubeObject): boolean {
  return live.metadata.annotations?.[annotation.adopted] === "true";
}

/** Annotation with the hash of what was written last. */
export const APPLIED = `${GROUP}/applied`;
