/** Which changes of status are worth an event. */
import type { Condition, PipelineStatus } from "@caudal/crds";
import { describeLost } from "./lost-topics.ts";

/** As kube/events writes them. */
export interface Announcement {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

const TOLD = ["Ready", "ConfigValid", "Healthy"];
/** What goes by in the ordinary life of a pipeline. */
const ORDINARY = [
  "RollingOut",
  "Draining",
  "Suspended",
  "HeartbeatUnknown",
  "DeploymentMissing",
  "ClusterNotReady",
  "Deleting",
];

function isOrdinary(reason: string): boolean {
  return ORDINARY.includes(reason) || reason.endsWith("Pending");
}

/** As many topics as are told one by one. */
const TOPICS = 5;

export function announce(before: PipelineStatus | undefined, after: PipelineStatus): Announcement[] {
  return [...losses(before, after), ...changes(before, after)];
}

/** Each topic that was lost since the status before; how to acknowledge it is in Healthy. */
function losses(before: PipelineStatus | undefined, after: PipelineStatus): Announcement[] {
  const told = new Set(before?.lostTopics?.map(({ name, at }) => `${name} ${at}`));
  const fresh = (after.lostTopics ?? []).filter(({ name, at }) => !told.has(`${name} ${at}`));
  const tell = (note: string): Announcement => ({ type: "Warning", reason: "TopicRecreated", action: "Observe", note });
  const notes = fresh.slice(0, TOPICS).map(describeLost);
  if (fresh.length > TOPICS)
    notes.push(`${fresh.length - TOPICS} more topics were deleted and made again empty: status.lostTopics names them`);
  return notes.map(tell);
}

function changes(before: PipelineStatus | undefined, after: PipelineStatus): Announcement[] {
  return (after.conditions ?? []).flatMap((condition) => {
    const old = before?.conditions?.find(({ type }) => type === condition.type);
    if (!TOLD.includes(condition.type) || condition.status === "Unknown" || !differs(old, condition)) return [];
    const good = condition.status === "True";
    if (good && condition.type !== "Ready") return [];
    // Each lost topic is told by itself.
    if (condition.reason === "TopicRecreated" && after.lostTopics !== undefined) return [];
    return {
      type: good || isOrdinary(condition.reason) ? "Normal" : "Warning",
      reason: condition.reason,
      action: condition.type,
      note: condition.message === "" ? `${condition.type} is ${condition.status}` : condition.message,
    };
  });
}

function differs(old: Condition | undefined, condition: Condition): boolean {
  return old?.status !== condition.status || (condition.status === "False" && old.reason !== condition.reason);
}
