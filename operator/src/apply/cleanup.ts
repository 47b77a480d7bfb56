/** Deletes with the pipeline what its policy says: the stages first, so that nothing writes to a topic that goes. */
import { annotation, label, type StreamPipeline } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import { deleteObject, releaseObject, type WriteContext } from "./apply.ts";
import { holdsData } from "../plan/kinds.ts";
import { slotOfConfigMap, slotsOf } from "../plan/slots.ts";
import { isAdopted } from "./ownership.ts";
import { type SlotKeeper, SlotNotRemoved } from "./slots.ts";

/** A database that is gone has no slot: deletion goes on without it, and says so. */
export const SLOTS_LIMIT_MS = 300_000;
/** A node that is lost keeps its pods' records: deletion goes on without them. */
const PODS_LIMIT_MS = 180_000;

export interface LeftBehind {
  /** Everything whose label names the pipeline, read from the API server and not from a cache. */
  readonly objects: readonly KubeObject[];
  readonly pods: number;
}

export interface CleanUpContext extends WriteContext {
  readonly slots: SlotKeeper;
  readonly slotsLimitMs: number;
  /** Tells of a slot that stays behind, where it is read after the pipeline and its namespace have gone. */
  readonly onSlotLeft: (message: string) => Promise<void>;
}

/** @returns how many milliseconds to wait for pods or a database, or undefined when all is done */
export async function cleanUp(context: CleanUpContext, left: LeftBehind): Promise<number | undefined> {
  const { pipeline } = context;
  const present = left.objects.filter((object) => object.metadata.deletionTimestamp === undefined);
  for (const object of present) {
    const removable = !holdsData(object) && !isAdopted(object) && isOwned(object, pipeline);
    if (removable && slotOfConfigMap(object) === undefined) await deleteObject(context, object);
  }
  const { uid } = pipeline.metadata;
  if (left.pods > 0 && context.slots.waited(`pods ${uid}`) < PODS_LIMIT_MS) return 2_000;
  if (!(await removeSlots(context, present))) return 5_000;
  context.slots.forget(`pods ${uid}`);
  for (const object of present) {
    if (slotOfConfigMap(object) !== undefined && isOwned(object, pipeline)) await deleteObject(context, object);
    if (!holdsData(object) || object.metadata.labels?.[label.released] === "true") continue;
    const remove = pipeline.spec.deletionPolicy === "Delete" && isOwned(object, pipeline) && !isAdopted(object);
    await (remove ? deleteObject(context, object) : releaseObject(context, object));
  }
  return undefined;
}

/** Those of the spec, and those of stages that have left it. @returns whether nothing is left to be tried */
async function removeSlots(context: CleanUpContext, present: readonly KubeObject[]): Promise<boolean> {
  const { client, pipeline, writes, slots: keeper } = context;
  const recorded = present.flatMap((object) => (isOwned(object, pipeline) ? (slotOfConfigMap(object) ?? []) : []));
  const slots = new Map([...slotsOf(pipeline), ...recorded].map((slot) => [slot.name, slot]));
  let done = true;
  for (const slot of slots.values()) {
    const tried = `slot ${pipeline.metadata.uid} ${slot.name}`;
    try {
      const waited = keeper.waited(tried);
      await keeper.remove(client, pipeline.metadata.namespace, slot).catch(async (error: unknown) => {
        if (error instanceof SlotNotRemoved && waited >= context.slotsLimitMs) await context.onSlotLeft(error.message);
        throw error;
      });
      keeper.forget(tried);
    } catch (error) {
      if (!(error instanceof SlotNotRemoved)) throw error;
      if (keeper.waited(tried) < context.slotsLimitMs) done = false;
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
