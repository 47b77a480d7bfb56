/** Results as Markdown tables, aligned so that they read well on a terminal too. Pure. */
import { ratiosToBestPeer, type Spread, type Summary } from "./results.ts";

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const decimal = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** Rows of cells under a head; numbers to the right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) => Math.max(3, cell.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const toRight = head.map((_, column) => column > 0 && rows.every((row) => /^[\d–]/.test(row[column] ?? "")));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (toRight[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join(" | ")} |`;
  const rule = widths.map((width, column) =>
    toRight[column] === true ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
  );
  return [line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}

/** One row an engine, with how many times the best peer's medians its own are. */
export function throughputTable(summaries: readonly Summary[]): string {
  const head = [
    "engine",
    "runs",
    "events/s: min / median",
    "× best peer",
    "events per CPU-s: min / median",
    "× best peer",
    "peak MB",
    "PostgreSQL CPU-s",
    "exact",
  ];
  const both = ({ min, median }: Spread): string => `${number.format(min)} / ${number.format(median)}`;
  const rows = summaries.map((summary) => {
    const ratios = ratiosToBestPeer(summaries, summary.engine);
    const times = (ratio: number | undefined): string => (ratio === undefined ? "–" : ratio.toFixed(2));
    return [
      summary.engine,
      String(summary.runs),
      both(summary.eventsPerSecond),
      times(ratios?.eventsPerSecond),
      both(summary.eventsPerCpuSecond),
      times(ratios?.eventsPerCpuSecond),
      number.format(summary.peakRssMb),
      decimal.format(summary.postgresCpuSeconds.median),
      summary.exact ? "yes" : "NO",
    ];
  });
  return markdownTable(head, rows);
}

/** What each engine was, as a list. */
export function configurationList(summaries: readonly Summary[]): string {
  return summaries.map(({ engine, configuration }) => `- **${engine}**: ${configuration}`).join("\n");
}
