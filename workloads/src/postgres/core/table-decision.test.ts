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
  asked: null,
  asks: "p",
  generation: 2,
  claimantAlive: false,
  columns: null,
  nameTaken: false,
  hasRows: false,
  hasProgress: false,
};
const claim = { ...owner, plan: "p", retiredUids: [], adopted: false };
const made: TableObserved = { ...fresh, claim, columns, nameTaken: true, hasRows: true, hasProgress: true };

const asked = { ...owner, plan: "newer", generation: 3, retiredUids: [] };

describe("a definition", () => {
  it.each<[string, Partial<TableObserved>, string]>([
    [
      "makes a forgotten table again when nothing newer was asked for",
      { asked: { ...asked, generation: 2 } },
      "create",
    ],
    ["makes it when it is the newest, whatever its generation", { asked: { ...asked, plan: "p" } }, "create"],
    ["makes it for a pipeline that was created again", { asked: { ...asked, uid: "before" } }, "create"],
    ["makes it for another pipeline", { asked: { ...asked, pipeline: "shop/other" } }, "create"],
    ["keeps a table that was made with it, whatever is asked for", { ...made, asked }, "keep"],
  ])("%s", (_, observed, action) => {
    expect(decideTable({ ...fresh, ...observed }, owner).action).toBe(action);
  });

  it.each<[string, string, Partial<TableObserved>]>([
    ["DefinitionSuperseded", "a newer generation has another one", { asked }],
    [
      "DefinitionSuperseded",
      "a newer generation has the table in another stage",
      { asked: { ...asked, plan: "p", stage: "other" } },
    ],
    ["DefinitionSuperseded", "the table was made with another", { ...made, plan: "q", asks: "q", asked }],
    ["PipelineReplaced", "a newer pipeline had the table", { asked: { ...asked, uid: "newer", retiredUids: ["now"] } }],
  ])("is refused with %s when %s", (reason, _, observed) => {
    expect(decideTable({ ...fresh, ...observed }, owner)).toMatchObject({ action: "refuse", reason });
  });
});

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

it("a definition that has changed says in what, by what is known of the one before", () => {
  const said = (observed: Partial<TableObserved>) => {
    const decision = decideTable({ ...made, plan: "q", ...observed }, owner);
    return decision.action === "refuse" ? decision.message : "";
  };
  const definition = (size: number) =>
    JSON.stringify({
      ...{ topic: "t", timestamp: null, fields: [] },
      where: [null, null],
      window: [size, size],
      groups: [],
      parts: [],
    });
  const known = { claim: { ...claim, meaning: definition(60_000) }, meaning: definition(300_000) };
  expect(said(known)).toContain("(window was tumbling of 60000 ms and is tumbling of 300000 ms)");
  const column = { name: "n", type: "numeric" };
  expect(said({ expected: [...columns.slice(0, 1), column] })).toContain(
    "(column n is of type bigint and should be numeric)",
  );
  expect(said({ expected: [...columns, { name: "user_id", type: "text" }] })).toContain(
    "(column user_id (text) is missing)",
  );
  expect(said({})).toContain("its columns are the same, and its window, groupBy, where, aggregates");
});
