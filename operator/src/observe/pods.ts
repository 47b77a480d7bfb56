/** What the pods of a pipeline show, in the terms of the status. */
import { annotation, label } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import type { PodObservation } from "./observation.ts";
import type { AskedPod } from "./stages.ts";

interface ContainerStatus {
  ready?: boolean;
  restartCount?: number;
  state?: { waiting?: { reason?: string; message?: string } };
  lastState?: { terminated?: { reason?: string; exitCode?: number; message?: string } };
}

/** Reasons of a waiting container that are only the beginning of its life. */
const underWay = new Set(["ContainerCreating", "PodInitializing"]);

export function observePod(pod: KubeObject, asked: AskedPod | undefined): PodObservation {
  const status = pod.status ?? {};
  const containers = (status["containerStatuses"] ?? []) as ContainerStatus[];
  const conditions = (status["conditions"] ?? []) as {
    type: string;
    status: string;
    reason?: string;
    message?: string;
  }[];
  return {
    name: pod.metadata.name,
    stage: pod.metadata.labels?.[label.stage] ?? "",
    configHash: pod.metadata.annotations?.[annotation.configHash],
    ready: conditions.some(({ type, status: value }) => type === "Ready" && value === "True"),
    terminating: pod.metadata.deletionTimestamp !== undefined,
    restarts: containers.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0),
    blocked: blockedBy(containers, conditions),
    ...(asked?.answer === undefined ? {} : { status: asked.answer }),
    askError: asked?.error,
  };
}

function blockedBy(
  containers: readonly ContainerStatus[],
  conditions: readonly { type: string; status: string; reason?: string; message?: string }[],
): PodObservation["blocked"] {
  const unscheduled = conditions.find(({ type, status }) => type === "PodScheduled" && status === "False");
  if (unscheduled !== undefined)
    return { reason: unscheduled.reason ?? "Unschedulable", message: unscheduled.message ?? "" };
  for (const { state, lastState } of containers) {
    const waiting = state?.waiting;
    if (waiting?.reason === undefined || underWay.has(waiting.reason)) continue;
    const ended = lastState?.terminated;
    const last = ended === undefined ? "" : ` (last exit code ${ended.exitCode ?? "?"}, ${ended.reason ?? "unknown"})`;
    return { reason: waiting.reason, message: `${waiting.message ?? ""}${last}`.trim() };
  }
  return undefined;
}
