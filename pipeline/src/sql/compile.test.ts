import { expect, test } from "vitest";
import { compile } from "./compile.ts";
import { openDuckDB } from "./duckdb.ts";
import { configOf, tableOf, topicOf } from "../testing/configs.ts";

const topic = {
  ...topicOf(
    {
      id: "uuid",
      user_id: "string",
      kind: "string",
      ts: "timestamp",
      ms: "double?",
      n: "bigint?",
      price: "decimal(10,2)?",
      wide: "decimal(38,2)?",
      day: "date?",
      ok: "boolean?",
      doc: "json?",
      userName: "string?",
      order: "string?",
    },
    "ts",
  ),
  key: "user_id",
};
const compileTable = async (table: Parameters<typeof tableOf>[0], where?: string) =>
  await compile(configOf(topic, [tableOf(table)], where === undefined ? {} : { where }), "spec.aggregators[m]");
const planOf = async (table: Parameters<typeof tableOf>[0], where?: string) => {
  const { plan, problems } = await compileTable(table, where);
  expect(problems).toEqual([]);
  const [first] = plan?.tables ?? [];
  if (first === undefined) throw new TypeError("no table");
  return first;
};

test("the tables of app-events become plans, those by the topic's key first", async () => {
  const { plan, problems } = await compile(
    configOf(topic, [
      tableOf({ name: "totals" }),
      tableOf({ name: "kinds", groupBy: ["kind"] }),
      tableOf({
        name: "users",
        window: { hopping: { size: "3m", advance: "1m" } },
        groupBy: ["user_id"],
        aggregates: ["avg(ms) as avg_ms"],
      }),
    ]),
  );
  expect(problems).toEqual([]);
  expect(plan?.tables.map(({ name }) => name)).toEqual(["users", "kinds", "totals"]);
  expect(plan?.tables[0]).toMatchObject({
    size: 180_000,
    advance: 60_000,
    pane: 60_000,
    panes: true,
    fields: ["ms", "user_id"],
    groups: [{ name: "user_id", expression: "user_id", duckdbType: "VARCHAR", postgresType: "text" }],
    aggregates: [
      {
        name: "avg_ms",
        postgresType: "double precision",
        parts: [
          { column: "_avg_ms_s", function: "sum", merge: "add", postgresType: "double precision", expression: "ms" },
          { column: "_avg_ms_n", function: "count", merge: "add", postgresType: "bigint", expression: "ms" },
        ],
      },
    ],
  });
});

test.for<readonly [aggregate: string, postgresType: string, parts: readonly string[]]>([
  ["count(*) as x", "bigint", ["x bigint"]],
  ["count() as x", "bigint", ["x bigint"]],
  ["count(ms) as x", "bigint", ["x bigint"]],
  ["COUNT(*) FILTER (WHERE ok) AS x", "bigint", ["x bigint"]],
  ["sum(n) as x", "numeric", ["_x_s numeric", "_x_n bigint"]],
  ["sum(ms) as x", "double precision", ["_x_s double precision", "_x_n bigint"]],
  ["sum(price) as x", "numeric", ["_x_s numeric", "_x_n bigint"]],
  ["sum(price * 1.5) as x", "numeric", ["_x_s numeric", "_x_n bigint"]],
  ["avg(n) as x", "double precision", ["_x_s numeric", "_x_n bigint"]],
  ["avg(price) as x", "double precision", ["_x_s numeric", "_x_n bigint"]],
  ["min(ts) as x", "timestamptz", ["x timestamptz"]],
  ["max(ts at time zone 'Europe/Lisbon') as x", "timestamp", ["x timestamp"]],
  ["max(price) as x", "numeric(10,2)", ["x numeric(10,2)"]],
  ["min(day) as x", "date", ["x date"]],
  ["min(kind) as x", "text", ["x text"]],
  ["max(id) as x", "uuid", ["x uuid"]],
  ["max(ok) as x", "boolean", ["x boolean"]],
  ["max(doc->>'$.a') as x", "text", ["x text"]],
  ["max(ms::float) as x", "real", ["x real"]],
  ["max(n::smallint) as x", "smallint", ["x smallint"]],
  ["sum(n::hugeint::decimal(20,0)) as x", "numeric", ["_x_s numeric", "_x_n bigint"]],
])("%s is %s in PostgreSQL", async ([aggregate, postgresType, parts]) => {
  const { aggregates } = await planOf({ aggregates: [aggregate] });
  expect(aggregates[0]?.postgresType).toBe(postgresType);
  expect(aggregates[0]?.parts.map((part) => `${part.column} ${part.postgresType}`)).toEqual(parts);
});

test.for<readonly [group: string, name: string, type: string]>([
  ["kind", "kind", "text"],
  ["KIND", "kind", "text"],
  ["order", "order", "text"],
  ['upper("order") as shout', "shout", "text"],
  ["userName as user_name", "user_name", "text"],
  ["lower(kind) as kind", "kind", "text"],
  ["extract(hour from ts) as hour", "hour", "bigint"],
  ["date_trunc('day', ts) as day", "day", "timestamptz"],
  ["ts::date as day", "day", "date"],
  ["doc->>'$.country' as country", "country", "text"],
  ["case when ms > 100 then 'slow' else 'fast' end as speed", "speed", "text"],
  ["list_sum(list_transform([n, 1], lambda x: x + 1)) as total", "total", "numeric"],
  ["split_part(kind, '.', 1) as part -- a comment", "part", "text"],
  ["nullif(price, 0) as price", "price", "numeric(10,2)"],
])("group by %s gives the column %s of type %s", async ([group, name, type]) => {
  const { groups } = await planOf({ groupBy: [group] });
  expect(groups.map((column) => [column.name, column.postgresType])).toEqual([[name, type]]);
});

test.for<readonly [size: string, advance: string, pane: number, panes: boolean]>([
  ["1m", "1m", 60_000, false],
  ["2m", "1m", 120_000, false],
  ["90s", "1m", 90_000, false],
  ["3m", "1m", 60_000, true],
  ["5m", "2m", 60_000, true],
  ["1d", "1h", 3_600_000, true],
])("windows of %s every %s are kept in pieces of %i ms", async ([size, advance, pane, panes]) => {
  expect(await planOf({ window: { hopping: { size, advance } } })).toMatchObject({ pane, panes });
});

test("sessions are kept as such, each as long as the gap at least", async () => {
  const planned = await planOf({ window: { session: { gap: "30m" } } });
  expect(planned).toMatchObject({ gap: 1_800_000, size: 1_800_000, panes: false });
});

test("the hash is of the meaning: spelling, policies and unread fields do not change it, SQL, window and types do", async () => {
  const base = { groupBy: ["kind"], aggregates: ["sum(ms) as total"], where: "ms > 0" };
  const hashOf = async (table: object, where?: string) => (await planOf({ ...base, ...table }, where)).hash;
  const same = await hashOf({});
  expect(same).toMatch(/^[0-9a-f]{64}$/);
  expect(await hashOf({ aggregates: ["SUM( ms )  AS total"], where: "(ms>0)" })).toBe(same);
  expect(await hashOf({ retention: "30d" })).toBe(same);
  const policy = await compile(
    configOf({ ...topic, fields: topic.fields.slice(0, 6) }, [tableOf(base)], { lateEvents: "Drop" }),
  );
  expect(policy.plan?.tables[0]?.hash).toBe(same);
  const others = [
    await hashOf({ where: "ms > 1" }),
    await hashOf({}, "ok"),
    await hashOf({ groupBy: ["user_id"] }),
    await hashOf({ aggregates: ["sum(ms) as sum"] }),
    await hashOf({ aggregates: ["avg(ms) as total"] }),
    await hashOf({ window: { tumbling: { size: "2m" } } }),
    await hashOf({ window: { session: { gap: "1m" } } }),
    await hashOf({ window: { session: { gap: "2m" } } }),
  ];
  const retyped = topic.fields.map((field) => (field.name === "ms" ? { ...field, type: "integer" } : field));
  const { plan } = await compile(configOf({ ...topic, fields: retyped }, [tableOf(base)]));
  others.push(plan?.tables[0]?.hash ?? "");
  expect(new Set([same, ...others]).size).toBe(10);
});

type Bad = readonly [sql: string, message: RegExp];

const badAggregates: readonly Bad[] = [
  ["count(*)", /needs a name: write "count\(\*\) as name"/],
  ["sum(mss) as x", /"mss" not found among the topic's fields! Candidate bindings: "ms".*at "mss\) as x", character 5/],
  ["sum(kind) as x", /No function matches.*sum\(VARCHAR\).*Candidate functions/],
  ["sum(fooo(ms)) as x", /fooo does not exist! Did you mean/],
  ["sum(ts) as x", /sum\(TIMESTAMP WITH TIME ZONE\)/],
  ["sum(ok) as x", /type BOOLEAN, which cannot be added: write a number/],
  ["sum(wide) as x", /DECIMAL\(38,2\), whose sum may run over 38 digits: write \(…\)::decimal\(28,2\)/],
  ["count( as x", /syntax error at or near "as"/],
  ["sum(ms", /syntax error at end of input \(at the end\)/],
  ["median(ms) as x", /median cannot be added up over batches: it needs all values.*group by a rounded value/],
  ["count(distinct user_id) as x", /distinct.*cannot be added up over batches.*groupBy/],
  ["stddev(ms) as x", /stddev is not kept, though it can be computed.*sum\(x \* x\)/],
  ["bool_or(ok) as x", /bool_or is written as max\(x\)/],
  ["every(ok) as x", /every is written as min\(x\)/],
  ["count_if(ok) as x", /count_if is written as count\(\*\) filter \(where x\)/],
  ["countif(ok) as x", /countif is written as count/],
  ["mean(ms) as x", /mean is written as avg\(x\)/],
  ["string_agg(kind, ',') as x", /cannot be added up over batches.*let a transform write/],
  ["collect_list(kind) as x", /cannot be added up over batches.*let a transform write/],
  ["last(kind ) as x", /depends on the order of events.*whose key is the group/],
  ["max(distinct ms) as x", /max is the same without distinct/],
  ["count(distinct kind) filter (where ok) as x", /put the value into groupBy/],
  ["sum(ms) / 2 as x", /stands alone|not an aggregate/],
  ["ms as x", /an aggregate stands alone/],
  ["lower(kind) as x", /lower is not an aggregate: write count/],
  ["sum(sum(ms)) as x", /sum is an aggregate over many events.*it stands alone/],
  ["sum(ms) over () as x", /window function/],
  ["sum(ms) as x, count(*) as y", /write one expression/],
  ["sum(ms) as x from event", /write one expression, without from/],
  ["count(*) as x; drop table event", /SELECT|one expression/],
  ["max(random()) as x", /random does not give the same result each time/],
  ["max([ms]) as x", /type DOUBLE\[\], which no column can hold: write/],
  ["max({'a': ms}) as x", /STRUCT.*which no column can hold/],
  ["max(map {'a': ms}) as x", /MAP.*which no column can hold/],
  ["max(ts - ts) as x", /INTERVAL, which no column can hold/],
  ["max(kind::blob) as x", /BLOB, which no column can hold/],
  ["count(*) as revision", /a column revision of its own/],
  [`count(*) as ${"x".repeat(64)}`, /has 64 bytes, and PostgreSQL cuts names off behind 63: write a shorter one/],
  ["sum(ms order by n) as x", /order by has no effect/],
  ["min(ms, 3) as x", /takes one argument/],
  ["count(*) filter (where now() > ts) as x", /now does not give the same result/],
  ["sum((select 1)) as x", /a subquery reads more than the event/],
  ["sum($1) as x", /there are no parameters/],
  ["max(columns(*)) as x", /stands for many columns/],
];

test.for(badAggregates)("the aggregate %s is refused", async ([sql, message]) => {
  const { plan, problems } = await compileTable({ aggregates: [sql] });
  expect(plan).toBeNull();
  expect(problems).toEqual([
    { path: "spec.aggregators[m].tables[counts].aggregates[0]", message: expect.stringMatching(message) as string },
  ]);
});

test("of each of DuckDB's aggregates that is not kept, what to do instead is said", async () => {
  const duckdb = await openDuckDB({ memoryLimit: "256MB" });
  const rows = await duckdb.rows(`select distinct function_name as name from duckdb_functions()
    where function_type = 'aggregate' and function_name not in ('count', 'count_star', 'sum', 'avg', 'min', 'max') order by all`);
  duckdb.close();
  const { problems } = await compileTable({ aggregates: rows.map(({ name }, n) => `"${String(name)}"(ms) as x${n}`) });
  expect(problems.length).toBe(rows.length);
  for (const { message } of problems)
    expect(message).toMatch(/write|written|keep count|keep sum|put the value into groupBy|group by a rounded/);
});

const badGroups: readonly Bad[] = [
  ["lower(kind)", /needs a name: write "lower\(kind\) as name"/],
  ["current_date as day", /current_date does not give the same result/],
  ["today() as day", /today does not give the same result/],
  ["uuid() as x", /uuid does not give the same result/],
  [
    "ago(interval 1 hour) as x",
    /ago is a macro that cannot be used here: current_timestamp does not give the same result/,
  ],
  ["age(ts) as x", /age\(x\) looks at the clock: write age\(a, b\)/],
  ["version() || kind as x", /version does not give/],
  ["current_setting('TimeZone') || kind as x", /current_setting does not give/],
  ["kind as window_start", /every table has a column window_start of its own/],
  ["1 as one", /the same for all events/],
  ["upper(order) as x", /syntax error.*order is a word of SQL too: write "order" in double quotes/],
  ["[kind] as x", /VARCHAR\[\], which no column can hold/],
  ["*", /stands for many columns/],
  ["event.kind as kind", /a field's name alone, without a prefix/],
  ["kind collate nocase as kind", /compared bytewise: use lower/],
  ["count(*) as n", /count is an aggregate/],
  ["row_number() over () as n", /a window function looks at other events/],
  ["kind, user_id", /write one expression/],
];

test.for(badGroups)("group by %s is refused", async ([sql, message]) => {
  const { problems } = await compileTable({ groupBy: [sql], aggregates: ["count(*) as c"] });
  expect(problems).toEqual([
    { path: "spec.aggregators[m].tables[counts].groupBy[0]", message: expect.stringMatching(message) as string },
  ]);
});

const badConditions: readonly Bad[] = [
  ["kind", /type VARCHAR, not true or false: write a comparison/],
  ["ms > 0 as slow", /a condition has no name: leave out "as slow"/],
  ["ms > ", /syntax error at end of input/],
  ["true; drop table event", /one expression|SELECT/],
  ["ms > 0 group by kind", /write one expression/],
  ["exists (select 1)", /a subquery reads more/],
  ["kind in (select kind from event)", /a subquery reads more/],
  ["read_text('/etc/passwd') = ''", /read_text gives any number of rows/],
  ["nextval('s') > 1", /nextval does not give/],
  ["count(*) > 1", /count is an aggregate/],
  ["ts > now()", /now does not give/],
  ["kindd = 'a'", /"kindd" not found among the topic's fields! Candidate bindings: "kind"/],
  ["kind = 1 + 'a'", /explicit type casts/],
];

test.for(badConditions)("the condition %s is refused, in an aggregator and in a table", async ([sql, message]) => {
  const expected = expect.stringMatching(message) as string;
  expect((await compileTable({}, sql)).problems).toEqual([{ path: "spec.aggregators[m].where", message: expected }]);
  expect((await compileTable({ where: sql })).problems).toEqual([
    { path: "spec.aggregators[m].tables[counts].where", message: expected },
  ]);
});

test.for<readonly [string, object, RegExp]>([
  [
    "an advance longer than its size",
    { window: { hopping: { size: "1m", advance: "2m" } } },
    /advance is longer than size/,
  ],
  [
    "more panes than a view can add up",
    { window: { hopping: { size: "1d", advance: "7s" } } },
    /panes of 1000 ms, at most 1440/,
  ],
  [
    "a gap of thousands of years",
    { window: { session: { gap: "999999999d" } } },
    /a gap of .* too long: write at most/,
  ],
  ["a window of thousands of years", { window: { tumbling: { size: "999999999d" } } }, /too long: write at most 3660d/],
])("%s is refused", async ([, table, message]) => {
  const { problems } = await compileTable(table);
  expect(problems).toEqual([
    { path: "spec.aggregators[m].tables[counts].window", message: expect.stringMatching(message) as string },
  ]);
});

test("two columns of one name are refused, hidden parts among them", async () => {
  const twice = await compileTable({ groupBy: ["kind as n"] });
  expect(twice.problems[0]?.message).toMatch(/two columns are called n/);
  const hidden = await compileTable({ aggregates: ["sum(ms) as x", "count(*) as _x_n"] });
  expect(hidden.problems[0]?.message).toMatch(/two columns are called _x_n/);
});

test("all problems of an aggregator are told at once", async () => {
  const { problems } = await compileTable(
    { groupBy: ["a", "kind"], aggregates: ["sum(b) as b", "count(*) as c"] },
    "d",
  );
  expect(problems.map(({ path }) => path.replace("spec.aggregators[m]", ""))).toEqual([
    ".where",
    ".tables[counts].groupBy[0]",
    ".tables[counts].aggregates[0]",
  ]);
});

test("fields that SQL cannot tell apart, or of no type, are refused", async () => {
  const fields = topicOf({ a: "string", A: "string", d: "decimal(2,5)" });
  const { problems } = await compile(configOf({ ...fields, timestamp: "a" }, [tableOf()]));
  expect(problems.map(({ path }) => path)).toEqual([
    "spec.topics[events].fields[A]",
    "spec.topics[events].fields[d].type",
    "spec.topics[events].timestamp",
  ]);
});
