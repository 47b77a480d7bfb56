import { describe, expect, it } from "vitest";
import type { DeltaColumn } from "./delta.ts";
import { jsonTextAt } from "./delta-text.ts";

const numbers = (...values: (number | null)[]): DeltaColumn => ({
  kind: "number",
  values: Float64Array.from(values, (value) => value ?? NaN),
  bigs: new Map(),
});
const all = (column: DeltaColumn, duckdbType: string, rows: number) => {
  const text = jsonTextAt(column, duckdbType);
  return Array.from({ length: rows }, (_, row) => text(row));
};

describe("values as text", () => {
  it.each([
    ["BOOLEAN", [1, 0, null], ["true", "false", null]],
    ["BIGINT", [7, -7, 0], ["7", "-7", "0"]],
    ["DOUBLE", [0.1, 1e21, null], ["0.1", "1e+21", null]],
    ["DECIMAL(12,2)", [123456, -5, 100], ["1234.56", "-0.05", "1.00"]],
    ["DECIMAL(5,0)", [12, -3, null], ["12", "-3", null]],
    ["DATE", [0, 20_454, -1], ["1970-01-01", "2026-01-01", "1969-12-31"]],
    ["TIME", [0, 43_200_000_001, null], ["00:00:00", "12:00:00.000001", null]],
    [
      "TIMESTAMP WITH TIME ZONE",
      [1_767_225_630_000_000, 1_767_225_630_000_001, -1],
      ["2026-01-01T00:00:30Z", "2026-01-01T00:00:30.000001Z", "1969-12-31T23:59:59.999999Z"],
    ],
    ["TIMESTAMP", [1_767_225_630_500_000, null, null], ["2026-01-01T00:00:30.5", null, null]],
  ] as const)("of %s", (type, values, texts) => {
    expect(all(numbers(...values), type, values.length)).toEqual(texts);
  });

  it("of integers that a double cannot hold", () => {
    const column: DeltaColumn = {
      kind: "number",
      values: Float64Array.of(1, Infinity),
      bigs: new Map([[1, 12_345_678_901_234_567_890n]]),
    };
    expect(all(column, "HUGEINT", 2)).toEqual(["1", "12345678901234567890"]);
    expect(all(column, "DECIMAL(38,2)", 2)).toEqual(["0.01", "123456789012345678.90"]);
  });

  it("of texts, empty ones and NULL among them", () => {
    const bytes = Buffer.from("são paulo");
    const column: DeltaColumn = { kind: "text", bytes, lengths: Int32Array.of(0, 4, -1, 6) };
    expect(all(column, "VARCHAR", 4)).toEqual(["", "são", null, " paulo"]);
  });
});
