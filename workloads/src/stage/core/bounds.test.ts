import { describe, expect, it } from "vitest";
import { BOUNDS, dueIn, isDue, isFull } from "./bounds.ts";

const size = (ageMs: number, rows = 100, bytes = 100) => ({ rows, bytes, ageMs });
const caughtUp = (lastCommitMs: number, sinceSealMs: number) => ({ lagging: false, lastCommitMs, sinceSealMs });
const lagging = (lastCommitMs: number) => ({ lagging: true, lastCommitMs, sinceSealMs: 0 });

describe("a batch", () => {
  it.each([
    ["is due soon when the worker has caught up", size(0), caughtUp(3, BOUNDS.caughtUpMinMs), true],
    ["leaves time between commits that cost some", size(40), caughtUp(15, 40), false],
    ["is due when it has waited long enough for them", size(0), caughtUp(500, BOUNDS.caughtUpMaxMs), true],
    ["waits for what one fetch brings together", size(0), caughtUp(0, 0), false],
    ["of a few rows waits for longer", size(0, 3), caughtUp(3, BOUNDS.caughtUpMaxMs), false],
    ["of a few rows is due then", size(0, 3), caughtUp(3, BOUNDS.fewMs), true],
    ["of a single row is due at once after a pause", size(0, 1), caughtUp(3, 1_000), true],
    ["collects under lag", size(BOUNDS.caughtUpMaxMs), lagging(5), false],
    ["collects longer the longer a commit takes", size(1_000), lagging(250), false],
    ["is committed after a multiple of the last commit's time", size(2_000), lagging(250), true],
    ["never collects longer than the limit", size(BOUNDS.lagMaxMs), lagging(60_000), true],
    ["is due when it has enough rows", size(0, BOUNDS.maxRows), lagging(250), true],
    ["is due when it holds enough bytes", size(0, 1, BOUNDS.maxBytes), lagging(250), true],
  ] as const)("%s", (_, batch, moment, expected) => {
    expect(isDue(batch, moment)).toBe(expected);
  });

  it("gathers for as long as it is to, whatever else is so", () => {
    const bounds = { ...BOUNDS, gatherMs: 60_000 };
    for (const moment of [caughtUp(3, 1_000_000), lagging(3)]) {
      expect(dueIn(size(20_000), moment, bounds)).toBe(40_000);
      expect(isDue(size(60_000), moment, bounds)).toBe(true);
    }
  });

  it("is full by its size and never by its age", () => {
    expect(isFull(size(1e9))).toBe(false);
    expect(isFull(size(0, BOUNDS.maxRows))).toBe(true);
    expect(isFull(size(0, 1, BOUNDS.maxBytes))).toBe(true);
  });
});
