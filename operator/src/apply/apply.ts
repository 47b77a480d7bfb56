/**
 * Makes one object what the plan says. Every write names the state that it was decided on: a create must find nothing,
 * an update the version that was observed. So two leaders, or an observation that lags, cost a retry and no damage.
 */
import { createHash } from "node:crypto";
import { annotation, label, type StreamPipeline } from "@caudal/crds";
import type { KubeClient } from "../kube/client.ts";
import { Conflict, KubeError } from "../kube/errors.ts";
import { type KubeObject, resourceOf, titleOf } from "../kube/object.ts";
import { canonical } from "@caudal/pipeline";
import { contains, contentOf } from "./equal.ts";
import { APPLIED, isAdopted, judge } from "./ownership.ts";
import type { Writes } from "./writes.ts";

/** No object has it: server-side apply with it creates, or finds a conflict, and never changes what exists. */
const NEVER = "1";
const ATTEMPTS = 3;
const STRIMZI_MANAGED = "strimzi.io/managed";

export interface Applied {
  readonly kind: string;
  readonly name: string;
  readonly result: "unchanged" | "created" | "updated" | "failed";
  /** What it is now; undefined where it failed. */
  readonly object?: KubeObject;
  readonly reason?: string;
  readonly message?: string;
  /** It may go better by itself. */
  readonly retryable?: boolean;
}

export interface WriteContext {
  readonly client: KubeClient;
  readonly pipeline: StreamPipeline;
  readonly writes: Writes;
}

export interface ApplyContext extends WriteContext {
  /** Reads an object that the caches do not have: it may be new, or not ours. */
  readonly readLive: (object: KubeObject) => Promise<KubeObject | undefined>;
  /** Whether this pipeline still exists: asked of the API server before an object of another uid is taken. */
  readonly isCurrent: () => Promise<boolean>;
}

export async function applyObject(
  context: ApplyContext,
  wanted: KubeObject,
  observed: KubeObject | undefined,
): Promise<Applied> {
  const about = { kind: wanted.kind, name: wanted.metadata.name };
  // What is not in the caches is most often new: the create finds out whether it is.
  let live: KubeObject | "new" | undefined = observed ?? "new";
  for (let attempt = observed === undefined ? 0 : 1; ; attempt++) {
    try {
      live ??= await context.readLive(wanted);
      return { ...about, ...(await write(context, wanted, live === "new" ? undefined : live)) };
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (error instanceof Conflict && attempt < ATTEMPTS) {
        // It has changed since it was observed, by its status most often, or was there: judge it as it is now.
        live = undefined;
        continue;
      }
      const { reason, message, retryable } = error;
      return { ...about, result: "failed", reason, message: `${titleOf(wanted)}: ${message}`, retryable };
    }
  }
}

type Result = Omit<Applied, "kind" | "name">;

async function write(context: ApplyContext, wanted: KubeObject, live: KubeObject | undefined): Promise<Result> {
  const { client, pipeline, writes } = context;
  if (live === undefined) {
    const object = await client.apply(stamped(wanted, NEVER));
    writes.record(pipeline, object, "Created");
    return { result: "created", object };
  }
  if (live.metadata.deletionTimestamp !== undefined)
    return {
      result: "failed",
      reason: "BeingDeleted",
      message: `${titleOf(live)} is being deleted; it is made again when it has gone`,
      retryable: true,
    };
  const verdict = judge(live, pipeline);
  switch (verdict.kind) {
    case "refused":
      return { result: "failed", reason: "NotOwned", message: verdict.message, retryable: false };
    case "newer":
      throw new Conflict(`${titleOf(live)} was written for a newer generation of the pipeline`);
    case "adopt":
      writes.record(pipeline, live, "Adopted");
      return { result: "updated", object: await client.apply(stamped(adopted(wanted), versionOf(live))) };
    case "reclaim": {
      if (!(await context.isCurrent())) throw new Conflict(`${titleOf(live)} is no longer this pipeline's to take`);
      const fresh = await takeBack(client, live);
      writes.record(pipeline, live, "Reclaimed");
      const object = isAdopted(live) ? adopted(wanted) : wanted;
      return { result: "updated", object: await client.apply(stamped(object, versionOf(fresh))) };
    }
    case "ours": {
      const object = isAdopted(live) ? adopted(wanted) : wanted;
      if (isUpToDate(live, object)) return { result: "unchanged", object: live };
      const after = await client.apply(stamped(object, versionOf(live)));
      // The API server writes nothing when the result is what it had.
      if (versionOf(after) !== versionOf(live)) writes.record(pipeline, after, "Updated");
      return { result: "updated", object: after };
    }
  }
}

const stamps = [annotation.generation, APPLIED];

export function isUpToDate(live: KubeObject, wanted: KubeObject): boolean {
  const content = contentOf(wanted, stamps);
  return live.metadata.annotations?.[APPLIED] === hashOf(content) && contains(live, content);
}

function stamped(wanted: KubeObject, resourceVersion: string): KubeObject {
  const annotations = { ...wanted.metadata.annotations, [APPLIED]: hashOf(contentOf(wanted, stamps)) };
  return { ...wanted, metadata: { ...wanted.metadata, annotations, resourceVersion } };
}

/** What was another's stays when the pipeline goes: no owner to be collected with. */
function adopted(wanted: KubeObject): KubeObject {
  const { ownerReferences: _owners, annotations, ...metadata } = wanted.metadata;
  const owner = wanted.metadata.ownerReferences?.[0]?.uid;
  const marks = { [annotation.adopted]: "true", ...(owner === undefined ? {} : { [annotation.owner]: owner }) };
  return { ...wanted, metadata: { ...metadata, annotations: { ...annotations, ...marks } } };
}

/** Ends a release: its marks were not written by server-side apply, so that does not take them away. */
async function takeBack(client: KubeClient, live: KubeObject): Promise<KubeObject> {
  const { labels = {}, annotations = {}, uid, resourceVersion } = live.metadata;
  if (labels[label.released] === undefined && annotations[STRIMZI_MANAGED] === undefined) return live;
  return await client.patch(resourceOf(live), live.metadata, {
    metadata: {
      uid,
      resourceVersion,
      labels: { [label.released]: null },
      ...(live.kind === "KafkaTopic" ? { annotations: { [STRIMZI_MANAGED]: null } } : {}),
    },
  });
}

/** Lets go of what holds data: it stays, is marked, and Strimzi no longer touches the topic. */
export async function releaseObject({ client, pipeline, writes }: WriteContext, live: KubeObject) {
  const { uid, resourceVersion } = live.metadata;
  await client.patch(resourceOf(live), live.metadata, {
    metadata: {
      uid,
      resourceVersion,
      labels: { [label.released]: "true" },
      ...(live.kind === "KafkaTopic" ? { annotations: { [STRIMZI_MANAGED]: "false" } } : {}),
    },
  });
  writes.record(pipeline, live, "Released");
}

/** Deletes exactly the object that was observed. */
export async function deleteObject({ client, pipeline, writes }: WriteContext, live: KubeObject) {
  const { uid = "", resourceVersion = "" } = live.metadata;
  await client.delete(resourceOf(live), live.metadata, { uid, resourceVersion });
  writes.record(pipeline, live, "Deleted");
}

function hashOf(content: KubeObject): string {
  return createHash("sha256").update(canonical(content)).digest("hex").slice(0, 16);
}

function versionOf(object: KubeObject): string {
  return object.metadata.resourceVersion ?? "";
}
