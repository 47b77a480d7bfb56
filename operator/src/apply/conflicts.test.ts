import { expect, test } from "vitest";
import { Conflicts } from "./conflicts.ts";

test("a conflict that comes a fifth time in a row lasts; what goes well meanwhile begins anew", () => {
  const conflicts = new Conflicts();
  const rounds = (times: number) => Array.from({ length: times }, () => conflicts.last("a/b"));
  expect(rounds(5)).toEqual([false, false, false, false, true]);
  expect(conflicts.last("a/c")).toBe(false);
  conflicts.forget("a/b");
  expect(rounds(2)).toEqual([false, false]);
});
