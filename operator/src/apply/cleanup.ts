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

/** What a deletion waits for. */
export interface Waiting {
  /** When to look again at the latest. */
  readonly laterMs: number;
  /** For people: what is there still, and how long it is waited for. */
  readonly message: string;
}

/** @returns undefined when all is done */
export async function cleanUp(context: CleanUpContext, left: LeftBehind): Promise<Waiting | undefined> {
  const { pipeline } = context;
  const present = left.objects.filter((object) => object.metadata.deletionTimestamp === undefined);
  for (const object of present) {
    const removable = !holdsData(object) && !isAdopted(object) && isOwned(object, pipeline);
    if (removable && slotOfConfigMap(object) === undefined) await deleteObject(context, object);
  }
  const { uid } = pipeline.metadata;
  const waited = left.pods > 0 ? context.slots.waited(`pods ${uid}`) : PODS_LIMIT_MS;
  if (waited < PODS_LIMIT_MS)
    return { laterMs: 2_000, message: `${left.pods} pods still run, ${upTo(PODS_LIMIT_MS - waited)}` };
  const slots = await removeSlots(context, present);
  if (slots.length > 0) return { laterMs: 5_000, message: slots.join("; ") };
  context.slots.forget(`pods ${uid}`);
  for (const object of present) {
    if (slotOfConfigMap(object) !== undefined && isOwned(object, pipeline)) await deleteObject(context, object);
    if (!holdsData(object) || object.metadata.labels?.[label.released] === "true") continue;
    const remove = pipeline.spec.deletionPolicy === "Delete" && isOwned(object, pipeline) && !isAdopted(object);
    await (remove ? deleteObject(context, object) : releaseObject(context, object));
  }
  return undefined;
}

function upTo(ms: number): string {
  return `for which it waits up to ${Math.ceil(ms / 1000)} s more`;
}

/** Those of the spec, and those of stages that have left it. @returns those that are still to be tried, in words */
async function removeSlots(context: CleanUpContext, present: readonly KubeObject[]): Promise<string[]> {
  const { client, pipeline, writes, slots: keeper } = context;
  const recorded = present.flatMap((object) => (isOwned(object, pipeline) ? (slotOfConfigMap(object) ?? []) : []));
  const slots = new Map([...slotsOf(pipeline), ...recorded].map((slot) => [slot.name, slot]));
  const waiting: string[] = [];
  for (const slot of slots.values()) {
    const tried = `slot ${pipeline.metadata.uid} ${slot.name}`;
    try {
      if (keeper.remove(client, `${pipeline.metadata.namespace}/${pipeline.metadata.name}`, slot)) keeper.forget(tried);
      else waiting.push(keeper.failureOf(tried) ?? `the replication slot ${slot.name} is being removed`);
    } catch (error) {
      if (!(error instanceof SlotNotRemoved)) throw error;
      const left = context.slotsLimitMs - keeper.waited(tried, error.message);
      await writes.tell(pipeline, { type: "Warning", reason: error.reason, action: "Delete", note: error.message });
      if (left > 0) waiting.push(`${error.message}; it is tried again, ${upTo(left)}`);
      else if (keeper.leave(tried)) await context.onSlotLeft(error.message);
    }
  }
  return waiting;
}

function isOwned({ metadata }: KubeObject, pipeline: StreamPipeline): boolean {
  const { uid } = pipeline.metadata;
  return (
    metadata.annotations?.[annotation.owner] === uid ||
    metadata.ownerReferences?.some((reference) => reference.uid === uid) === true
  );
}
