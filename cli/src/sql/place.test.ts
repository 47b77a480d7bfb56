import { describe, expect, test } from "vitest";
import { placeOfByte, placeOfCharacter, placeText } from "./place.ts";

describe("the place of an error is shown under the line that was typed", () => {
  test.each<[text: string, at: number, line: number, shown: string]>([
    ["select x", 7, 1, "line 1: select x\n               ^"],
    ["select\n  x\nfrom t", 9, 1, "line 2:   x\n          ^"],
    ["select\n  x", 9, 41, "line 42:   x\n           ^"],
    ["select", 99, 1, "line 1: select\n              ^"],
    ["select '東京', x", 13, 1, "line 1: select '東京', x\n                       ^"],
    ["select\tx", 7, 1, "line 1: select x\n               ^"],
    ["", 0, 1, "line 1: \n        ^"],
  ])("%j at %i", (text, at, line, shown) => {
    expect(placeText(text, at, line)).toBe(shown);
  });

  test("a long line is cut around it", () => {
    const text = `select ${"a, ".repeat(100)}wrong, ${"b, ".repeat(100)}c`;
    const [line = "", caret = ""] = placeText(text, text.indexOf("wrong")).split("\n");
    expect(line.length).toBeLessThan(120);
    expect(line.slice(caret.indexOf("^"))).toMatch(/^wrong, b/);
  });
});

test("places are counted in characters by PostgreSQL, in bytes by DuckDB", () => {
  const text = "select '🎉é', wrong";
  expect(text.slice(placeOfCharacter(text, 14))).toBe("wrong");
  expect(text.slice(placeOfByte(text, 17))).toBe("wrong");
});
