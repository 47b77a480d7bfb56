import { describe, expect, it } from "vitest";
import { cpuSeconds, parseStat, peakMb } from "./process-usage.ts";

describe("parseStat", () => {
  it("reads past a name with spaces and brackets", () => {
    const stat = "42 (a (strange) name) S 7 42 42 0 -1 4194304 100 0 0 0 250 50 20 5 20 0 11 0 1000 1 2";
    expect(parseStat(stat)).toEqual({ parent: 7, ticks: 325 });
  });
});

describe("of this process", () => {
  it("cpuSeconds grows by what is used", () => {
    const before = cpuSeconds(process.pid);
    const since = process.cpuUsage();
    while (process.cpuUsage(since).user < 300_000);
    const used = cpuSeconds(process.pid) - before;
    expect(used).toBeGreaterThan(0.25);
    expect(used).toBeLessThan(5);
  });

  it("peakMb is at least what it holds", () => {
    expect(peakMb(process.pid)).toBeGreaterThan((process.memoryUsage.rss() / 2 ** 20) * 0.8);
  });

  it("a process that is gone has used nothing more", () => {
    expect(cpuSeconds(2 ** 22 + 1)).toBe(0);
    expect(peakMb(2 ** 22 + 1)).toBe(0);
  });
});
