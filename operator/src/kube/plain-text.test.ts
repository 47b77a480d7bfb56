import { expect, test } from "vitest";
import { plainText, plainTexts } from "./plain-text.ts";

test.each([
  ["an escape sequence of a terminal", "\u001b[2J\u001b]0;owned\u0007", "\\u001b[2J\\u001b]0;owned\\u0007"],
  ["an 8-bit one", "\u009b31m", "\\u009b31m"],
  ["ends of lines", "a\nReady  True\r\nb\tc", "a Ready  True b c"],
  ["a return alone", "a\rb", "a\\u000db"],
  ["zero and delete", "\u0000\u007f", "\\u0000\\u007f"],
  ["writing from the right", "\u202egpj.exe", "\\u202egpj.exe"],
  ["what has no width", "a\u200bb\ufeff", "a\\u200bb\\ufeff"],
  ["half of a pair", "a\ud83d", "a\ufffd"],
  ["ordinary text", "preço 5 € 😀 'x' \"y\" \\n", "preço 5 € 😀 'x' \"y\" \\n"],
])("%s", (_what, text, shown) => expect(plainText(text)).toBe(shown));

test("what is cut is whole characters", () => {
  expect(plainText("ab😀", 3)).toBe("ab\ufffd");
});

test("all texts of a value, and nothing else of it", () => {
  expect(plainTexts({ a: ["x\u001b", 1, null, { b: "c\nd" }], e: true })).toEqual({
    a: ["x\\u001b", 1, null, { b: "c d" }],
    e: true,
  });
});
