/** Hashes that tell whether a pod must be replaced. */
import { createHash } from "node:crypto";
import type { WorkloadConfig } from "@caudal/crds";
import type { SecretObservation } from "../observe/observation.ts";
import { type SecretUse, canonical } from "@caudal/pipeline";

/**
 * Of a configuration but its generation, so that a change elsewhere in the pipeline does not roll this stage, and but
 * its number of replicas, so that scaling does not.
 */
export function contentHash(config: WorkloadConfig): string {
  const { generation: _generation, ...pipeline } = config.pipeline;
  const { replicas: _a, ...aggregator } = config.aggregator ?? {};
  const { replicas: _t, ...transform } = config.transform ?? {};
  return createHash("sha256")
    .update(canonical({ ...config, pipeline, aggregator, ...(config.transform === undefined ? {} : { transform }) }))
    .digest("hex")
    .slice(0, 32);
}

/** Of a configuration and of the secrets' keys that the stage uses. */
export function rollHash(
  content: string,
  uses: readonly SecretUse[],
  secrets: ReadonlyMap<string, SecretObservation>,
): string {
  const rolled = uses.filter(({ readAgain }) => readAgain !== true);
  const values = rolled.map(({ name, keys }) => [
    name,
    ...keys.map((key) => [key, secrets.get(name)?.keys[key] ?? ""]),
  ]);
  return createHash("sha256")
    .update(canonical([content, values]))
    .digest("hex")
    .slice(0, 32);
}
