/**
 * How loudly a failure is told that is tried again. What comes and goes in the ordinary life of a cluster (an API server
 * that restarts, a definition that is being installed, two writers that meet) is information; what lasts is a warning;
 * what no answer of a server explains is an error.
 */
import { LASTING_MS } from "@caudal/workloads/runtime/failure-log";
import { Conflict, KubeError } from "./errors.ts";

/** @param lastsMs since the first failure after the last success */
export function severityOf(error: unknown, lastsMs: number): "debug" | "info" | "warn" | "error" {
  if (!(error instanceof KubeError)) return "error";
  // Conflicts are how two writers find out about each other: nothing is wrong.
  if (error instanceof Conflict && lastsMs < LASTING_MS) return "debug";
  return !error.retryable || lastsMs >= LASTING_MS ? "warn" : "info";
}
