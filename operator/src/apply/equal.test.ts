import { describe, expect, test } from "vitest";
import { contains } from "./equal.ts";

describe("what others own does not matter", () => {
  const cases: [string, unknown, unknown][] = [
    ["fields that are not wanted", { a: 1, b: 2 }, { a: 1 }],
    ["items of a list by name", [{ name: "sidecar" }, { name: "stage", image: "x" }], [{ name: "stage" }]],
    ["ports by number", [{ containerPort: 8080, protocol: "TCP" }], [{ containerPort: 8080 }]],
    [
      "quantities written in another way",
      { requests: { cpu: "500m", memory: "1Gi" } },
      { requests: { cpu: "0.5", memory: "1024Mi" } },
    ],
    [
      "a text that says nothing and that the server leaves away",
      { env: [{ name: "A" }] },
      { env: [{ name: "A", value: "" }] },
    ],
    ["a number where the server has text", { limits: { cpu: "1" } }, { limits: { cpu: 1 } }],
    ["an empty object that was filled", { emptyDir: { medium: "" } }, { emptyDir: {} }],
  ];
  test.each(cases)("%s", (_name, live, wanted) => expect(contains(live, wanted)).toBe(true));
});

describe("a difference is seen", () => {
  const cases: [string, unknown, unknown][] = [
    ["in a value", { a: 1 }, { a: 2 }],
    ["in a missing field", {}, { a: 1 }],
    ["in a named item", [{ name: "stage", image: "x" }], [{ name: "stage", image: "y" }]],
    ["in a named item that is missing", [{ name: "other" }], [{ name: "stage" }]],
    ["in the length of a plain list", ["a", "b"], ["a"]],
    ["in the order of a plain list", ["a", "b"], ["b", "a"]],
    ["in a quantity", { requests: { cpu: "500m" } }, { requests: { cpu: "0.6" } }],
    [
      "in the last digit of a large quantity",
      { limits: { memory: "10000000001" } },
      { limits: { memory: "10000000002" } },
    ],
    ["in a quantity that is not rounded there", { emptyDir: { sizeLimit: "1" } }, { emptyDir: { sizeLimit: "999m" } }],
    ["in a quantity that is rounded down", { requests: { cpu: "1m" } }, { requests: { cpu: "0.0011" } }],
    ["in text that only looks like a quantity", { labels: { version: "1" } }, { labels: { version: "1.0" } }],
    ["between a list and an object", { a: {} }, { a: [] }],
  ];
  test.each(cases)("%s", (_name, live, wanted) => expect(contains(live, wanted)).toBe(false));
});
