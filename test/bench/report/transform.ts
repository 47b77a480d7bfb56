/** Results of transforms as a table. Pure. */
import { spread } from "./results.ts";
import { markdownTable } from "./table.ts";

export interface TransformResult {
  readonly run: number;
  readonly kind: string;
  /** The kind in words. */
  readonly what: string;
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
    "transform",
    "engine",
    "runs",
    "events per CPU-s: min / median",
    "events/s: median",
    "broker CPU-s",
    "peak MB",
    "exact",
  ];
  const whole = (value: number): string => Math.round(value).toLocaleString("en");
  const groups = Map.groupBy(results, ({ kind, engine }) => `${kind} ${engine}`);
  const rows = [...groups.values()].map((runs) => {
    const cost = spread(runs.map((run) => run.eventsPerCpuSecond));
    const [first] = runs;
    return [
      first?.kind ?? "",
      first?.engine ?? "",
      String(runs.length),
      `${whole(cost.min)} / ${whole(cost.median)}`,
      whole(spread(runs.map((run) => run.eventsPerSecond)).median),
      spread(runs.map((run) => run.brokerCpuSeconds)).median.toFixed(2),
      whole(Math.max(...runs.map((run) => run.peakRssMb))),
      runs.every(({ exact }) => exact) ? "yes" : "NO",
    ];
  });
  const configurations = new Map(results.map(({ engine, configuration }) => [engine, configuration]));
  const kinds = new Map(results.map(({ kind, what }) => [kind, what]));
  const list = [...kinds, ...configurations].map(([name, words]) => `- **${name}**: ${words}`);
  return `${markdownTable(head, rows)}\n\n${list.join("\n")}`;
}
