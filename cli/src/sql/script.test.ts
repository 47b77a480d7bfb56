import { describe, expect, test } from "vitest";
import { splitScript } from "./script.ts";

/** Statements as they are, commands with their backslash. */
const texts = (source: string) => splitScript(source).pieces.map(({ text }) => text);

describe("statements end with a semicolon that is in no quotes and no comment; commands with their line", () => {
  test.each<[source: string, pieces: string[], rest: string]>([
    ["show topics; show tables", ["show topics"], "show tables"],
    ["select ';' as a, \"x;y\"; ", ["select ';' as a, \"x;y\""], ""],
    ["select 1 -- not; here\n;", ["select 1 -- not; here"], ""],
    ["select 1 /* nor; here */; b", ["select 1 /* nor; here */"], "b"],
    ["select $$ a; b $$; c", ["select $$ a; b $$"], "c"],
    ["select 'it''s; open", [], "select 'it''s; open"],
    ["select E'it\\'s; one'; x", ["select E'it\\'s; one'"], "x"],
    ["/* open; ", [], "/* open;"],
    [";;", [], ""],
    ["-- a comment alone", [], ""],
    ["\\d", ["\\d"], ""],
    ["\\x\nselect 1;\\d it's\nselect 2", ["\\x", "select 1", "\\d it's"], "select 2"],
    ["\\x; \\d counts; show topics;", ["\\x", "\\d counts", "show topics"], ""],
    ["\\x \\d counts", ["\\x", "\\d counts"], ""],
    ['\\d "a;b \\c"', ['\\d "a;b \\c"'], ""],
    ["select 1 \\g select 2\\gx", ["select 1", "select 2"], ""],
    ["select '\\d' as a;", ["select '\\d' as a"], ""],
    ["select\n\\x\n1;", ["\\x", "select\n  \n1"], ""],
    ["select wrong \\r select 1;", ["select 1"], ""],
  ])("%s", (source, pieces, rest) => {
    expect(texts(source)).toEqual(pieces);
    expect(splitScript(source).rest.text).toBe(rest);
  });
});

test("each piece knows its line, and whether its result is expanded", () => {
  expect(splitScript("show topics;\n\n\\x\n  select\n1 \\gx\nrest").pieces).toEqual([
    { kind: "statement", text: "show topics", line: 1 },
    { kind: "command", text: "\\x", line: 3 },
    { kind: "statement", text: "select\n1", line: 4, expanded: true },
  ]);
  expect(splitScript("a;\nrest", 7).rest).toEqual({ kind: "statement", text: "rest", line: 8 });
});
