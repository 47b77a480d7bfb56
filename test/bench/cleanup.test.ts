import { describe, expect, it } from "vitest";
import { newCleanup } from "./cleanup.ts";

describe("newCleanup", () => {
  it("does its work once, the last first, and also what comes after a failure", async () => {
    const said: string[] = [];
    const done: string[] = [];
    const cleanup = newCleanup((line) => said.push(line));
    const work = (name: string) => async () => await Promise.resolve(void done.push(name));
    cleanup.add(work("first"));
    const takeBack = cleanup.add(work("taken back"));
    cleanup.add(async () => await Promise.reject(new RangeError("gone")));
    cleanup.add(work("last"));
    takeBack();
    await Promise.all([cleanup.run(), cleanup.run()]);
    expect(done).toEqual(["last", "first"]);
    expect(said).toEqual([expect.stringContaining("gone")]);
  });
});
