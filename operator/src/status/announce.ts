/** Which changes of status are worth an event. */
import type { Condition, PipelineStatus } from "@caudal/crds";

/** As kube/events writes them. */
export interface Announcement {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

const TOLD = ["Ready", "ConfigValid", "Healthy"];
/** What goes by in the ordinary life of a pipeline. */
const ORDINARY = ["RollingOut", "Draining", "Suspended", "HeartbeatUnknown", "DeploymentMissing", "ClusterNotReady"];

function isOrdinary(reason: string): boolean {
  return ORDINARY.includes(reason) || reason.endsWith("Pending");
}

export function announce(before: PipelineStatus | undefined, after: PipelineStatus): Announcement[] {
  return (after.conditions ?? []).flatMap((condition) => {
    const old = before?.conditions?.find(({ type }) => type === condition.type);
    if (!TOLD.includes(condition.type) || condition.status === "Unknown" || !differs(old, condition)) return [];
    const good = condition.status === "True";
    if (good && condition.type !== "Ready") return [];
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
