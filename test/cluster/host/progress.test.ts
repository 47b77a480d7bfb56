import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { progressTo } from "./progress.ts";

describe("progress", () => {
  it("does not mention what was over at once", async () => {
    const lines: string[] = [];
    expect(await progressTo((line) => lines.push(line)).step("quick", async () => await Promise.resolve(7))).toBe(7);
    expect(lines).toEqual([]);
  });

  it("says when a step begins and how long it took", async () => {
    const lines: string[] = [];
    await progressTo((line) => lines.push(line)).step("slow", async () => await sleep(600));
    expect(lines).toEqual([expect.stringMatching(/s {2}slow …$/), expect.stringMatching(/slow: done in 0\.[6-9] s$/)]);
  });

  it("says what failed, and passes the error on", async () => {
    const lines: string[] = [];
    const work = async (): Promise<never> => await Promise.reject(new RangeError("why"));
    await expect(progressTo((line) => lines.push(line)).step("it", work)).rejects.toThrow("why");
    expect(lines).toEqual([expect.stringContaining("it: FAILED after")]);
  });
});
