import { expect, test } from "vitest";
import type { Kernel } from "./kernel.ts";
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, NOW, rowsOf, textOf, type Value } from "./testing/block.ts";

const MINUTE = 60_000;
const topic = topicOf(
  { user: "string?", kind: "string?", ts: "timestamp", ms: "double?", n: "bigint?", price: "decimal(10,2)?" },
  "ts",
);
const at = (minutes: number, more: object = {}) => ({ ts: NOW + minutes * MINUTE, ...more });

async function compute(kernel: Kernel, values: readonly Value[], watermark: number | null = null) {
  const result = await kernel.add(
    blockOf(
      values,
      values.map(() => NOW + 24 * 60 * MINUTE),
    ),
    { watermark },
  );
  const deltas = await kernel.take();
  return { ...result, rows: Object.fromEntries(deltas.map((delta) => [delta.table.name, rowsOf(delta)])) };
}

test("NULL groups are groups, and sums of nothing but NULL are NULL with a count of 0", async () => {
  const kernel = await kernelOf(
    configOf(topic, [
      tableOf({
        groupBy: ["user"],
        aggregates: [
          "count(*) as c",
          "count(ms) as n",
          "sum(ms) as s",
          "avg(n) as a",
          "min(price) as lo",
          "max(ms) as hi",
        ],
      }),
    ]),
  );
  const { rows } = await compute(kernel, [
    at(0),
    at(0, { user: "a", ms: 1.5, n: "9007199254740993", price: "0.10" }),
    at(0, { user: null, ms: null }),
    at(0, { user: "a", n: 1 }),
    at(0, { user: "" }),
  ]);
  await kernel.close();
  expect(rows["counts"]).toEqual([
    "00:00 | - | 2 0 - 0 - 0 - -",
    "00:00 |  | 1 0 - 0 - 0 - -",
    "00:00 | a | 2 1 1.5 1 9007199254740994 2 0.10 1.5",
  ]);
});

test("an event belongs to the window that begins at its time and not to the one that ends there, also before 1970", async () => {
  const kernel = await kernelOf(configOf(topic, [tableOf({ aggregates: ["count(*) as c"] })]));
  await kernel.add(
    blockOf([{ ts: NOW }, { ts: NOW + MINUTE - 1 }, { ts: NOW + MINUTE }, { ts: -1 }, { ts: 0 }, { ts: -MINUTE }]),
    { watermark: null },
  );
  const delta = textOf((await kernel.take())[0]);
  await kernel.close();
  expect(delta.windowStart.map((start, row) => `${start} ${delta.parts[0]?.[row] ?? ""}`)).toEqual([
    "1969-12-31T23:59:00.000Z 2",
    "1970-01-01T00:00:00.000Z 1",
    "2026-01-01T00:00:00.000Z 2",
    "2026-01-01T00:01:00.000Z 1",
  ]);
});

test("hopping windows of two advances or less are kept as windows, each event in all that hold it", async () => {
  const table = tableOf({ window: { hopping: { size: "90s", advance: "1m" } } });
  const kernel = await kernelOf(configOf(topic, [table]));
  const { rows } = await compute(kernel, [at(10), at(10.25), at(10.5), at(10.75)]);
  await kernel.close();
  expect(rows["counts"]).toEqual(["00:09 |  | 2", "00:10 |  | 4"]);
});

test("longer hopping windows are kept as panes that add up to them", async () => {
  const kernel = await kernelOf(configOf(topic, [tableOf({ window: { hopping: { size: "5m", advance: "2m" } } })]));
  const { rows } = await compute(kernel, [at(10), at(10.5), at(11), at(13)]);
  await kernel.close();
  expect(rows["counts"]).toEqual(["00:10 |  | 2", "00:11 |  | 1", "00:13 |  | 1"]);
});

test("events that a condition leaves out are accepted and move the event time, and are in no row", async () => {
  const tables = [tableOf(), tableOf({ name: "views", where: "kind = 'view'" })];
  const kernel = await kernelOf(configOf(topic, tables, { where: "kind <> 'bot'" }));
  const result = await compute(kernel, [
    at(0, { kind: "view" }),
    at(1, { kind: "click" }),
    at(2, { kind: "bot" }),
    at(3),
  ]);
  await kernel.close();
  expect(result).toMatchObject({
    accepted: 4,
    bad: [],
    maxEventTime: NOW + 3 * MINUTE,
    tables: [
      { table: "counts", counted: 2, late: 0 },
      { table: "views", counted: 1, late: 0 },
    ],
    rows: { counts: ["00:00 |  | 1", "00:01 |  | 1"], views: ["00:00 |  | 1"] },
  });
});

const late = [at(0, { user: "a" }), at(1, { user: "b" }), at(2, { user: "c" })];
const lateTables = [
  tableOf({ groupBy: ["user"] }),
  tableOf({ name: "hops", window: { hopping: { size: "3m", advance: "1m" } } }),
  tableOf({ name: "others", where: "\"user\" <> 'a'" }),
];

test("under Update late events count in their row and are counted as late", async () => {
  const kernel = await kernelOf(configOf(topic, lateTables));
  const result = await compute(kernel, late, NOW + 2 * MINUTE);
  await kernel.close();
  expect(result).toMatchObject({
    accepted: 3,
    late: [],
    tables: [
      { table: "counts", counted: 3, late: 2 },
      { table: "others", counted: 2, late: 1 },
      { table: "hops", counted: 3, late: 0 },
    ].sort((a, b) => ["counts", "hops", "others"].indexOf(a.table) - ["counts", "hops", "others"].indexOf(b.table)),
  });
  expect(result.rows["counts"]).toHaveLength(3);
});

test.for(["DeadLetter", "Drop"] as const)(
  "under %s late events are left out of the tables for which they are late, and told",
  async (lateEvents) => {
    const kernel = await kernelOf(configOf(topic, lateTables, { lateEvents }));
    const result = await compute(kernel, late, NOW + 2 * MINUTE);
    await kernel.close();
    expect(result.accepted).toBe(3);
    expect(result.late).toEqual([
      { row: 0, tables: ["counts"] },
      { row: 1, tables: ["counts", "others"] },
    ]);
    expect(result.rows).toEqual({
      counts: ["00:02 | c | 1"],
      hops: ["00:00 |  | 1", "00:01 |  | 1", "00:02 |  | 1"],
      others: ["00:02 |  | 1"],
    });
  },
);

test.each([null, NOW + 2 * MINUTE])(
  "what is older than a table keeps is left out of it under Update, and told (watermark %s)",
  async (watermark) => {
    const kernel = await kernelOf(configOf(topic, lateTables));
    const floors = new Map([["counts", NOW + MINUTE]]);
    const result = await kernel.add(blockOf(late), { watermark, floors });
    const deltas = await kernel.take();
    await kernel.close();
    expect(result.late).toEqual([{ row: 0, tables: ["counts"] }]);
    expect(result.tables.map(({ counted }) => counted)).toEqual([2, 3, 2]);
    expect(deltas.map(({ table, rows }) => [table.name, rows])).toEqual([
      ["counts", 2],
      ["hops", 3],
      ["others", 2],
    ]);
  },
);

test("a floor of a table that shares its search with another holds from the next delta on, and for it alone", async () => {
  const kernel = await kernelOf(
    configOf(topic, [tableOf({ groupBy: ["user"] }), tableOf({ name: "twin", groupBy: ["user"] })]),
  );
  const input = { watermark: null, floors: new Map([["counts", NOW + MINUTE]]) };
  const before = await kernel.add(blockOf(late), input);
  await kernel.discard();
  const after = await kernel.add(blockOf(late), input);
  const deltas = await kernel.take();
  await kernel.close();
  expect([before.late, after.late]).toEqual([[], [{ row: 0, tables: ["counts"] }]]);
  expect(deltas.map(({ table, rows }) => [table.name, rows])).toEqual([
    ["counts", 2],
    ["twin", 3],
  ]);
});

test("an event counts in those of its windows that are kept", async () => {
  const hops = tableOf({ window: { hopping: { size: "2m", advance: "1m" } }, aggregates: ["count(*) as c"] });
  const kernel = await kernelOf(configOf(topic, [hops]));
  const floors = new Map([["counts", NOW + MINUTE]]);
  const result = await kernel.add(blockOf([at(0)]), { watermark: null, floors });
  const [delta] = await kernel.take();
  await kernel.close();
  expect([result.late, delta === undefined ? [] : rowsOf(delta)]).toEqual([[], ["00:00 |  | 1"]]);
});

test("an event is late for hopping windows when the last that holds it has ended", async () => {
  const kernel = await kernelOf(configOf(topic, lateTables, { lateEvents: "Drop" }));
  const open = await compute(kernel, [at(0)], NOW + 3 * MINUTE - 1);
  expect(open.late.find(({ tables }) => tables.includes("hops"))).toBeUndefined();
  const closed = await compute(kernel, [at(0)], NOW + 3 * MINUTE);
  expect(closed.late).toEqual([{ row: 0, tables: ["counts", "hops"] }]);
  await kernel.close();
});

test("without a timestamp field the record's own time is the event's", async () => {
  const kernel = await kernelOf(configOf(topicOf({ user: "string?" }), [tableOf()]));
  const result = await kernel.add(blockOf([{}, { user: "a" }, {}], [NOW, NOW + MINUTE, -1]), { watermark: null });
  expect(result.maxEventTime).toBe(NOW + MINUTE);
  expect(result.bad).toMatchObject([{ row: 2, reason: "OutOfRange" }]);
  expect(rowsOf((await kernel.take())[0])).toEqual(["00:00 |  | 1", "00:01 |  | 1"]);
  await kernel.close();
});

test("a topic without fields can be counted", async () => {
  const kernel = await kernelOf(configOf(topicOf({}), [tableOf()]));
  const result = await kernel.add(blockOf([{ a: 1 }, "{}", "[]", "oops"]), { watermark: null });
  expect(result.bad.map(({ reason }) => reason)).toEqual(["NotAnObject", "MalformedJson"]);
  expect(rowsOf((await kernel.take())[0])).toEqual(["00:00 |  | 2"]);
  await kernel.close();
});

test("each record's own time bounds its event, not the block's", async () => {
  const kernel = await kernelOf(configOf(topic, [tableOf()]));
  const block = blockOf([at(0), at(60), at(60), at(66)], [NOW, NOW, NOW + 60 * MINUTE, NOW + 61 * MINUTE]);
  const result = await kernel.add(block, { watermark: null });
  expect(result.bad).toMatchObject([{ row: 1, reason: "TooFarAhead" }]);
  expect(result.maxEventTime).toBe(NOW + 66 * MINUTE);
  await kernel.close();
});

test("rows of a block can be computed in part, with their places in the block", async () => {
  const kernel = await kernelOf(configOf(topic, [tableOf({ groupBy: ["user"] })], { lateEvents: "Drop" }));
  const values = ["bad", at(0, { user: "a" }), "bad", at(0, { user: "b" }), at(9, { user: "c" }), "bad"];
  const block = blockOf(
    values,
    values.map(() => NOW + 60 * MINUTE),
  );
  const result = await kernel.add(block, { watermark: NOW + MINUTE, from: 2, to: 5 });
  expect(result).toMatchObject({ accepted: 2, bad: [{ row: 2 }], late: [{ row: 3 }] });
  expect(rowsOf((await kernel.take())[0])).toEqual(["00:09 | c | 1"]);
  const nothing = await kernel.add(block, { watermark: null, from: 3, to: 3 });
  expect(nothing).toMatchObject({ accepted: 0, bad: [], late: [], maxEventTime: null });
  await kernel.close();
});

test("expressions that fail take their own events out and no others, in all tables", async () => {
  const tables = [
    tableOf({ groupBy: ["user::integer as id"] }),
    tableOf({ name: "ratios", where: "kind = 'ratio'", aggregates: ["sum(1 / ms) as s", "max(chr(n::integer)) as c"] }),
    tableOf({ name: "all" }),
  ];
  const kernel = await kernelOf(configOf(topic, tables));
  const values = Array.from({ length: 100 }, (_, row) => {
    if (row % 10 === 3) return at(0, { user: "x" });
    if (row === 44) return at(0, { user: "1", kind: "ratio", ms: 0 });
    if (row === 45) return at(0, { user: "1", kind: "other", ms: 0, n: 0 });
    if (row === 46) return at(0, { user: "1", kind: "ratio", n: 0 });
    return at(0, { user: "1", kind: "ratio", ms: 2, n: 65 });
  });
  const { bad, rows, accepted } = await compute(kernel, values);
  await kernel.close();
  expect(bad.map(({ row, reason }) => `${row} ${reason}`)).toEqual(
    [3, 13, 23, 33, 43, 44, 46, 53, 63, 73, 83, 93].map(
      (row) => `${row} ${row === 46 ? "NulInText" : "EvaluationFailed"}`,
    ),
  );
  expect(bad[0]?.detail).toMatch(/Could not convert string 'x' to INT32/);
  expect(bad[5]?.detail).toMatch(/does not give a finite number/);
  expect(accepted).toBe(88);
  expect(rows).toEqual({ counts: ["00:00 | 1 | 88"], ratios: ["00:00 |  | 43.5 87 A"], all: ["00:00 |  | 88"] });
});

test("a failing expression behind a condition that does not hold fails nothing", async () => {
  const kernel = await kernelOf(
    configOf(
      topic,
      [
        tableOf({
          where: "kind = 'n'",
          groupBy: ["user::integer as id"],
          aggregates: ["sum(user::integer) filter (where ms > 0) as s"],
        }),
      ],
      { where: "kind is not null" },
    ),
  );
  const { bad, rows } = await compute(kernel, [
    at(0, { user: "x" }),
    at(0, { user: "x", kind: "o" }),
    at(0, { user: "5", kind: "n", ms: 1 }),
  ]);
  await kernel.close();
  expect(bad).toEqual([]);
  expect(rows["counts"]).toEqual(["00:00 | 5 | 5 1"]);
});

test("discard forgets what is pending, take gives it once", async () => {
  const kernel = await kernelOf(configOf(topic, [tableOf({ groupBy: ["user"] }), tableOf({ name: "all" })]));
  await kernel.add(blockOf([at(0, { user: "a" }), at(0, { user: "b" })]), { watermark: null });
  expect(kernel.pendingRows).toBe(3);
  expect(kernel.pendingBytes).toBeGreaterThan(0);
  await kernel.discard();
  expect(kernel.pendingRows).toBe(0);
  expect(await kernel.take()).toEqual([]);
  await kernel.add(blockOf([at(0, { user: "c" })]), { watermark: null });
  expect((await kernel.take()).map(rowsOf)).toEqual([["00:00 | c | 1"], ["00:00 |  | 1"]]);
  expect(await kernel.take()).toEqual([]);
  await kernel.close();
});

test("calls that overlap are done one after another", async () => {
  const kernel = await kernelOf(configOf(topic, [tableOf()]));
  const block = blockOf([at(0), at(0)]);
  const [, first, , second] = await Promise.all([
    kernel.add(block, { watermark: null }),
    kernel.take(),
    kernel.add(block, { watermark: null }),
    kernel.take(),
  ]);
  expect([first, second].map((deltas) => rowsOf(deltas[0]))).toEqual([["00:00 |  | 2"], ["00:00 |  | 2"]]);
  await kernel.close();
});

test("rows come sorted bytewise by groups and window, NULL first", async () => {
  const kernel = await kernelOf(configOf(topic, [tableOf({ groupBy: ["user", "n"], aggregates: ["count(*) as c"] })]));
  const values = ["b", "a", null, "é", "B", "a"].map((user, n) => at(n, { user, n: n === 5 ? 10 : n }));
  const { rows } = await compute(kernel, values);
  await kernel.close();
  expect(rows["counts"]?.map((row) => row.split(" | ")[1])).toEqual(["- 2", "B 4", "a 1", "a 10", "b 0", "é 3"]);
});

test("a block of many megabytes and rows is computed in pieces", async () => {
  const kernel = await kernelOf(configOf(topic, [tableOf({ groupBy: ["n % 7 as seventh"] })]));
  const large = "x".repeat(1_000_000);
  const values = Array.from({ length: 80_000 }, (_, n) => at(0, n % 8_000 === 0 ? { n, more: large } : { n }));
  const { accepted, rows } = await compute(kernel, values);
  await kernel.close();
  expect(accepted).toBe(80_000);
  expect(rows["counts"]?.map((row) => Number(row.split(" | ")[2]))).toEqual([
    11429, 11429, 11429, 11429, 11428, 11428, 11428,
  ]);
});

test("pending rows of equal keys are merged now and then, so that memory stays bounded", async () => {
  const kernel = await kernelOf(
    configOf(topic, [tableOf({ groupBy: ["n"], aggregates: ["count(*) as c", "sum(ms) as s"] })]),
  );
  const block = blockOf(Array.from({ length: 20_000 }, (_, n) => at(0, { n, ms: 0.5 })));
  for (let round = 0; round < 8; round += 1) await kernel.add(block, { watermark: null });
  expect(kernel.pendingRows).toBeLessThanOrEqual(70_000);
  const [delta] = await kernel.take();
  await kernel.close();
  expect(delta?.rows).toBe(20_000);
  expect(new Set(textOf(delta).parts[0])).toEqual(new Set(["8"]));
  expect(new Set(textOf(delta).parts[1])).toEqual(new Set(["4"]));
});

test("what many blocks gave is still there when the last of them made it merge", async () => {
  const kernel = await kernelOf(configOf(topic, [tableOf({ groupBy: ["n"], aggregates: ["count(*) as c"] })]));
  await kernel.add(blockOf(Array.from({ length: 50_000 }, (_, n) => at(0, { n }))), { watermark: null });
  expect(kernel.pendingRows).toBe(50_000);
  const [delta] = await kernel.take();
  await kernel.close();
  expect(delta?.rows).toBe(50_000);
});

test("what expressions over texts gave is remembered, and is the same as evaluated anew", async () => {
  const tables = [
    tableOf({
      groupBy: ["upper(user) as u", "length(kind) as l"],
      aggregates: ["count(*) as c", "min(lower(kind)) as lo", "sum(user::bigint * 9007199254740993) as s"],
      where: "kind <> 'bot'",
    }),
    tableOf({ name: "others", where: "user > '1'" }),
  ];
  const remembering = await kernelOf(configOf(topic, tables));
  const users = ["1", "2", "10", "x", null, "77"];
  const kinds = ["view", "click", "bot", "", null, "é"];
  const values = Array.from({ length: 600 }, (_, n) =>
    at(n % 3, { user: users[n % 6], kind: kinds[Math.floor(n / 6) % 6] }),
  );
  const [first, again] = [await compute(remembering, values), await compute(remembering, [...values].reverse())];
  await remembering.close();
  const fresh: Awaited<ReturnType<typeof compute>>[] = [];
  for (const half of [values.slice(0, 300), values.slice(300)]) {
    const kernel = await kernelOf(configOf(topic, tables));
    fresh.push(await compute(kernel, half));
    await kernel.close();
  }
  expect(first.bad.map(({ row }) => row)).toEqual(
    [...values.keys()].filter(
      (n) => n % 6 === 3 && !["bot", undefined].includes(kinds[Math.floor(n / 6) % 6] ?? undefined),
    ),
  );
  expect(again.rows).toEqual(first.rows);
  expect(again.bad).toHaveLength(first.bad.length);
  expect(fresh.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(first.accepted);
  expect(first.rows["counts"]).toHaveLength(new Set(first.rows["counts"]).size);
});
