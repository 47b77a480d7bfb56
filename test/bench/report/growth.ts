/** Results of what grows as a table. Pure. */
import type { Result } from "./results.ts";
import { markdownTable } from "./table.ts";

export interface GrowthResult extends Omit<Result, "engine" | "configuration" | "run"> {
  readonly scenario: string;
  /** What grows, in words. */
  readonly what: string;
  readonly events: number;
  /** Mean bytes of an event's JSON. */
  readonly eventBytes: number;
}

export function growthTable(results: readonly GrowthResult[]): string {
  const head = ["what", "events", "events/s", "MB/s", "events per CPU-s", "PostgreSQL CPU-s", "peak MB", "exact"];
  const whole = (value: number): string => Math.round(value).toLocaleString("en");
  const rows = results.map((result) => [
    result.what,
    whole(result.events),
    whole(result.eventsPerSecond),
    ((result.eventsPerSecond * result.eventBytes) / 1e6).toFixed(0),
    whole(result.eventsPerCpuSecond),
    result.postgresCpuSeconds.toFixed(1),
    whole(result.peakRssMb),
    result.exact ? "yes" : "NO",
  ]);
  return markdownTable(head, rows);
}
