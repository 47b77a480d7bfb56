/** Specs as people write them who come from other systems, and what they are told to write instead. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkAll } from "@caudal/pipeline/duckdb";
import { checkPipeline } from "./check.ts";
import { parsePipelines, readPipelines } from "./read.ts";

const GOOD = `apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: orders }
spec:
  kafka: { clusterRef: { name: platform } }
  database: { cluster: { storage: { size: 1Gi } } }
  topics:
    - name: a
      fields:
        - { name: id, type: string }
        - { name: qty, type: integer }
        - { name: price, type: "decimal(10,2)" }
        - { name: ts, type: timestamp }
        - { name: payload, type: json }
        - { name: order, type: string }
        - { name: ok, type: boolean }
    - name: b
  transforms:
    - name: t
      topic: a
      where: qty > 1
      select: ["*"]
      to: [{ name: out, topic: b }]
  aggregators:
    - name: m
      topic: a
      tables:
        - name: sums
          window: { tumbling: { size: 1m } }
          groupBy: [id]
          aggregates: ["count(*) as n"]
`;

const problemsOf = async (source: string) => {
  const [pipeline] = parsePipelines(source, "x.yaml");
  return (await checkPipeline(pipeline ?? {}, checkAll)).problems;
};
const changed = (from: string, to: string) => {
  expect(GOOD).toContain(from);
  return GOOD.replace(from, to);
};

test("the spec that the cases change is right", async () => {
  expect(await problemsOf(GOOD)).toEqual([]);
});

test.each([
  ...[
    ["int", "integer"],
    ["INTEGER", "integer"],
    ["int4", "integer"],
    ["smallint", "integer"],
    ["long", "bigint"],
    ["int8", "bigint"],
    ["INT64", "bigint"],
    ["number", "double"],
    ["float", "double"],
    ["real", "double"],
    ["varchar", "string"],
    ["varchar(255)", "string"],
    ["text", "string"],
    ["STRING", "string"],
    ["bool", "boolean"],
    ["datetime", "timestamp"],
    ["timestamptz", "timestamp"],
    ["timestamp(3)", "timestamp"],
    ["timestamp with time zone", "timestamp"],
    ["numeric(12)", "decimal(12,0)"],
    ['"numeric(12, 2)"', "decimal(12,2)"],
    ['"decimal(12, 2)"', "decimal(12,2)"],
    ["decimal", "decimal(18,4), with as many digits"],
    ['"string[]"', "json"],
    ["array<string>", "json"],
    ["jsonb", "json"],
    ['"int?"', "integer, and nullable: true"],
  ].map(([written = "", meant = ""]) => ["ok, type: boolean", `ok, type: ${written}`, `write ${meant}`]),
  ["ok, type: boolean", "ok, type: decimal(12,2)", 'put the type in quotes: type: "decimal(12,2)"'],
  ["ok, type: boolean", "ok, type: wibble", "there is no type wibble: write string, uuid, boolean"],
  ...[
    ["1 minute", "write 1m"],
    ["1M", "write 1m"],
    ["60", "60 has no unit: write 60s"],
    ['"60"', "60 has no unit: write 60s"],
    ["60sec", "write 1m"],
    ["PT1M", "write 1m"],
    ["PT1H30M", "write 90m"],
    ["1h30m", "write 90m"],
    ["1.5h", "write 90m"],
    ["P1D", "write 1d"],
    ["1 week", "write 7d"],
    ['"00:05:00"', "write 5m"],
    ["INTERVAL '5' MINUTE", "write 5m"],
    ["1 month", "is no duration: write a number and a unit"],
    ["0s", "is no time"],
    ["-1s", "is no time"],
  ].map(([written = "", message = ""]) => ["size: 1m", `size: ${written}`, message]),
  ["tumbling: { size: 1m }", "tumbling: 1m", "write { size: 1m }"],
  ["where: qty > 1", 'where: id = "abc"', "text stands in single quotes: write 'abc'"],
  ["where: qty > 1", "where: id + '-x' = 'y'", "|| to join texts"],
  ["where: qty > 1", "where: ok && ok", '"and" between two conditions'],
  ["where: qty > 1", "where: qty > 1;", "leave out the ;"],
  ["where: qty > 1", "where: WHERE price > 1", "leave out WHERE"],
  ["where: qty > 1", "where: select * from a", "one expression in each"],
  ["where: qty > 1", "where: payload.a = 'x'", "write payload->>'a'"],
  ["where: qty > 1", "where: payload.a.b = 'x'", "payload.a is inside the field payload: write payload->>'a'"],
  ["where: qty > 1", "where: a.qty > 1", "write a field's name alone, as in qty"],
  ["where: qty > 1", "where: value.id = 'x'", "write a field's name alone, as in id"],
  ["where: qty > 1", "where: \"`id` = 'x'\"", "` begins no name here"],
  ["where: qty > 1", "where: order = 'x'", 'order is a word of SQL too: write "order" in double quotes'],
  ["where: qty > 1", "where: qty > 1 and order = 'x'", 'order is a word of SQL too: write "order"'],
  ["where: qty > 1", "where: nvl(qty, 0) > 1", "coalesce"],
  ["where: qty > 1", "where: date_format(ts, 'yyyy') = '2026'", "strftime"],
  ["where: qty > 1", "where: get_json_object(payload, '$.a') = 'x'", "->>"],
  ["where: qty > 1", "where: ts > '2026-13-01'", "fails, and is the same for every event"],
  ["where: qty > 1", "where: price > 'cheap'", "'cheap'"],
  ["where: qty > 1", "where: qty = 'abc'::int", "fails, and is the same for every event"],
  ["where: qty > 1", "where: qty in (1, 'two')", "'two'"],
  ["where: qty > 1", "where: ts between '2026-01-01' and '2026-02-30'", "2026-02-30"],
  ["where: qty > 1", "where: ts > strptime('x', '%Y')", "fails, and is the same for every event"],
  ["where: qty > 1", "where: length(repeat(id || 'x', 2)) > 1 and qty > 99999999999999999999::bigint", "fails"],
  ["where: qty > 1", 'where: "!ok"', 'write "not"'],
  ["where: qty > 1", "where: payload:a = 'x'", "write payload->>'a'"],
  ["where: qty > 1", "where: payload['a'] = 'x'", "compare texts with what ->> gives"],
  ["where: qty > 1", 'where: "qty > :limit"', "there are no variables"],
  ["where: qty > 1", "where: qty > @limit", "there are no variables"],
  ["where: qty > 1", "where: order > id", 'order is a word of SQL too: write "order"'],
  ["where: qty > 1", "where: id = 'it's'", "written twice, as in 'it''s'"],
  ["where: qty > 1", "where: regexp_matches(id, '(')", "regexp_matches(id, '(')"],
  ["where: qty > 1", 'where: id like "a%"', "write 'a%'"],
  ["where: qty > 1", "where: coalesce(qty, 'none') > 1", "'none'"],
  ["where: qty > 1", "having: count(*) > 1", "stands in the query that reads the table"],
  ["where: qty > 1", "window: { tumbling: { size: 1m } }", "it belongs into spec.aggregators[].tables[]"],
  ["where: qty > 1", "groupBy: [id]", "it belongs into spec.aggregators[].tables[]"],
  ["where: qty > 1", "wehre: qty > 1", "write where"],
  ["to: [{ name: out, topic: b }]", "to: b", "write a list of objects, [ { name: b } ]"],
  ["to: [{ name: out, topic: b }]", "to: { name: out, topic: b }", "put - before its first line"],
  ['aggregates: ["count(*) as n"]', 'aggregates: "count(*) as n"', 'write a list, [ "count(*) as n" ]'],
  ['select: ["*"]', 'select: ["unnest(payload::json[]) as x"]', "unnest gives any number of rows"],
  ['select: ["*"]', 'select: ["mask(id) as x"]', "regexp_replace"],
  ["topic: b }]", "topic: bb }]", "spec.transforms[t].to[out].topic: the topic bb is not declared: write a or b"],
  [
    "- name: t\n      topic: a",
    "- name: t\n      topic: aa",
    "spec.transforms[t].topic: the topic aa is not declared: write a or b",
  ],
  ["- name: t\n", "- name: My_Stage\n", 'spec.transforms[0].name: "My_Stage" does not fit: write small letters'],
  ["to: [{ name: out,", "to: [{ name: Out,", '"Out" does not fit: write small letters, digits and dashes'],
  ["    - name: b\n", "    - name: b\n    - name: my topic\n", '"my topic" does not fit: topics in Kafka have letters'],
  ["name: platform }", "name: My_Kafka }", '"My_Kafka" does not fit: names in Kubernetes have small letters'],
  ["count(*) as n", "count(*) as xmin", "PostgreSQL keeps the name xmin for itself"],
  ["groupBy: [id]", "groupBy: [id as ctid]", "PostgreSQL keeps the name ctid for itself"],
  [
    "to: [{ name: out, topic: b }]",
    "to: [{ name: out, table: { name: x } }]\n    - { name: u, topic: a, select: [id as tableoid], to: [{ name: o, table: { name: z } }] }",
    "PostgreSQL keeps the name tableoid",
  ],
  ["count(*) as n", "stddev(price) as n", "keep count(x) as n, sum(x) as s"],
  ["count(*) as n", "bool_or(ok) as n", "is written as max(x)"],
  ["count(*) as n", "count(distinct id) as n", "put the value into groupBy"],
])("%j as %j is told: %s", async (from, to, message) => {
  const problems = await problemsOf(changed(from ?? "", to ?? ""));
  expect(problems.join("\n")).toContain(message);
  expect(problems, problems.join("\n")).toHaveLength(1);
});

const stage = (name: string, from: string, to: string) =>
  `    - { name: ${name}, topic: ${from}, to: [{ name: out, topic: ${to} }] }\n`;
const topics = ["b", "c", "d"]
  .map((name) => `    - { name: ${name}, fields: [{ name: id, type: string }] }\n`)
  .join("");
const graph = (stages: string, aggregates = "") =>
  GOOD.replace("    - name: b\n", topics).replace(
    / {2}transforms:\n[^]*? {2}aggregators:/,
    `  transforms:\n${stages}  aggregators:`,
  ) + aggregates;

test.each([
  ["a → b → a", stage("x", "a", "b") + stage("v", "b", "a"), ""],
  ["b → c → d → b", stage("w", "a", "b") + stage("x", "b", "c") + stage("v", "c", "d") + stage("z", "d", "b"), ""],
  ["b → a → b", stage("v", "b", "a"), "          emit: { final: { topic: b, revisions: true } }\n"],
])("the round %s is refused once, with every stage of it", async (round, stages, emit) => {
  const problems = (await problemsOf(graph(stages, emit))).filter((problem) => problem.includes("go round"));
  expect(problems).toEqual([expect.stringContaining(round) as string]);
});

test("ways that part and meet again are no round", async () => {
  const problems = await problemsOf(graph(stage("w", "b", "c") + stage("x", "b", "d") + stage("v", "c", "d")));
  expect(problems).toEqual([]);
});

test("all problems are told in one round, each with its line, and none that only follows from another", async () => {
  const problems = await problemsOf(
    GOOD.replace("type: integer", "type: int")
      .replace("size: 1m", "size: 1 minute")
      .replace("where: qty > 1", "where: qtyy + qty > 1")
      .replace("topic: b }]", "topic: bb }]")
      .replace("groupBy: [id]", "groupBy: id")
      .replace("count(*) as n", "median(price) as n"),
  );
  expect(problems.map((problem) => /^line \d+, column \d+: [^ ]+(?=:)/.exec(problem)?.[0])).toEqual([
    "line 30, column 20: spec.aggregators[0].tables[0].groupBy",
    "line 11, column 30: spec.topics[a].fields[qty].type",
    "line 29, column 39: spec.aggregators[m].tables[sums].window.tumbling.size",
    "line 23, column 32: spec.transforms[t].to[out].topic",
    "line 31, column 24: spec.aggregators[m].tables[sums].aggregates[0]",
    "line 21, column 14: spec.transforms[t].where",
  ]);
});

test("a file of SQL is told what a pipeline is", async () => {
  const file = join(await mkdtemp(join(tmpdir(), "caudal-")), "x.sql");
  await writeFile(file, "-- big ones\nselect * from a where qty > 1;\n");
  await expect(readPipelines(file)).rejects.toThrow(/holds SQL.*CREATE STREAM/);
});
