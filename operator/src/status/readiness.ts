/** When a child is ready, and why not: each kind has its own way to say it, and its own trap. */
import type { KubeObject } from "../kube/object.ts";

export interface Readiness {
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
}

interface ConditionLike {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
}

const READY: Readiness = { ready: true, reason: "Ready", message: "" };

export function readinessOf(object: KubeObject): Readiness {
  switch (object.kind) {
    case "Kafka":
    case "KafkaTopic":
    case "KafkaUser":
      return strimziReadiness(object);
    case "Cluster":
      return clusterReadiness(object);
    case "Database":
    case "DatabaseRole":
      return databaseReadiness(object);
    default:
      return READY;
  }
}

/**
 * Kafka and KafkaUser say NotReady=True where KafkaTopic says Ready=False, and a paused object says neither; an old
 * generation's Ready=True says nothing about this one.
 */
function strimziReadiness({ kind, metadata, status = {} }: KubeObject): Readiness {
  const conditions = (status["conditions"] ?? []) as ConditionLike[];
  const title = `${kind}/${metadata.name}`;
  const paused = conditions.find(({ type, status: value }) => type === "ReconciliationPaused" && value === "True");
  if (paused !== undefined)
    return {
      ready: false,
      reason: "ReconciliationPaused",
      message: `${title} is paused: remove its annotation strimzi.io/pause-reconciliation`,
    };
  const bad = conditions.find(
    ({ type, status: value }) => (type === "NotReady" && value === "True") || (type === "Ready" && value === "False"),
  );
  if (bad !== undefined)
    return {
      ready: false,
      reason: `${kind}${bad.reason ?? "NotReady"}`,
      message: `${title}: ${bad.message ?? "not ready"}`,
    };
  const ready = conditions.some(({ type, status: value }) => type === "Ready" && value === "True");
  if (ready && status["observedGeneration"] === metadata.generation) return READY;
  return {
    ready: false,
    reason: `${kind}Pending`,
    message: `${title} waits for Strimzi's ${kind === "KafkaTopic" ? "Topic" : kind === "KafkaUser" ? "User" : "Cluster"} Operator`,
  };
}

function clusterReadiness({ metadata, status = {} }: KubeObject): Readiness {
  const conditions = (status["conditions"] ?? []) as ConditionLike[];
  const ready = conditions.find(({ type }) => type === "Ready");
  if (ready?.status === "True") return READY;
  const phase = typeof status["phase"] === "string" ? status["phase"] : "waits for CloudNativePG";
  return {
    ready: false,
    reason: "ClusterNotReady",
    message: `Cluster/${metadata.name}: ${phase}${ready?.message === undefined ? "" : ` (${ready.message})`}`,
  };
}

function databaseReadiness({ kind, metadata, status = {} }: KubeObject): Readiness {
  if (status["applied"] === true && status["observedGeneration"] === metadata.generation) return READY;
  const said = typeof status["message"] === "string" && status["message"] !== "" ? status["message"] : undefined;
  return {
    ready: false,
    reason: said === undefined ? `${kind}Pending` : `${kind}NotApplied`,
    message: `${kind}/${metadata.name}: ${said ?? "waits for CloudNativePG"}`,
  };
}

/** Whether every pod of a Deployment is of its present template. */
export function hasRolledOut({ metadata, spec = {}, status = {} }: KubeObject): boolean {
  const wanted = Number(spec["replicas"] ?? 1);
  const count = (field: string) => Number(status[field] ?? 0);
  return (
    count("observedGeneration") >= (metadata.generation ?? 0) &&
    status["observedGeneration"] !== undefined &&
    count("updatedReplicas") >= wanted &&
    count("replicas") <= count("updatedReplicas")
  );
}

/** How far a Deployment has come that has not rolled out, or whose pods are not all ready. */
export function describeRollout({ metadata, spec = {}, status = {} }: KubeObject): string {
  const wanted = Number(spec["replicas"] ?? 1);
  const count = (field: string) => Number(status[field] ?? 0);
  const pods = (number: number) => `${number} pod${number === 1 ? "" : "s"}`;
  const all = count("replicas");
  const updated = count("updatedReplicas");
  if (count("observedGeneration") < (metadata.generation ?? 0))
    return `${pods(all)} of the version before run on, Kubernetes has not begun to replace them yet`;
  if (all > updated) {
    const old = all - updated;
    const run = old === 1 ? "runs" : "run";
    return `${pods(old)} of the version before still ${run}, and ${updated} of ${wanted} of the new one ${updated === 1 ? "is" : "are"} being started: the work goes on meanwhile`;
  }
  if (updated < wanted) return `${updated} of ${pods(wanted)} have been made`;
  return `${count("readyReplicas")} of ${pods(wanted)} are ready, the others are being started`;
}

/** Why a rollout cannot go on, where Kubernetes has given it up. */
export function rolloutFailure({ status = {} }: KubeObject): string | undefined {
  const conditions = (status["conditions"] ?? []) as ConditionLike[];
  const failed = conditions.find(
    ({ type, status: value }) =>
      (type === "ReplicaFailure" && value === "True") || (type === "Progressing" && value === "False"),
  );
  return failed?.message;
}
