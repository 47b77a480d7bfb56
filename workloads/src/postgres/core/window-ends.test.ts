import { describe, expect, it } from "vitest";
import type { Delta } from "../../kernel/delta.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import { firstEnd, lastEnd, oldestEnds } from "./window-ends.ts";

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

describe("the first window of a row ends", () => {
  it.each([
    ["of a window, where the window does", minutes({}), "00:07:00", "00:08:00"],
    ["of a pane, with the first window that holds it", minutes({ size: 180_000, panes: true }), "00:07:00", "00:08:00"],
    [
      "of a pane after a window's start, with the one that began before",
      minutes({ size: 180_000, advance: 120_000, panes: true }),
      "00:08:00",
      "00:09:00",
    ],
  ])("%s", (_, table, start, end) => {
    expect(firstEnd(table, at(start))).toBe(at(end));
  });
});

describe("the oldest ends of a delta are found among rows in any order", () => {
  const windowStart = Float64Array.of(at("00:03:00"), at("00:01:00"), at("00:02:00"));
  const delta: Delta = { table: minutes({}), rows: 3, windowStart, groups: [], parts: [] };

  it.each([
    ["nothing is final", null, "00:02:00"],
    ["all windows are open", at("00:01:59"), "00:02:00"],
    ["one is final", at("00:02:00"), "00:03:00"],
    ["all are final", at("00:04:00"), null],
  ])("where %s", (_, final, open) => {
    const openEnd = open === null ? null : at(open);
    expect(oldestEnds(delta, final)).toEqual({ end: at("00:02:00"), openEnd });
  });

  it("without rows there is none", () => {
    expect(oldestEnds({ ...delta, rows: 0, windowStart: new Float64Array(0) }, null)).toEqual({
      end: Infinity,
      openEnd: null,
    });
  });
});

it("the oldest end of a delta of sessions is a gap after the last event of the one that ends first", () => {
  const [windowStart, lastEvent] = [
    Float64Array.of(at("00:00:00"), at("00:01:00")),
    Float64Array.of(at("00:09:00"), at("00:02:00")),
  ];
  const sessions = { lastEvent, group: Float64Array.of(0, 1) };
  const delta: Delta = { table: minutes({ gap: 60_000 }), rows: 2, windowStart, sessions, groups: [], parts: [] };
  expect(oldestEnds(delta, null)).toEqual({ end: at("00:03:00"), openEnd: at("00:00:00") });
});
