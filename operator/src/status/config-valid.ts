import { fails, failsFor, type Finding, holds } from "./condition.ts";
import type { Facts } from "./facts.ts";

export function findConfigValid({ problems, unchecked }: Facts): Finding {
  if (problems.length > 0) return failsFor(problems);
  if (unchecked !== undefined) return { ...fails(unchecked.reason, unchecked.message), status: "Unknown" };
  return holds("Accepted", "the spec is valid");
}
