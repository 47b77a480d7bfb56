import { describe, expect, it } from "vitest";
import type { Summary } from "./results.ts";
import { markdownTable, throughputTable } from "./table.ts";

function summary(engine: string, speed: number, exact = true): Summary {
  const spread = { min: speed, median: speed * 1.1, max: speed * 1.2 };
  return {
    engine,
    configuration: "",
    runs: 3,
    eventsPerSecond: spread,
    eventsPerCpuSecond: spread,
    peakRssMb: 1234,
    postgresCpuSeconds: { min: 1, median: 2.25, max: 3 },
    exact,
  };
}

describe("markdownTable", () => {
  it("puts numbers to the right", () => {
    expect(
      markdownTable(
        ["name", "n"],
        [
          ["a", "1"],
          ["longer", "1,000"],
        ],
      ),
    ).toBe(["| name   |     n |", "| ------ | ----: |", "| a      |     1 |", "| longer | 1,000 |"].join("\n"));
  });
});

describe("throughputTable", () => {
  it("gives min and median, and ratios to the best peer's median", () => {
    const lines = throughputTable([summary("caudal", 1_000_000), summary("flink", 250_000)]).split("\n");
    expect(lines[2]).toMatch(/^\| caudal +\| +3 \| +1,000,000 \/ 1,100,000 \| +4\.00 \|.* 1,234 \| +2\.3 \| yes +\|$/);
    expect(lines[3]).toMatch(/^\| flink +\| +3 \| +250,000 \/ 275,000 \| +1\.00 \|/);
  });

  it("leaves ratios out where there is no peer, and shouts what is not exact", () => {
    expect(throughputTable([summary("caudal", 5, false)])).toMatch(/ – .* NO +\|$/);
  });
});
