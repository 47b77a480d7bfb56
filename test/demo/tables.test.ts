import { describe, expect, it } from "vitest";
import { formatTable, tablesQuery } from "./tables.ts";

describe("formatTable", () => {
  it("aligns words to the left and numbers to the right", () => {
    const rows = [
      { event_type: "view", count: 1200, average: 1.5 },
      { event_type: "purchase", count: 7, average: 300.25 },
    ];
    expect(formatTable({ name: "event_counts", count: 12, rows })).toBe(
      [
        "event_counts: 12 rows",
        "  event_type  count  average",
        "  ──────────  ─────  ───────",
        "  view         1200    1.500",
        "  purchase        7  300.250",
      ].join("\n"),
    );
  });

  it("writes times short", () => {
    const rows = [{ at: "2026-11-21T08:52:41.068083+00:00" }];
    expect(formatTable({ name: "t", count: 1, rows })).toContain("2026-11-21 08:52:41");
  });

  it("says that there is nothing yet", () => {
    expect(formatTable({ name: "t", count: 0, rows: [] })).toBe("t: 0 rows");
  });

  it("shows NULL, and one row as one", () => {
    expect(formatTable({ name: "t", count: 1, rows: [{ a: null }] })).toBe("t: 1 row\n  a\n  ─\n  ∅");
  });
});

describe("tablesQuery", () => {
  it("quotes names as identifiers and as text", () => {
    const query = tablesQuery([{ name: `odd"name's`, order: ["window_start", 3] }], [], 5);
    expect(query).toContain(`from "odd""name's" order by "window_start" desc nulls last, 3 desc`);
    expect(query).toContain(`'odd"name''s'`);
  });
});
