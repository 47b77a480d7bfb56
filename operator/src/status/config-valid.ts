import { configHashOf } from "../plan/deployment.ts";
import { fails, failsFor, type Finding, holds } from "./condition.ts";
import { deploymentOf, type Facts } from "./facts.ts";
import type { StageView } from "./stages.ts";

/** Tables that are there and do not fit what the spec wants of them: stages see that when they connect, and wait. */
const TABLES = new Set(["TableExists", "TableChanged", "TableClaimed"]);

export function findConfigValid(facts: Facts, stages: readonly StageView[]): Finding {
  const { problems, unchecked } = facts;
  const causes = [...problems, ...stages.flatMap((stage) => tableProblems(facts, stage))];
  if (causes.length > 0) return failsFor(causes);
  if (unchecked !== undefined) return { ...fails(unchecked.reason, unchecked.message), status: "Unknown" };
  return holds("Accepted", "the spec is valid");
}

/** What pods of the configuration of now say: one of an older one may well find its tables changed. */
function tableProblems(facts: Facts, { stage, pods }: StageView): { reason: string; message: string }[] {
  const hash = configHashOf(deploymentOf(facts, stage));
  const found = pods.flatMap(({ configHash, status, terminating }) => {
    const error = status?.value.error;
    return terminating || configHash !== hash || error === undefined || !TABLES.has(error.reason) ? [] : [error];
  });
  return found.slice(0, 1).map(({ reason, message }) => ({ reason, message: `stage ${stage.name}: ${message}` }));
}
