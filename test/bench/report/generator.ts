/** Results of the generator as a table. Pure. */
import { spread } from "./results.ts";
import { markdownTable } from "./table.ts";

export interface GeneratorResult {
  readonly run: number;
  /** The rate that was set; without one, as fast as it can. */
  readonly rate?: number;
  readonly eventsPerSecond: number;
  readonly eventsPerCpuSecond: number;
  readonly peakRssMb: number;
}

export function generatorTable(results: readonly GeneratorResult[]): string {
  const head = [
    "rate set",
    "runs",
    "events/s: min / median",
    "off by at most",
    "events per CPU-s: min / median",
    "peak MB",
  ];
  const whole = (value: number): string => Math.round(value).toLocaleString("en");
  const rows = [...Map.groupBy(results, ({ rate }) => rate)].map(([rate, runs]) => {
    const speed = spread(runs.map((run) => run.eventsPerSecond));
    const cost = spread(runs.map((run) => run.eventsPerCpuSecond));
    return [
      rate === undefined ? "none" : whole(rate),
      String(runs.length),
      `${whole(speed.min)} / ${whole(speed.median)}`,
      rate === undefined ? "–" : `${(deviation(runs, rate) * 100).toFixed(2)} %`,
      `${whole(cost.min)} / ${whole(cost.median)}`,
      whole(Math.max(...runs.map((run) => run.peakRssMb))),
    ];
  });
  return markdownTable(head, rows);
}

/** The share of the rate by which the worst run missed it. */
function deviation(runs: readonly GeneratorResult[], rate: number): number {
  return Math.max(...runs.map(({ eventsPerSecond }) => Math.abs(eventsPerSecond - rate) / rate));
}
