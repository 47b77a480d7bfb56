/** Results of small stages as a table. Pure. */
import { markdownTable } from "./table.ts";

/** One process. */
export interface SmallResult {
  readonly name: string;
  readonly what: string;
  /** Events per second, and how long they were counted. */
  readonly rate: number;
  readonly seconds: number;
  /** Cores used while nothing came, and at the rate. */
  readonly restCores: number;
  readonly cores: number;
  readonly peakMb: number;
  /** Whether all events have come through. */
  readonly complete: boolean;
}

export function smallTable(results: readonly SmallResult[]): string {
  const rate = results[0]?.rate ?? 0;
  const head = ["process", "what it does", "cores at rest", `cores at ${rate} events/s`, "peak MB", "complete"];
  const rows = results.map((result) => [
    result.name,
    result.what,
    result.restCores.toFixed(4),
    result.cores.toFixed(3),
    result.peakMb.toLocaleString("en"),
    result.complete ? "yes" : "NO",
  ]);
  return markdownTable(head, rows);
}
