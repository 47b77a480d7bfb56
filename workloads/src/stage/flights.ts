import { tmpdir } from "node:os";
import { join } from "node:path";
import { Flights } from "../kernel/flights.ts";

/**
 * Where a stage's process leaves word for its next life in the same pod: a folder of the pod, which outlives the container.
 *
 * @returns undefined outside a pod, where no next life is certain to be of the same work
 */
export function stageFlights(env: NodeJS.ProcessEnv = process.env): Flights | undefined {
  const pod = env["POD_NAME"];
  return pod === undefined ? undefined : new Flights(join(tmpdir(), `caudal-evaluation-${pod}`));
}
