/** Deletes with the pipeline what its policy says: the stages first, so that nothing writes to a topic that goes. */
import { annotation, label, type StreamPipeline } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import { deleteObject, releaseObject, type WriteContext } from "./apply.ts";
import { holdsData } from "../plan/kinds.ts";
import { slotOfConfigMap, slotsOf } from "../plan/slots.ts";
import { isAdopted } from "./ownership.ts";
import { removeSlot, SlotNotRemoved } from "./slots.ts";

/** A database that is gone has no slot: deletion goes on without it, and says so. */
const SLOTS_LIMIT_MS = 300_000;
/** A node that is lost keeps its pods' records: deletion goes on without them. */
const PODS_LIMIT_MS = 180_000;

export interface LeftBehind {
  /** Everything whose label names the pipeline, read from the API server and not from a cache. */
  readonly objects: readonly KubeObject[];
  readonly pods: number;
}

/** @returns how many milliseconds to wait for pods, or undefined when all is done */
export async function cleanUp(context: WriteContext, left: LeftBehind, now: number): Promise<number | undefined> {
  const { pipeline } = context;
  const present = left.objects.filter((object) => object.metadata.deletionTimestamp === undefined);
  for (const object of present) {
    const removable = !holdsData(object) && !isAdopted(object) && isOwned(object, pipeline);
    if (removable && slotOfConfigMap(object) === undefined) await deleteObject(context, object);
  }
  const begun = Date.parse(pipeline.metadata.deletionTimestamp ?? "");
  if (left.pods > 0 && now - begun < PODS_LIMIT_MS) return 2_000;
  if (!(await removeSlots(context, present, now - begun))) return 5_000;
  for (const object of present) {
    if (slotOfConfigMap(object) !== undefined && isOwned(object, pipeline)) await deleteObject(context, object);
    if (!holdsData(object) || object.metadata.labels?.[label.released] === "true") continue;
    const remove = pipeline.spec.deletionPolicy === "Delete" && isOwned(object, pipeline) && !isAdopted(object);
    await (remove ? deleteObject(context, object) : releaseObject(context, object));
  }
  return undefined;
}

/** Those of the spec, and those of stages that have left it. @returns whether nothing is left to be tried */
async function removeSlots(context: WriteContext, present: readonly KubeObject[], sinceMs: number): Promise<boolean> {
  const { client, pipeline, writes } = context;
  const recorded = present.flatMap((object) => (isOwned(object, pipeline) ? (slotOfConfigMap(object) ?? []) : []));
  const slots = new Map([...slotsOf(pipeline), ...recorded].map((slot) => [slot.name, slot]));
  let done = true;
  for (const slot of slots.values()) {
    try {
      await removeSlot(client, pipeline.metadata.namespace, slot);
    } catch (error) {
      if (!(error instanceof SlotNotRemoved)) throw error;
      if (error.retryable && sinceMs < SLOTS_LIMIT_MS) done = false;
      await writes.tell(pipeline, { type: "Warning", reason: error.reason, action: "Delete", note: error.message });
    }
  }
  return done;
}

function isOwned({ metadata }: KubeObject, pipeline: StreamPipeline): boolean {
  const { uid } = pipeline.metadata;
  return (
    metadata.annotations?.[annotation.owner] === uid ||
    metadata.ownerReferences?.some((reference) => reference.uid === uid) === true
  );
}
