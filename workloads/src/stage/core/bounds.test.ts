import { describe, expect, it } from "vitest";
import { BOUNDS, isDue, isFull } from "./bounds.ts";

const size = (ageMs: number, rows = 10, bytes = 100) => ({ rows, bytes, ageMs });

describe("a batch", () => {
  it.each([
    ["is due soon when the worker has caught up", size(BOUNDS.caughtUpMinMs), false, 3, true],
    ["leaves time between commits that cost some", size(40), false, 15, false],
    ["is due when it has waited long enough for them", size(BOUNDS.caughtUpMaxMs), false, 500, true],
    ["waits for what one fetch brings together", size(0), false, 0, false],
    ["collects under lag", size(BOUNDS.caughtUpMaxMs), true, 5, false],
    ["collects longer the longer a commit takes", size(1_000), true, 250, false],
    ["is committed after a multiple of the last commit's time", size(2_000), true, 250, true],
    ["never collects longer than the limit", size(BOUNDS.lagMaxMs), true, 60_000, true],
    ["is due when it has enough rows", size(0, BOUNDS.maxRows), true, 250, true],
    ["is due when it holds enough bytes", size(0, 1, BOUNDS.maxBytes), true, 250, true],
  ] as const)("%s", (_, batch, lagging, lastCommitMs, expected) => {
    expect(isDue(batch, lagging, lastCommitMs)).toBe(expected);
  });

  it("is full by its size and never by its age", () => {
    expect(isFull(size(1e9))).toBe(false);
    expect(isFull(size(0, BOUNDS.maxRows))).toBe(true);
    expect(isFull(size(0, 1, BOUNDS.maxBytes))).toBe(true);
  });
});
