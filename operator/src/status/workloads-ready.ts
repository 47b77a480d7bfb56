import { fails, failsFor, type Finding, holds } from "./condition.ts";
import { type Facts, failuresOf } from "./facts.ts";
import type { StageView } from "./stages.ts";
import { findUnseen } from "./unseen.ts";

const KINDS = ["ConfigMap", "Service", "PodDisruptionBudget", "Deployment", "PodMonitor"];

export function findWorkloadsReady(facts: Facts, stages: readonly StageView[]): Finding {
  const unseen = findUnseen(facts, ...KINDS, "Pod");
  if (unseen !== undefined) return unseen;
  const failures = failuresOf(facts, ...KINDS);
  if (failures.length > 0) return failsFor(failures);
  if (facts.observation.pipeline.spec.suspend) {
    const going = stages.flatMap(({ cause }) => (cause === undefined || cause.reason === "Suspended" ? [] : [cause]));
    if (going.length > 0) return failsFor(going);
    return fails("Suspended", "every stage has drained and is scaled to zero; set spec.suspend to false to go on");
  }
  const causes = stages.flatMap(({ cause }) => (cause === undefined ? [] : [cause]));
  if (causes.length > 0) return failsFor(causes);
  if (stages.length === 0) return holds("NoStages", "the pipeline has topics only");
  const completed = stages.filter(({ summary }) => summary.state === "Completed").length;
  return holds(
    "WorkloadsReady",
    `${stages.length} of ${stages.length} stages ready${completed === 0 ? "" : `, ${completed} completed`}`,
  );
}
