import type { ConditionType } from "@caudal/crds";
import { fails, type Finding, holds } from "./condition.ts";

/** In the order in which a person would look for the cause. */
const PARTS = ["ConfigValid", "TopicsReady", "DatabaseReady", "WorkloadsReady"] as const;

export function findReady(suspended: boolean, parts: Readonly<Partial<Record<ConditionType, Finding>>>): Finding {
  const { ConfigValid: valid, WorkloadsReady: workloads } = parts;
  if (suspended && valid?.status === "True" && workloads?.status === "False")
    return workloads.reason === "Suspended"
      ? fails("Suspended", "the pipeline is suspended: set spec.suspend to false to go on")
      : workloads;
  for (const part of PARTS) {
    const finding = parts[part];
    if (finding !== undefined && finding.status !== "True")
      return { ...finding, message: `${part}: ${finding.message}` };
  }
  return holds("Ready", "the pipeline is as its spec says");
}
