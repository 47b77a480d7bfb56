/** What a condition says while the operator cannot see what it would be made from: unknown, and why. */
import type { Finding } from "./condition.ts";
import type { Facts } from "./facts.ts";

/** @param kinds those that the condition is made from; undefined where all of them are seen */
export function findUnseen({ observation }: Facts, ...kinds: readonly string[]): Finding | undefined {
  const unseen = observation.unseen.filter(({ kind }) => kinds.includes(kind));
  if (unseen.length === 0) return undefined;
  const { namespace } = observation.pipeline.metadata;
  const causes = unseen.map(({ kind, why }) => `${kind} is not seen in namespace ${namespace}: ${why}`);
  const plurals = unseen.map(({ plural }) => plural).join(", ");
  return {
    status: "Unknown",
    reason: "NotSeen",
    message:
      `${causes.join("; ")}. Until then nothing of this pipeline is changed. It is tried again by itself; where it is ` +
      `forbidden, give the operator's ServiceAccount get, list and watch of ${plurals} in namespace ${namespace}`,
  };
}
