import type { Field } from "@caudal/crds";
import { expect, test } from "vitest";
import { configOf, tableOf, topicOf } from "../testing/configs.ts";
import { compilePlan } from "./compile.ts";
import { checkEmission } from "./emission.ts";

const source = topicOf({
  ...{ user: "string", country: "string?", seen: "timestamp", day: "date", id: "uuid", ok: "boolean" },
  ...{ n: "integer", big: "bigint", ms: "double?", price: "decimal(10,2)" },
});
const groupBy = ["user", "country", "day", "id", "ok", "price"];
const aggregates = [
  ...["count(*) as c", "sum(n) as total", "sum(price) as revenue", "avg(ms) as mean", "max(big) as most"],
  ...["min(seen) as earliest", "max(n) as top"],
];
const { tables } = await compilePlan(configOf(source, [tableOf({ groupBy, aggregates })]));
const problemsOf = (fields: readonly Field[], key?: string) =>
  tables.flatMap((table) =>
    checkEmission(table, { name: "finals", fields: [...fields], ...(key === undefined ? {} : { key }) }, source),
  );

test.each([
  ["window_start", "timestamp"],
  ["window_end", "string"],
  ["revision", "bigint"],
  ["user", "string"],
  ["day", "date"],
  ["id", "uuid"],
  ["ok", "boolean"],
  ["price", "decimal(12,2)"],
  ["c", "bigint"],
  ["total", "bigint"],
  ["total", "decimal(38,0)"],
  ["revenue", "decimal(20,2)"],
  ["most", "bigint"],
  ["earliest", "timestamp"],
  ["top", "integer"],
])("a topic may declare %s as %s", (name, type) => {
  expect(problemsOf([{ name, type, nullable: false }])).toEqual([]);
});

test.each([
  ["c", "integer", "does not take the column's bigint: declare it as bigint"],
  ["revenue", "decimal(20,1)", "does not take the column's numeric: declare it as decimal(38,2) or string"],
  ["revenue", "bigint", "declare it as decimal(38,2) or string"],
  ["total", "double", "declare it as bigint or decimal(38,0) or string"],
  ["window_start", "date", "declare it as timestamp or string"],
  ["user", "uuid", "declare it as string"],
  ["ok", "decimal(3,0)", "declare it as boolean"],
  ["nobody", "string", "the table has no column nobody: remove it, or name one of window_start, window_end, user"],
  ["mean", "double", "may be NULL in the table: declare it with nullable: true"],
  ["country", "string", "may be NULL in the table: declare it with nullable: true"],
])("it may not declare %s as %s", (name, type, message) => {
  expect(problemsOf([{ name, type, nullable: false }])).toEqual([expect.stringContaining(message)]);
});

test("fields that may be NULL take what may be NULL, and what is not there", () => {
  const fields = ["mean", "nobody"].map((name) => ({ name, type: "double", nullable: true }));
  expect(problemsOf(fields)).toEqual([]);
});

test("a topic's key is the table's one group", async () => {
  expect(problemsOf([], "user")).toEqual([
    expect.stringContaining("group by user alone, or leave out the topic's key"),
  ]);
  const plan = await compilePlan(configOf(source, [tableOf({ groupBy: ["user"] })]));
  const target = { name: "finals", key: "user", fields: [{ name: "user", type: "string", nullable: false }] };
  expect(plan.tables.flatMap((table) => checkEmission(table, target, source))).toEqual([]);
});
