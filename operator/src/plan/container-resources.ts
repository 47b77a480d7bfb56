/** Requests and limits of a stage's container. */
import type { StageSpec } from "@caudal/pipeline";
import { nanosOf } from "../apply/quantity.ts";

type Resources = NonNullable<StageSpec["resources"]>;

const DEFAULT_REQUESTS = { cpu: "50m", memory: "256Mi" };
/** Twice what stages were seen to take: an expression of a stranger's never takes the node. */
const DEFAULT_MEMORY_LIMIT = "1Gi";

/** What the spec says, with a limit of memory in any case: one that it gives, what it requests, or the default. */
export function resourcesOf(given: StageSpec["resources"]): Resources {
  if (given === undefined || isEmpty(given))
    return { requests: DEFAULT_REQUESTS, limits: { memory: DEFAULT_MEMORY_LIMIT } };
  if (given.limits?.["memory"] !== undefined) return given;
  const requested = given.requests?.["memory"];
  const isMore = (nanosOf(requested) ?? 0n) > (nanosOf(DEFAULT_MEMORY_LIMIT) ?? 0n);
  const memory = requested !== undefined && isMore ? requested : DEFAULT_MEMORY_LIMIT;
  return { ...given, limits: { ...given.limits, memory } };
}

function isEmpty(value: object): boolean {
  return Object.values(value).every((part) => part === undefined || Object.keys(part as object).length === 0);
}
