import { describe, expect, it } from "vitest";
import { generatorTable } from "./generator.ts";
import { growthTable } from "./growth.ts";
import { latencyTable } from "./latency.ts";

describe("latencyTable", () => {
  it("has one row a measurement", () => {
    const result = {
      ...{ engine: "caudal", configuration: "", rate: 20_000, seconds: 60, samples: 2_880 },
      ...{ p50Ms: 80, p95Ms: 150, p99Ms: 1_200, maxMs: 1_300 },
      ...{ engineCores: 0.2, postgresCores: 0.1234, brokerCores: 0.05, peakRssMb: 250, allCounted: true },
    };
    const lines = latencyTable([result, { ...result, allCounted: false }]).split("\n");
    expect(lines[2]).toMatch(
      /^\| caudal \| +20,000 \| +80 \| +150 \| +1,200 \| +1,300 \| +0\.200 \| +0\.123 \| +0\.050 \| +250 \| yes +\|$/,
    );
    expect(lines[3]).toMatch(/NO +\|$/);
  });
});

describe("generatorTable", () => {
  it("says how far the worst run was off the rate, up or down", () => {
    const run = { run: 1, eventsPerSecond: 300_000, eventsPerCpuSecond: 310_000, peakRssMb: 200 };
    const steady = { ...run, rate: 20_000, eventsPerCpuSecond: 150_000 };
    const table = generatorTable([
      run,
      { ...steady, eventsPerSecond: 20_010 },
      { ...steady, run: 2, eventsPerSecond: 19_900 },
    ]).split("\n");
    expect(table[2]).toMatch(/^\| none +\| +1 \| +300,000 \/ 300,000 \| +– \| +310,000 \/ 310,000 \| +200 \|$/);
    expect(table[3]).toMatch(/^\| 20,000 +\| +2 \| +19,900 \/ 19,955 \| +0\.50 % \|/);
  });
});

describe("growthTable", () => {
  it("gives bytes a second beside events", () => {
    const result = {
      ...{ scenario: "bytes-1k", what: "events of 1 KB", events: 1_000_000, eventBytes: 1_000 },
      ...{ eventsPerSecond: 250_000, eventsPerCpuSecond: 400_000, cpuSeconds: 2.5, peakRssMb: 390 },
      ...{ postgresCpuSeconds: 1.25, exact: true },
    };
    expect(growthTable([result]).split("\n")[2]).toBe(
      "| events of 1 KB | 1,000,000 |  250,000 |  250 |          400,000 |              1.3 |     390 | yes   |",
    );
  });
});
