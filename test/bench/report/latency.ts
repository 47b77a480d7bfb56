/** Results of a steady load as a table. Pure. */
import { markdownTable } from "./table.ts";

/** One engine at one rate. Times are from handing the event to the producer until a poll sees its row. */
export interface LatencyResult {
  readonly engine: string;
  readonly configuration: string;
  /** Events per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly samples: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly engineCores: number;
  readonly postgresCores: number;
  readonly brokerCores: number;
  readonly peakRssMb: number;
  /** Whether the tables hold every event that was sent. */
  readonly allCounted: boolean;
}

export function latencyTable(results: readonly LatencyResult[]): string {
  const head = ["engine", "events/s", "p50 ms", "p95 ms", "p99 ms", "max ms"].concat(
    ...["engine cores", "PostgreSQL cores", "broker cores", "peak MB", "all counted"],
  );
  const rows = results.map((result) => [
    result.engine,
    result.rate.toLocaleString("en"),
    ...[result.p50Ms, result.p95Ms, result.p99Ms, result.maxMs].map((ms) => ms.toLocaleString("en")),
    ...[result.engineCores, result.postgresCores, result.brokerCores].map((cores) => cores.toFixed(3)),
    result.peakRssMb.toLocaleString("en"),
    result.allCounted ? "yes" : "NO",
  ]);
  return markdownTable(head, rows);
}
