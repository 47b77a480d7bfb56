/** One pipeline, from top to bottom: observe → validate → plan → apply → status. */
import { label, type StreamPipeline } from "@caudal/crds";
import type { Logger } from "pino";
import { applyObject, type ApplyContext, deleteObject, releaseObject } from "./apply/apply.ts";
import { cleanUp } from "./apply/cleanup.ts";
import type { Conflicts } from "./apply/conflicts.ts";
import { ensureDatabaseSecret } from "./apply/database-secret.ts";
import { applyInOrder } from "./apply/in-order.ts";
import { hasFinalizer, setFinalizer } from "./apply/finalizer.ts";
import { NOTHING, surplusOf } from "./apply/prune.ts";
import { replicasOf, scale } from "./apply/scale.ts";
import type { SlotKeeper } from "./apply/slots.ts";
import type { StatusWriter } from "./apply/status.ts";
import type { Writes } from "./apply/writes.ts";
import type { Outcome } from "./controller/controller.ts";
import type { Metrics } from "./controller/metrics.ts";
import { Conflict, Forbidden, KindNotServed, KubeError, NotFound } from "./kube/errors.ts";
import type { Fact } from "./kube/events.ts";
import { type KubeObject, resources } from "./kube/object.ts";
import type { Observation } from "./observe/observation.ts";
import {
  isCurrent,
  keyOfChild,
  NotSynced,
  observe,
  type ObserveContext,
  observeLeftBehind,
  observeOrphans,
  observePipeline,
  readLive,
  tombstone,
} from "./observe/observe.ts";
import { listenersOf, databaseSecretName } from "@caudal/pipeline";
import { needsFinalizer, type Plan, plan, type WorkloadSettings } from "./plan/plan.ts";
import { slotOfConfigMap, slotsOf } from "./plan/slots.ts";
import { announce } from "./status/announce.ts";
import type { Facts, Failure } from "./status/facts.ts";
import { statusOf } from "./status/status.ts";
import { type CheckInput, beside, validate, repaired } from "@caudal/pipeline/checks";
import type { SqlChecks, SqlState } from "./controller/sql-checks.ts";

export interface ReconcileContext extends ObserveContext {
  readonly settings: WorkloadSettings;
  readonly sql: SqlChecks;
  readonly checkFakeName?: CheckInput["checkFakeName"];
  readonly writes: Writes;
  readonly statusWriter: StatusWriter;
  readonly metrics: Metrics;
  readonly conflicts: Conflicts;
  readonly log: Logger;
  readonly slots: SlotKeeper;
  readonly slotsLimitMs: number;
  /** An event about the operator itself, in its own namespace. */
  readonly tellOperator: (fact: Fact) => Promise<void>;
  /** Secrets are not watched, and heartbeats grow old: look again after this time. */
  readonly resyncMs: number;
}

/** A secret that comes is not announced: it is looked for. */
const MISSING_SECRET_MS = 3_000;
/** A kind that comes into sight is announced; what is told of it meanwhile is renewed. */
const UNSEEN_MS = 15_000;
const UNREACHABLE = "ApiServerUnreachable";

/** @param key `namespace/name` */
export async function reconcile(context: ReconcileContext, key: string): Promise<Outcome> {
  try {
    return await reconcileOnce(context, key);
  } catch (error) {
    if (!(await isGone(context, key, error))) throw error;
    // What is left to do comes with its deletion.
    context.log.debug({ pipeline: key, error: (error as NotFound).message }, "it was deleted while it was reconciled");
    return {};
  } finally {
    await context.writes.tellWrites(key);
  }
}

/** Whether a write failed because the pipeline, known from the caches, is there no more. */
async function isGone({ client }: ReconcileContext, key: string, error: unknown): Promise<boolean> {
  if (!(error instanceof NotFound) || error instanceof KindNotServed) return false;
  const [namespace = "", name = ""] = key.split("/");
  return (await client.get(resources.streamPipeline, namespace, name)) === undefined;
}

async function reconcileOnce(context: ReconcileContext, key: string): Promise<Outcome> {
  const [namespace = "", name = ""] = key.split("/");
  const pipeline = await observePipeline(context, namespace, name);
  if (pipeline === undefined) return await afterPipeline(context, namespace, name);
  if (pipeline.metadata.deletionTimestamp !== undefined) return await deletePipeline(context, pipeline);

  const observation = await observe(context, pipeline);
  const findings = findProblems(context, observation);
  // A check takes about a second: no status in between.
  if (findings.unchecked?.isNew === true) return { requeueAfterMs: findings.unchecked.againMs };
  const accepted =
    findings.problems.length === 0 && findings.unchecked === undefined && observation.unseen.length === 0;
  const planned = accepted ? plan(observation, context.settings) : undefined;
  const done =
    planned === undefined
      ? await applyScale(context, observation, [...observation.children.values()].filter(isKept))
      : await applyPlan(context, observation, planned);
  // Somebody else writes too: what was observed is old, and a status made of it would be wrong.
  const conflict = done.failures.some(({ reason }) => reason === "Conflict");
  // One that lasts is told, like any other answer that stands in the way.
  if (conflict && !context.conflicts.last(key)) return { failed: true };
  if (!conflict) context.conflicts.forget(key);
  const facts: Facts = {
    observation,
    ...findings,
    held: planned?.held ?? [],
    children: done.children,
    failures: done.failures,
  };
  const laterMs = await writeStatus(context, done.pipeline, facts);

  if (done.retry) return { failed: true };
  if (observation.unseen.length > 0) return { requeueAfterMs: Math.min(UNSEEN_MS, context.resyncMs) };
  const waits = [...observation.secrets.values()].some(({ exists }) => !exists) ? MISSING_SECRET_MS : context.resyncMs;
  return { requeueAfterMs: Math.min(waits, laterMs ?? waits, findings.unchecked?.againMs ?? waits) };
}

function findProblems(context: ReconcileContext, { pipeline, kafka, claims }: Observation): SqlState {
  const { checkFakeName } = context;
  const input: CheckInput = {
    pipeline,
    listeners: listenersOf(kafka),
    claims,
    ...(checkFakeName && { checkFakeName }),
  };
  const problems = validate(input);
  if (problems.length === 0) return context.sql.check(pipeline);
  // All in one round: SQL is checked as if the rest were right.
  const sql = context.sql.check(repaired(pipeline));
  return sql.unchecked?.isNew === true ? sql : { problems: [...problems, ...beside(problems, sql.problems)] };
}

function isKept({ metadata }: KubeObject): boolean {
  return metadata.labels?.[label.released] !== "true";
}

interface Done {
  /** As it is after its finalizer was set. */
  readonly pipeline: StreamPipeline;
  readonly children: readonly KubeObject[];
  readonly failures: readonly Failure[];
  /** Something failed that may go better by itself. */
  readonly retry: boolean;
}

async function applyPlan(context: ReconcileContext, observation: Observation, planned: Plan): Promise<Done> {
  const { client, writes } = context;
  let { pipeline } = observation;
  const wanted = needsFinalizer(pipeline) || [...observation.children.values()].some(slotOfConfigMap);
  // Before anything is made that would be left behind; and gone as soon as nothing would.
  if (wanted !== hasFinalizer(pipeline))
    pipeline = (await setFinalizer(client, pipeline, wanted)) as unknown as StreamPipeline;

  for (const slot of slotsOf(pipeline)) await context.slots.remember(client, pipeline.metadata.namespace, slot);
  const write: ApplyContext = {
    client,
    pipeline,
    writes,
    readLive: (object) => readLive(context, object),
    isCurrent: () => isCurrent(context, pipeline),
  };
  let unreachable = false;
  const tried = await applyInOrder(planned.objects, async (object) => {
    // The others would wait as long.
    if (unreachable) return undefined;
    const result = await applyObject(write, object, observation.children.get(keyOfChild(object)));
    unreachable ||= result.reason === UNREACHABLE;
    return result;
  });
  const applied = tried.flatMap((result) => result ?? []);

  const role = applied.find(({ kind }) => kind === "DatabaseRole")?.object;
  const secret = databaseSecretName(pipeline.metadata.name);
  const failures: Failure[] = applied.flatMap(({ kind, name, reason, message }) =>
    reason === undefined || message === undefined ? [] : [{ kind, name, reason, message }],
  );
  if (role !== undefined && observation.secrets.get(secret)?.exists === false)
    await gather(failures, { kind: "Secret", name: secret }, () => ensureDatabaseSecret(write, role));

  // As they are now: a Deployment that begins to roll still needs its old ConfigMap.
  const present = new Map(observation.children);
  for (const { object } of applied) if (object !== undefined) present.set(keyOfChild(object), object);
  const surplus = unreachable
    ? NOTHING
    : surplusOf(pipeline, planned, present, new Set(observation.pods.map(({ stage }) => stage)));
  for (const object of surplus.remove)
    await gather(failures, { kind: object.kind, name: object.metadata.name }, () => deleteObject(write, object));
  for (const { slot, record } of surplus.slots)
    await gather(failures, { kind: "ConfigMap", name: record.metadata.name }, async () => {
      // It comes again when the slot is gone, or could not be removed.
      if (context.slots.remove(client, keyOf(pipeline), slot)) await deleteObject(write, record);
    });
  for (const object of surplus.release)
    await gather(failures, { kind: object.kind, name: object.metadata.name }, () => releaseObject(write, object));
  // What failed, or was not tried, is as it was.
  const wantedKeys = new Set(planned.objects.map(keyOfChild));
  const children = [...present].flatMap(([key, object]) =>
    wantedKeys.has(key) || (object.kind === "Deployment" && !surplus.remove.includes(object)) ? [object] : [],
  );
  const scaled = await applyScale(context, { ...observation, pipeline }, children, wantedKeys);
  failures.push(...scaled.failures);
  const retry =
    applied.some(({ retryable }) => retryable === true) ||
    failures.some(({ reason }) => reason === "Conflict" || reason === UNREACHABLE);
  return { pipeline, children: scaled.children, failures, retry };
}

/** Whatever stands in the way of a plan, `spec.suspend` holds for what runs. */
async function applyScale(
  { client, writes }: ReconcileContext,
  { pipeline, unseen }: Observation,
  children: readonly KubeObject[],
  planned: ReadonlySet<string> = new Set(),
): Promise<Done> {
  const failures: Failure[] = [];
  const after = [...children];
  for (const [index, child] of children.entries()) {
    const replicas = planned.has(keyOfChild(child)) ? undefined : replicasOf(pipeline, child);
    if (replicas === undefined || unseen.some(({ kind }) => kind === child.kind)) continue;
    await gather(failures, { kind: child.kind, name: child.metadata.name }, async () => {
      after[index] = await scale({ client, pipeline, writes }, child, replicas);
    });
  }
  return { pipeline, children: after, failures, retry: failures.length > 0 };
}

/** One object that cannot be written does not stop the others. */
async function gather(failures: Failure[], about: { kind: string; name: string }, write: () => Promise<void>) {
  try {
    await write();
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    failures.push({ ...about, reason: error.reason, message: `${about.kind}/${about.name}: ${error.message}` });
  }
}

/** Also after failures. */
async function writeStatus(
  context: ReconcileContext,
  pipeline: StreamPipeline,
  facts: Facts,
): Promise<number | undefined> {
  const { status, stages } = statusOf(facts);
  const { laterMs, object } = await context.statusWriter
    .write(pipeline, status, facts.observation.clock)
    .catch(async (error: unknown) => {
      if (error instanceof Conflict && context.conflicts.last(`status ${keyOf(pipeline)}`))
        await context.writes.tell(pipeline, {
          type: "Warning",
          reason: "StatusNotWritten",
          action: "Status",
          note: `the status of this pipeline is old: each write of it meets a conflict (${error.message}); look for what else writes it all the time; it is tried again`,
        });
      throw error;
    });
  context.conflicts.forget(`status ${keyOf(pipeline)}`);
  if (object !== undefined)
    for (const fact of announce(facts.observation.pipeline.status, status)) await context.writes.tell(pipeline, fact);
  context.metrics.showPipeline(
    { metadata: pipeline.metadata, spec: pipeline.spec, status },
    stages.map(({ stage, lag }) => ({ stage: stage.name, role: stage.role, lag })),
  );
  return laterMs;
}

async function deletePipeline(context: ReconcileContext, pipeline: StreamPipeline): Promise<Outcome> {
  if (!hasFinalizer(pipeline)) return {};
  const objects = await observeLeftBehind(context, pipeline);
  const observation = await observe(context, pipeline);
  const unseen = observation.unseen.find(({ kind }) => kind === "Pod");
  // Topics go when no pod uses them: none that is known is not none.
  if (unseen !== undefined)
    throw new NotSynced(`Pod is not seen in namespace ${pipeline.metadata.namespace}: ${unseen.why}`);
  const left = { objects, pods: observation.pods.length };
  const { client, writes, slots, slotsLimitMs, metrics } = context;
  const { namespace, name } = pipeline.metadata;
  const onSlotLeft = async (message: string): Promise<void> => {
    metrics.countSlotLeft(namespace, name);
    const note = `StreamPipeline ${namespace}/${name} is deleted, and ${message}`;
    await context.tellOperator({ type: "Warning", reason: "SlotLeft", action: "Delete", note });
  };
  const facts: Facts = { observation, problems: [], held: [], children: objects.filter(isThere), failures: [] };
  try {
    const waiting = await cleanUp({ client, pipeline, writes, slots, slotsLimitMs, onSlotLeft }, left);
    if (waiting !== undefined) {
      await writeStatus(context, pipeline, { ...facts, deleting: waiting.message });
      return { requeueAfterMs: waiting.laterMs };
    }
    await setFinalizer(context.client, pipeline, false);
  } catch (error) {
    // What goes better by itself needs no word.
    if (error instanceof KubeError && !error.retryable)
      await writeStatus(context, pipeline, { ...facts, deleting: error.message });
    throw error;
  }
  context.conflicts.forget(`status ${keyOf(pipeline)}`);
  return {};
}

function isThere({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp === undefined;
}

function keyOf({ metadata }: StreamPipeline): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** The pipeline is gone: what holds data stays, and is marked so that Strimzi lets it be. */
async function afterPipeline(context: ReconcileContext, namespace: string, name: string): Promise<Outcome> {
  context.metrics.forgetPipeline(namespace, name);
  const pipeline = tombstone(namespace, name);
  context.statusWriter.forget(keyOf(pipeline));
  for (const what of [keyOf(pipeline), `status ${keyOf(pipeline)}`]) context.conflicts.forget(what);
  for (const object of await observeOrphans(context, namespace, name)) {
    try {
      await releaseObject({ client: context.client, pipeline, writes: context.writes }, object);
    } catch (error) {
      // In a namespace that ends nothing can be kept.
      if (!(error instanceof Conflict || error instanceof Forbidden)) throw error;
      return { failed: true };
    }
  }
  return {};
}
