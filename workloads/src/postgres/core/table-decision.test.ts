import { describe, expect, it } from "vitest";
import { decideTable, type Owner, type TableObserved } from "./table-decision.ts";

const owner: Owner = { pipeline: "shop/events", stage: "metrics", uid: "now" };
const columns = [
  { name: "window_start", type: "timestamp with time zone" },
  { name: "n", type: "bigint" },
];
const fresh: TableObserved = {
  table: "t",
  plan: "p",
  expected: columns,
  claim: null,
  claimantAlive: false,
  columns: null,
  nameTaken: false,
  hasRows: false,
  hasProgress: false,
};
const claim = { ...owner, plan: "p", retiredUids: [], adopted: false };
const made: TableObserved = { ...fresh, claim, columns, nameTaken: true, hasRows: true, hasProgress: true };

describe("a table", () => {
  it.each([
    ["is made where nothing is", fresh, "create"],
    ["is kept by its owner", made, "keep"],
    ["is kept before its first commit", { ...made, hasRows: false, hasProgress: false }, "keep"],
    [
      "is kept with columns that people added",
      { ...made, columns: [...columns, { name: "note", type: "text" }] },
      "keep",
    ],
    ["passes on when the old uid is gone", { ...made, claim: { ...claim, uid: "before" } }, "inherit"],
  ])("%s", (_, observed, action) => {
    expect(decideTable(observed, owner).action).toBe(action);
  });

  it.each([
    ["TableClaimed", "another pipeline has it", { ...made, claim: { ...claim, pipeline: "shop/other" } }],
    ["TableClaimed", "another stage has it", { ...made, claim: { ...claim, stage: "other" } }],
    ["TableClaimed", "pods of the old uid live", { ...made, claim: { ...claim, uid: "before" }, claimantAlive: true }],
    [
      "PipelineReplaced",
      "it has passed on",
      { ...made, claim: { ...claim, uid: "newer", adopted: false, retiredUids: ["now"] } },
    ],
    ["TableExists", "someone else made a table", { ...fresh, columns, nameTaken: true }],
    ["TableExists", "someone else made a view", { ...fresh, nameTaken: true }],
    ["TableChanged", "its definition is another", { ...made, plan: "q" }],
    ["TableChanged", "a column is missing", { ...made, columns: columns.slice(0, 1) }],
    [
      "TableChanged",
      "a column has another type",
      { ...made, columns: [...columns.slice(0, 1), { name: "n", type: "integer" }] },
    ],
    ["TableMissing", "it was dropped", { ...made, columns: null, nameTaken: false }],
    ["TableMissing", "the view of its panes was dropped", { ...made, nameTaken: false }],
    ["TableWithoutProgress", "its progress was deleted", { ...made, hasProgress: false }],
  ])("is refused with %s when %s, and the message says what to do", (reason, _, observed) => {
    const decision = decideTable(observed, owner);
    expect(decision).toMatchObject({ action: "refuse", reason });
    expect(decision.action === "refuse" && decision.message).toMatch(/name|restore|passes on|drop|put it back/);
  });
});
