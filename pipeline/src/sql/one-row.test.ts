/** An event is one row: whatever gives more, fewer or other rows is refused wherever an expression stands. */
import type { TransformConfig } from "@caudal/crds";
import { afterAll, beforeAll, expect, test } from "vitest";
import { configOf, tableOf, topicOf } from "../testing/configs.ts";
import { compile } from "./compile.ts";
import { compileTransform } from "./compile-transform.ts";
import { type DuckDB, openDuckDB } from "./duckdb.ts";
import type { SqlProblem } from "./sql-error.ts";

const topic = topicOf(
  { id: "string", qty: "integer", price: "decimal(10,2)", ts: "timestamp", items: "json", ok: "boolean" },
  "ts",
);
const transform: TransformConfig = {
  ...{ topic, lookups: [], deadLetterTopic: "dlq", replicas: 1 },
  to: [{ name: "out", topic: { name: "out", fields: [] } }],
};

/** Every place of a spec where an expression of one event may stand. */
const places: Readonly<Record<string, (sql: string) => Promise<readonly SqlProblem[]>>> = {
  "a select": async (sql) => (await compileTransform({ ...transform, select: [`${sql} as x`] })).problems,
  "a transform's condition": async (sql) =>
    (await compileTransform({ ...transform, where: `(${sql}) is not null` })).problems,
  "an aggregator's condition": async (sql) =>
    (await compile(configOf(topic, [tableOf()], { where: `(${sql}) is not null` }))).problems,
  "a table's condition": async (sql) => await table({ where: `(${sql}) is not null` }),
  "a group": async (sql) => await table({ groupBy: [`${sql} as x`] }),
  "an argument": async (sql) => await table({ aggregates: [`count(${sql}) as x`] }),
  "a filter": async (sql) => await table({ aggregates: [`count(*) filter (where (${sql}) is not null) as x`] }),
};

async function table(change: Parameters<typeof tableOf>[0]): Promise<readonly SqlProblem[]> {
  return (await compile(configOf(topic, [tableOf(change)]))).problems;
}

const notOneRow = [
  ...["unnest(items::json[])", "UNNEST([qty, 1])", "unlist([qty, 1])", "1 + unnest([qty])", "unnest({a: qty, b: id})"],
  ...["unnest([{a: qty}], recursive := true)", "generate_subscripts([qty], 1)", "list_sum([unnest([qty])])"],
  ...["(select 1)", "(select unnest([1, 2]))", "exists (select 1)", "qty in (select 1)", "array(select 1)"],
  ...["row_number() over ()", "sum(qty) over ()", "lag(qty) over (order by ts)", "sum(sum(qty))", "columns(*)"],
  ...["columns('q.*')", "$1", "$name", "?", "#1", "json_each(items)", "read_csv('x')", "glob('*')"],
  ...["grouping(qty)", "unpack(columns(*))", "json_tree(items)", "regexp_split_to_table(id, ',')"],
];

for (const [place, problemsOf] of Object.entries(places))
  test.each(notOneRow)(`in ${place}, %s is refused`, async (sql) => {
    const problems = await problemsOf(sql);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).not.toMatch(/^(Internal|undefined)/);
  });

test.each(["unnest(items::json[])", "unlist(items::json[])", "generate_subscripts(items::json[], 1)"])(
  "%s is told what to write instead",
  async (sql) => {
    const [problem] = (await places["a select"]?.(sql)) ?? [];
    expect(problem?.message).toMatch(
      /gives any number of rows, and an event is one: write .*items->>0, list_transform/,
    );
  },
);

/** What stands in the message binds. */
const oneRow = [
  ...["items->>0", "list_transform(items::json[], lambda x: x->>'name')::varchar", "list_sum(items::double[])"],
  ...["array_to_string(items::varchar[], ',')", "len(items::json[])", "list_aggregate(items::double[], 'sum')"],
  ...["list_sum(range(qty))", "len(generate_series(1, qty))", "len(list_filter([qty, 2], lambda x: x > 1))"],
  ...[
    "json_array_length(items)",
    "list_max([x + 1 for x in [qty, 2]])",
    "coalesce(id, 'none')",
    "struct_pack(a := id).a",
  ],
  ...["try(id::integer)", "try_cast('x' as integer) + qty", "qty between 1 and 2", "case qty when 1 then id end"],
];
for (const [place, problemsOf] of Object.entries(places))
  test.each(oneRow)(`in ${place}, %s is accepted`, async (sql) => {
    expect(await problemsOf(sql)).toEqual([]);
  });

let duckdb: DuckDB;
beforeAll(async () => {
  duckdb = await openDuckDB({ memoryLimit: "256MB" });
});
afterAll(() => {
  duckdb.close();
});

test("no function of DuckDB's catalogue that gives rows can be called", async () => {
  const rows = await duckdb.rows(`select function_name as name, min(coalesce(len(parameters), 0)) as many
    from duckdb_functions() group by all
    having bool_and(function_type in ('table', 'table_macro', 'pragma')) order by all`);
  const calls = rows.map(({ name, many }) => `${String(name)}(${Array(Number(many)).fill("id").join(", ")}) as x`);
  expect(calls.length).toBeGreaterThan(100);
  const { problems } = await compileTransform({ ...transform, select: calls });
  expect(problems.length).toBe(calls.length);
});
