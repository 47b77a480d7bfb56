import { expect, it } from "vitest";
import { rowsBefore } from "./rows.ts";

it.each([
  [0, 0],
  [4, 0],
  [5, 1],
  [7, 1],
  [8, 2],
  [100, 3],
])("before offset %i of 4, 7 and 9 there are %i records", (offset, expected) => {
  const offsets = Float64Array.from([4, 7, 9]);
  expect(rowsBefore({ offsets, count: 3 }, offset)).toBe(expected);
});
