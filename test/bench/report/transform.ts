/** Results of transforms as a table. Pure. */
import { spread } from "./results.ts";
import { markdownTable } from "./table.ts";

export interface TransformResult {
  readonly run: number;
  readonly engine: string;
  readonly configuration: string;
  readonly eventsPerSecond: number;
  readonly eventsPerCpuSecond: number;
  readonly brokerCpuSeconds: number;
  readonly peakRssMb: number;
  readonly exact: boolean;
}

export function transformTable(results: readonly TransformResult[]): string {
  const head = [
    "engine",
    "runs",
    "events per CPU-s: min / median",
    "events/s: median",
    "broker CPU-s",
    "peak MB",
    "exact",
  ];
  const whole = (value: number): string => Math.round(value).toLocaleString("en");
  const rows = [...Map.groupBy(results, ({ engine }) => engine)].map(([engine, runs]) => {
    const cost = spread(runs.map((run) => run.eventsPerCpuSecond));
    return [
      engine,
      String(runs.length),
      `${whole(cost.min)} / ${whole(cost.median)}`,
      whole(spread(runs.map((run) => run.eventsPerSecond)).median),
      String(spread(runs.map((run) => run.brokerCpuSeconds)).median),
      whole(Math.max(...runs.map((run) => run.peakRssMb))),
      runs.every(({ exact }) => exact) ? "yes" : "NO",
    ];
  });
  const configurations = new Map(results.map(({ engine, configuration }) => [engine, configuration]));
  const list = [...configurations].map(([engine, words]) => `- ${engine}: ${words}`);
  return `${markdownTable(head, rows)}\n\n${list.join("\n")}`;
}
