import { describe, expect, it } from "vitest";
import { percentile, ratiosToBestPeer, type Result, spread, summarize } from "./results.ts";

function result(engine: string, run: number, part: Partial<Result>): Result {
  return {
    engine,
    configuration: `${engine}'s`,
    run,
    eventsPerSecond: 100,
    eventsPerCpuSecond: 100,
    cpuSeconds: 1,
    peakRssMb: 100,
    postgresCpuSeconds: 1,
    exact: true,
    ...part,
  };
}

describe("spread", () => {
  const cases: readonly (readonly [values: number[], min: number, median: number, max: number])[] = [
    [[5], 5, 5, 5],
    [[3, 1, 2], 1, 2, 3],
    [[4, 1, 2, 10], 1, 3, 10],
  ];
  it.each(cases)("of %j", (values, min, median, max) => {
    expect(spread(values)).toEqual({ min, median, max });
  });
});

describe("percentile", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  it("is the nearest rank", () => {
    expect([0.5, 0.95, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([50, 95, 99, 100]);
    expect(percentile([7], 0.5)).toBe(7);
  });
});

describe("summarize", () => {
  it("puts an engine's runs together in the order in which engines ran; one run that is not exact spoils it", () => {
    const results = [
      result("caudal", 1, { eventsPerSecond: 10, peakRssMb: 300 }),
      result("flink", 1, { eventsPerSecond: 5, exact: false }),
      result("caudal", 2, { eventsPerSecond: 30, peakRssMb: 200 }),
      result("flink", 2, { eventsPerSecond: 7 }),
    ];
    expect(summarize(results)).toMatchObject([
      { engine: "caudal", runs: 2, eventsPerSecond: { min: 10, median: 20, max: 30 }, peakRssMb: 300, exact: true },
      { engine: "flink", runs: 2, eventsPerSecond: { min: 5, median: 6, max: 7 }, exact: false },
    ]);
  });
});

describe("ratiosToBestPeer", () => {
  const summaries = summarize([
    result("caudal", 1, { eventsPerSecond: 600, eventsPerCpuSecond: 800 }),
    result("fast", 1, { eventsPerSecond: 300, eventsPerCpuSecond: 50 }),
    result("lean", 1, { eventsPerSecond: 100, eventsPerCpuSecond: 200 }),
    result("wrong", 1, { eventsPerSecond: 5_000, eventsPerCpuSecond: 5_000, exact: false }),
  ]);

  it("compares each measure with its own best peer, and with none that is not exact", () => {
    expect(ratiosToBestPeer(summaries)).toEqual({ eventsPerSecond: 2, eventsPerCpuSecond: 4 });
  });

  it("is 1 for the best peer", () => {
    expect(ratiosToBestPeer(summaries, "fast")).toEqual({ eventsPerSecond: 1, eventsPerCpuSecond: 0.25 });
  });

  it("is nothing when Caudal ran alone", () => {
    expect(ratiosToBestPeer(summaries.slice(0, 1))).toBeUndefined();
  });
});
