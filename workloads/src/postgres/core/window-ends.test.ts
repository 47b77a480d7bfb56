import { describe, expect, it } from "vitest";
import type { Delta } from "../../kernel/delta.ts";
import type { TablePlan } from "../../sql/plan.ts";
import { lastEnd, oldestEnd } from "./window-ends.ts";

const minutes = (table: Partial<TablePlan>): TablePlan => ({
  ...{ name: "t", hash: "h", size: 60_000, advance: 60_000, pane: 60_000, panes: false },
  ...{ fields: [], inputs: [], groups: [], aggregates: [] },
  ...table,
});
const at = (text: string) => Date.parse(`2026-01-01T${text}Z`);

describe("the last window of a row ends", () => {
  it.each([
    ["of a window, where the window does", minutes({}), "00:07:00", "00:08:00"],
    ["of a window that overlaps the next, where it does", minutes({ size: 90_000 }), "00:07:00", "00:08:30"],
    ["of a pane, with the last window that holds it", minutes({ size: 180_000, panes: true }), "00:07:00", "00:10:00"],
    [
      "of a pane between two windows' starts, with the one that began before",
      minutes({ size: 180_000, advance: 120_000, panes: true }),
      "00:07:00",
      "00:09:00",
    ],
  ])("%s", (_, table, start, end) => {
    expect(lastEnd(table, at(start))).toBe(at(end));
  });

  it("before 1970 too", () => {
    expect(lastEnd(minutes({ size: 180_000, advance: 120_000, panes: true }), -60_000)).toBe(60_000);
  });
});

it("the oldest end of a delta is found among rows in any order", () => {
  const windowStart = Float64Array.of(at("00:03:00"), at("00:01:00"), at("00:02:00"));
  const delta: Delta = { table: minutes({}), rows: 3, windowStart, groups: [], parts: [] };
  expect(oldestEnd(delta)).toBe(at("00:02:00"));
});

it("the oldest end of a delta of sessions is a gap after the last event of the one that ends first", () => {
  const [windowStart, lastEvent] = [
    Float64Array.of(at("00:00:00"), at("00:01:00")),
    Float64Array.of(at("00:09:00"), at("00:02:00")),
  ];
  const sessions = { lastEvent, group: Float64Array.of(0, 1) };
  const delta: Delta = { table: minutes({ gap: 60_000 }), rows: 2, windowStart, sessions, groups: [], parts: [] };
  expect(oldestEnd(delta)).toBe(at("00:03:00"));
});
