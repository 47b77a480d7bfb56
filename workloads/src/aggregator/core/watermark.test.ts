import { describe, expect, it } from "vitest";
import { IDLE_VALID_MS, stageWatermark } from "./watermark.ts";

const clock = (partition: number, maxEventTime: number | null, idleAgeMs: number | null = null) => ({
  partition,
  maxEventTime,
  idleAgeMs,
});

describe("the stage's watermark", () => {
  it.each([
    ["is the smallest of the active partitions", null, [clock(0, 5_000), clock(1, 3_000)], 2, 2_000],
    ["leaves out a partition that is confirmed idle", null, [clock(0, 5_000), clock(1, 3_000, 100)], 2, 4_000],
    [
      "holds to a partition whose confirmation is old",
      0,
      [clock(0, 5_000), clock(1, 3_000, IDLE_VALID_MS + 1)],
      2,
      2_000,
    ],
    ["never goes back", 9_000, [clock(0, 5_000)], 1, 9_000],
    ["stands still with no active partition", 1_000, [clock(0, 5_000, 0)], 1, 1_000],
    ["does not begin with no active partition", null, [clock(0, 5_000, 0)], 1, null],
    ["is held where a partition has no event yet", 1_000, [clock(0, 5_000), clock(1, null)], 2, 1_000],
    ["passes a partition that has no event and is idle", 1_000, [clock(0, 5_000), clock(1, null, 0)], 2, 4_000],
    ["is held by a partition of which nothing is stored", 1_000, [clock(0, 5_000)], 2, 1_000],
  ] as const)("%s", (_, current, clocks, count, expected) => {
    expect(stageWatermark(current, clocks, count, 1_000)).toBe(expected);
  });
});
