import type { JsonPath } from "@caudal/crds";
import { describe, expect, it } from "vitest";
import { documentForm, overlapOf } from "./document.ts";

const write = (...paths: readonly JsonPath[]) => {
  const { order, prefixes, end } = documentForm(paths);
  return `${order.map((place, index) => `${prefixes[index] ?? ""}${place}`).join("")}${end}`;
};

describe("values are written where their paths say", () => {
  it.each<[json: string, ...paths: JsonPath[]]>([
    ["{}"],
    ['{"a":0,"b":1}', ["a"], ["b"]],
    ['{"a.b":0,"x\\"y":1}', ["a.b"], ['x"y']],
    ['{"k":{"p":0,"n":2},"b":1}', ["k", "p"], ["b"], ["k", "n"]],
    ['{"a":{"b":{"c":0}}}', ["a", "b", "c"]],
    ['{"items":[{"sku":0},null,{"sku":1}]}', ["items", 0, "sku"], ["items", 2, "sku"]],
    ['{"l":[null,null,1,0]}', ["l", 3], ["l", 2]],
    ['{"l":[[0],[null,1]]}', ["l", 0, 0], ["l", 1, 1]],
    ['{"__proto__":0,"":1}', ["__proto__"], [""]],
  ])("%s", (json, ...paths) => {
    expect(write(...paths)).toBe(json);
    expect(overlapOf(paths)).toBeUndefined();
    JSON.parse(json);
  });
});

it.each<[JsonPath, JsonPath]>([
  [["a"], ["a"]],
  [["a"], ["a", "b"]],
  [
    ["a", 0],
    ["a", "b"],
  ],
  [
    ["a", "b", "c"],
    ["a", "b"],
  ],
])("%j and %j are in one place", (one, other) => {
  expect(overlapOf([["x"], one, other])).toEqual([1, 2]);
  expect(() => documentForm([one, other])).toThrow(RangeError);
});
