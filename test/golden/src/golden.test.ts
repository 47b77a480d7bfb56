import { expect, test } from "vitest";
import { goldens } from "./golden.ts";

const all = goldens();

test("there are plans to review", () => {
  expect(all.length).toBeGreaterThanOrEqual(4);
});

test.each(all)("the plan of $name is the one that was reviewed", ({ actual, expected }) => {
  expect(actual).toBe(expected);
});
