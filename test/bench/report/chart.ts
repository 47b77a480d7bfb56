/** A bar chart as SVG: one row an engine, a bar to the median, a line from the least to the most. Pure. */
import type { Spread, Summary } from "./results.ts";

interface Panel {
  readonly title: string;
  readonly value: (summary: Summary) => Spread;
}

const panels: readonly Panel[] = [
  { title: "events per CPU-second of the engine", value: (summary) => summary.eventsPerCpuSecond },
  { title: "events per second", value: (summary) => summary.eventsPerSecond },
];

const WIDTH = 760;
const LABELS = 150;
/** To the right of the longest bar, for its number. */
const NUMBERS = 80;
const ROW = 30;
const BAR = 18;
const TITLE = 40;

/** Colours for light and for dark pages. */
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .bar { fill: #8c959f } .ours { fill: #0969da } .range { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .bar { fill: #6e7681 } .ours { fill: #4493f8 } .range { stroke: #e6edf3 }
  }`;

/** @param summaries of runs over one topic */
export function throughputChart(summaries: readonly Summary[]): string {
  const height = panels.length * (TITLE + summaries.length * ROW) + 10;
  const drawn = panels.map((panel, index) => drawPanel(panel, summaries, index * (TITLE + summaries.length * ROW)));
  const label = panels.map(({ title }) => title).join(", and ");
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(label)}">
<style>${style}
</style>
${drawn.join("\n")}
</svg>
`;
}

function drawPanel({ title, value }: Panel, summaries: readonly Summary[], top: number): string {
  const most = Math.max(...summaries.map((summary) => value(summary).max));
  const scale = (amount: number): number => Math.round((amount / most) * (WIDTH - LABELS - NUMBERS) * 10) / 10;
  const rows = summaries.map((summary, index) => {
    const { min, median, max } = value(summary);
    const y = top + TITLE + index * ROW;
    const middle = y + BAR / 2;
    return [
      `<text x="${LABELS - 10}" y="${middle + 4}" text-anchor="end">${escapeXml(summary.engine)}</text>`,
      `<rect class="bar${summary.engine === "caudal" ? " ours" : ""}" x="${LABELS}" y="${y}" width="${scale(median)}" height="${BAR}"/>`,
      `<line class="range" x1="${LABELS + scale(min)}" x2="${LABELS + scale(max)}" y1="${middle}" y2="${middle}"/>`,
      `<text x="${LABELS + scale(max) + 8}" y="${middle + 4}">${short(median)}</text>`,
    ].join("\n");
  });
  return [`<text class="title" x="0" y="${top + 24}">${escapeXml(title)}</text>`, ...rows].join("\n");
}

/** 1,234,567 as 1.23 M. */
export function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  return value >= 1e3 ? `${Math.round(value / 1e3)} k` : String(Math.round(value));
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
