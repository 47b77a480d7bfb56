import { describe, expect, it } from "vitest";
import { short, throughputChart } from "./chart.ts";
import type { Summary } from "./results.ts";

function summary(engine: string, median: number): Summary {
  const spread = { min: median * 0.5, median, max: median };
  return {
    engine,
    configuration: "",
    runs: 3,
    eventsPerSecond: spread,
    eventsPerCpuSecond: spread,
    peakRssMb: 1,
    postgresCpuSeconds: spread,
    exact: true,
  };
}

describe("throughputChart", () => {
  const chart = throughputChart([summary("caudal", 1_000_000), summary("a<b", 250_000)]);

  it("draws bars in proportion, ours in its colour", () => {
    const bars = [...chart.matchAll(/<rect class="([^"]+)" .*? width="([\d.]+)"/g)];
    expect(bars.map(([, name]) => name)).toEqual(["bar ours", "bar", "bar ours", "bar"]);
    const [ours, peer] = bars.map(([, , width]) => Number(width));
    expect((ours ?? 0) / (peer ?? 1)).toBeCloseTo(4, 2);
  });

  it("is well-formed whatever the names are", () => {
    expect(chart).toContain("a&lt;b");
    expect(chart).not.toContain("NaN");
    const opened = chart.match(/<(svg|style|text)\b/g)?.length;
    expect(chart.match(/<\/(svg|style|text)>/g)?.length).toBe(opened);
  });
});

describe("short", () => {
  it.each([
    [1_234_567, "1.23 M"],
    [430_488, "430 k"],
    [12, "12"],
  ])("%d is %s", (value, text) => {
    expect(short(value)).toBe(text);
  });
});
