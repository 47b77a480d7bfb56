/** What test/api/bad-specs.yaml does not say: what is accepted, and that every finding tells what to do. */
import { describe, expect, test } from "vitest";
import type { Field, GeneratorValue } from "@caudal/crds";
import { givenPipeline } from "../testing/given-pipeline.ts";
import { readsAs } from "./field-text.ts";
import { validate } from "./validate.ts";

test("the example is valid", () => {
  expect(validate({ pipeline: givenPipeline() })).toEqual([]);
});

describe("values that fit are accepted", () => {
  const field = (type: string, nullable = false): Field => ({ name: "f", type, nullable });
  const cases: [Field, Omit<GeneratorValue, "field">][] = [
    [field("string", true), { constant: "x", nulls: 1 }],
    [field("decimal(10,2)"), { uniform: { min: 0, max: 5 } }],
    [field("bigint"), { sequence: { start: 1, step: 1 } }],
    [field("string"), { sequence: { start: 1, step: 1, prefix: "n" } }],
    [field("uuid"), { uuid: {} }],
    [field("string"), { uuid: {} }],
    [field("timestamp"), { now: { jitter: "3s" } }],
    [field("date"), { time: { start: "2026-01-01T00:00:00Z", step: "1d" } }],
    [field("boolean"), { weighted: [{ value: "true", weight: 1 }] }],
    [field("json"), { constant: '{"a":1}' }],
    [field("integer"), { choice: { values: ["1", "-2"], distribution: "zipf" } }],
    [field("double"), { normal: { mean: 1, stddev: 0, min: 0, max: 2 } }],
  ];
  test.each(cases)("%o %o", (declared, value) => {
    const pipeline = givenPipeline((spec) => {
      spec.topics = [{ name: "app-events", managed: true, fields: [declared] }];
      spec.aggregators = [];
      for (const generator of spec.generators ?? []) generator.values = [{ field: "f", ...value }];
    });
    expect(validate({ pipeline })).toEqual([]);
  });
});

test.each<[string, string, boolean]>([
  ["integer", "2147483647", true],
  ["integer", "2147483648", false],
  ["integer", "1.7", false],
  ["bigint", "9223372036854775807", true],
  ["bigint", "9223372036854775808", false],
  ["double", "1e308", true],
  ["double", "1e400", false],
  ["double", "NaN", false],
  ["decimal(5,2)", "12.5", true],
  ["boolean", "True", false],
  ["uuid", "00000000-0000-0000-0000-000000000000", true],
  ["uuid", "0", false],
  ["timestamp", "1767225600000", true],
  ["timestamp", "2026-01-01T00:00:00Z", true],
  ["timestamp", "yesterday", false],
  ["date", "2026-02-31x", false],
  ["json", "{", false],
])("of type %s, the text %s is a value: %s", (type, text, expected) => expect(readsAs(text, type)).toBe(expected));
