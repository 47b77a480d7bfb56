import { describe, expect, test } from "vitest";
import { format } from "./format.ts";
import type { Result } from "./result.ts";

const result: Result = {
  columns: [
    { name: "name", kind: "text" },
    { name: "n", kind: "number" },
    { name: "ok", kind: "boolean" },
    { name: "at", kind: "time" },
    { name: "more", kind: "json" },
  ],
  rows: [
    ['são, "x"', "12345678901234567890.50", "true", "2026-01-01 00:00:00.5+00", '{"a": 1}'],
    [null, "NaN", "false", null, null],
    ["", "-7", null, "2026-01-01 00:00:00+00", "[]"],
    ["two\nlines", "1e+20", null, null, null],
  ],
};

test("a table for people: numbers to the right, line breaks shown, NULL told from empty text", () => {
  expect(format(result, "table")).toBe(`name        n                        ok     at                        more
──────────  ───────────────────────  ─────  ────────────────────────  ────────
são, "x"    12345678901234567890.50  true   2026-01-01 00:00:00.5+00  {"a": 1}
NULL                            NaN  false  NULL                      NULL
                                 -7  NULL   2026-01-01 00:00:00+00    []
two\\nlines                    1e+20  NULL   NULL                      NULL
`);
});

describe("json", () => {
  test("one object a line, with all digits of numbers and times as ISO 8601", () => {
    const lines = format(result, "json").trimEnd().split("\n");
    expect(lines[0]).toBe(
      '{"name":"são, \\"x\\"","n":12345678901234567890.50,"ok":true,"at":"2026-01-01T00:00:00.5Z","more":{"a": 1}}',
    );
    expect(lines[1]).toBe('{"name":null,"n":"NaN","ok":false,"at":null,"more":null}');
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  });
});

test("csv by RFC 4180, with NULL as nothing and empty text in quotes", () => {
  expect(format(result, "csv").split("\n").slice(0, 4).join("\n")).toBe(`name,n,ok,at,more
"são, ""x""",12345678901234567890.50,true,2026-01-01 00:00:00.5+00,"{""a"": 1}"
,NaN,false,,
"",-7,,2026-01-01 00:00:00+00,[]`);
});

test("text that is too wide for a column stands out of it, wide characters count twice", () => {
  const wide: Result = {
    columns: [
      { name: "x", kind: "text" },
      { name: "y", kind: "text" },
    ],
    rows: [
      ["x".repeat(200), "a"],
      ["東京", "b"],
    ],
  };
  const lines = format(wide, "table").trimEnd().split("\n");
  expect(lines[1]).toBe(`${"─".repeat(80)}  ─`);
  expect(lines[2]).toBe(`${"x".repeat(200)}  a`);
  expect(lines[3]).toBe(`東京${" ".repeat(76)}  b`);
});
