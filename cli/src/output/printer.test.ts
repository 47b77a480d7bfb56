import { describe, expect, test } from "vitest";
import { Printer } from "./printer.ts";
import type { Result } from "./result.ts";
import type { Settings } from "./settings.ts";

const rows = (count: number, text = "x"): Result => ({
  columns: [
    { name: "n", kind: "number" },
    { name: "text", kind: "text" },
  ],
  rows: Array.from({ length: count }, (_, index) => [String(index), index === 1 ? null : text]),
});

/** @returns what was written, and what went through the pager */
function printerOf(settings: Partial<Settings>, screen?: { rows: number; columns: number }, hasPager = true) {
  let [written, paged] = ["", ""];
  const terminal = screen && {
    size: () => screen,
    page: async (text: string) => {
      if (hasPager) paged += text;
      return await Promise.resolve(hasPager);
    },
  };
  const printer = new Printer(
    "table",
    (text) => (written += text),
    () => undefined,
    terminal,
  );
  Object.assign(printer.settings, settings);
  return { printer, out: () => ({ written, paged }) };
}

describe("results end with the number of their rows", () => {
  test.each<[count: number, words: string]>([
    [0, "(0 rows)\n"],
    [1, "(1 row)\n"],
    [2, "(2 rows)\n"],
  ])("%i", async (count, words) => {
    for (const expanded of ["on", "off"] as const) {
      const { printer, out } = printerOf({ expanded });
      await printer.result(rows(count));
      expect(out().written.endsWith(words)).toBe(true);
    }
  });

  test("for people, not for programs", async () => {
    for (const format of ["json", "csv"] as const) {
      const { printer, out } = printerOf({ format, expanded: "on" });
      await printer.result(rows(2));
      expect(out().written).not.toContain("row");
    }
  });

  test("also those that come in parts, which are counted through", () => {
    const { printer, out } = printerOf({});
    const stream = printer.stream();
    for (const part of [rows(2), rows(1)]) stream.add(part);
    stream.end();
    expect(out().written).toBe("n  text\n─  ────\n0  x\n1  NULL\n0  x\n(3 rows)\n");
    const expanded = printerOf({ expanded: "on" });
    const other = expanded.printer.stream();
    for (const part of [rows(1), rows(1)]) other.add(part);
    other.end();
    expect(expanded.out().written).toBe(
      "── row 1 ───────\nn     0\ntext  x\n── row 2 ───────\nn     0\ntext  x\n(2 rows)\n",
    );
  });
});

test("NULL is what the person says, and nothing in lists of our own", async () => {
  const { printer, out } = printerOf({ null: "∅" });
  await printer.result(rows(2));
  await printer.result({ ...rows(2), blank: true });
  expect(out().written).toBe("n  text\n─  ────\n0  x\n1  ∅\n(2 rows)\nn  text\n─  ────\n0  x\n1\n(2 rows)\n");
});

test("auto expands what is wider than the screen", async () => {
  for (const [columns, head] of [
    [40, "── row 1"],
    [80, "n  text"],
  ] as const) {
    const { printer, out } = printerOf({ expanded: "auto" }, { rows: 99, columns });
    await printer.result(rows(1, "x".repeat(60)));
    expect(out().written.startsWith(head)).toBe(true);
  }
  const { printer, out } = printerOf({ expanded: "auto" });
  await printer.result(rows(1, "x".repeat(600)));
  expect(out().written.startsWith("n  text")).toBe(true);
});

describe("what is longer than the screen goes through the pager", () => {
  // Three lines around the rows, and the prompt below them.
  test.each<[count: number, pager: Settings["pager"], text: string, isPaged: boolean]>([
    [6, "on", "x", false],
    [7, "on", "x", true],
    [3, "on", "x".repeat(50), true],
    [7, "off", "x", false],
    [1, "always", "x", true],
  ])("%i rows, pager %s, %s", async (count, pager, text, isPaged) => {
    const { printer, out } = printerOf({ pager }, { rows: 10, columns: 20 });
    await printer.result(rows(count, text));
    expect(out()[isPaged ? "paged" : "written"]).toMatch(/^n {2}text/);
    expect(out()[isPaged ? "written" : "paged"]).toBe("");
  });

  test("it is printed where there is none, and where no terminal is", async () => {
    for (const { printer, out } of [printerOf({}, { rows: 5, columns: 80 }, false), printerOf({ pager: "always" })]) {
      await printer.result(rows(50));
      expect(out().written).toContain("(50 rows)");
    }
  });
});
