import type { TransformConfig } from "@caudal/crds";
import { describe, expect, test } from "vitest";
import { topicOf } from "../testing/configs.ts";
import { compileTransform } from "./compile-transform.ts";

const topic = {
  ...topicOf(
    {
      ...{ id: "uuid", user_id: "string", kind: "string?", ts: "timestamp", amount: "double", n: "bigint?" },
      ...{ price: "decimal(10,2)", wide: "decimal(38,2)?", doc: "json?", userName: "string?", ok: "boolean?" },
    },
    "ts",
  ),
  key: "user_id",
};
const limits = {
  ...{
    name: "limits",
    table: "public.limits",
    match: { user: "user_id" },
    columns: [{ name: "most", type: "double" }],
  },
  ...{ refreshMs: 1_000, maxRows: 10, secret: "/s" },
};
const compile = async (change: Partial<TransformConfig>) =>
  await compileTransform(
    {
      topic,
      lookups: [],
      deadLetterTopic: "dlq",
      to: [{ name: "out", topic: { name: "out", fields: [] } }],
      replicas: 1,
      ...change,
    },
    "spec.transforms[t]",
  );
const planOf = async (change: Partial<TransformConfig>) => {
  const { plan, problems } = await compile(change);
  expect(problems).toEqual([]);
  if (plan === null) throw new TypeError("no plan");
  return plan;
};

test("without a select, events go on untouched with the topic's fields as their schema", async () => {
  const plan = await planOf({ where: "amount > 0 and kind = 'a'" });
  expect(plan).toMatchObject({ untouched: true, where: "((amount > 0) AND (kind = 'a'))", inputs: ["amount", "kind"] });
  expect(plan.columns.map(({ name, postgresType }) => `${name} ${postgresType}`)).toEqual([
    ...["id uuid", "user_id text", "kind text", "ts timestamptz", "amount double precision", "n bigint"],
    ...["price numeric(10,2)", "wide numeric(38,2)", "doc jsonb", "userName text", "ok boolean"],
  ]);
});

test.each<[string, readonly string[]]>([
  ["*", ["id", "user_id", "kind", "ts", "amount", "n", "price", "wide", "doc", "userName", "ok"]],
  ["* exclude (price)", ["id", "user_id", "kind", "ts", "amount", "n", "wide", "doc", "userName", "ok"]],
  ["* EXCLUDE (PRICE, wide, username)", ["id", "user_id", "kind", "ts", "amount", "n", "doc", "ok"]],
  ["* exclude price", ["id", "user_id", "kind", "ts", "amount", "n", "wide", "doc", "userName", "ok"]],
  [
    "* replace (amount * 2 as amount, upper(kind) as kind) -- doubled",
    ["id", "user_id", "kind:upper(kind)", "ts", "amount:(amount * 2)", "n", "price", "wide", "doc", "userName", "ok"],
  ],
  ["* exclude (id, ts, amount, n, price, wide, doc, ok) rename (user_id as who)", ["who=user_id", "kind", "userName"]],
  [
    "* exclude (id, ts, amount, n, price, wide, doc) replace (not ok as ok) rename (user_id as who)",
    ["who=user_id", "kind", "userName", "ok:(NOT ok)"],
  ],
])("%s", async (star, expected) => {
  const { columns } = await planOf({ select: [star] });
  const shown = columns.map(({ name, expression, isField }) =>
    isField ? (name === expression ? name : `${name}=${expression}`) : `${name}:${expression}`,
  );
  expect(shown).toEqual(expected);
});

test.each([
  ["* exclude (prices)", "prices is no field of the topic: write one of id, user_id"],
  ["* replace (1 as nothing)", "nothing is no field of the topic"],
  ["* replace (amont * 2 as amount)", 'Referenced column "amont" not found'],
  ["* rename (nobody as n)", "nobody is no field of the topic"],
  ["* rename (kind as user_id)", "two columns are called user_id"],
  ["columns('a.*')", "it stands for many columns"],
  ["event.*", "it stands for many columns"],
  ["* like 'a%'", "it stands for many columns"],
  ["* exclude (id, user_id, kind, ts, amount, n, price, wide, doc, userName, ok)", "it leaves out every field"],
])("%s is refused", async (star, message) => {
  expect((await compile({ select: [star] })).problems).toEqual([
    { path: "spec.transforms[t].select[0]", message: expect.stringContaining(message) as string },
  ]);
});

test("* stands for all fields; a field, its other name and expressions follow", async () => {
  const { columns, inputs } = await planOf({
    select: ["*", "kind as sort", "amount * 2 as twice", "lower(user_id) as who"],
  });
  expect(columns.slice(11)).toEqual([
    { ...columns[2], name: "sort" },
    {
      ...{ name: "twice", expression: "(amount * 2)", isField: false, inputs: ["amount"] },
      duckdbType: "DOUBLE",
      postgresType: "double precision",
      nullable: false,
      direct: {
        ...{ kind: "arithmetic", operator: "*", below: Infinity },
        left: { kind: "field", field: "amount" },
        right: { kind: "constant", value: 2 },
      },
    },
    {
      ...{ name: "who", expression: "lower(user_id)", isField: false, inputs: ["user_id"] },
      duckdbType: "VARCHAR",
      postgresType: "text",
      nullable: false,
    },
  ]);
  // A field that stands alone is no input: its bytes go on as they are.
  expect(inputs).toEqual(["amount", "user_id"]);
});

test.each([
  ["amount > 5", false],
  ["n > 5", true],
  ["coalesce(n, 0) > 5", false],
  ["n is null", false],
  ["case when amount > 1 then 'a' else 'b' end", false],
  ["case when amount > 1 then 'a' end", true],
  ["amount / 2", true],
  ["cast(amount as integer)", false],
  ["try_cast(user_id as integer)", true],
  ["nullif(amount, 0)", true],
  ["not (amount in (1, 2))", false],
])("%s may be NULL: %s", async (expression, nullable) => {
  const { columns } = await planOf({ select: [`${expression} as x`] });
  expect(columns[0]?.nullable).toBe(nullable);
});

describe("lookups", () => {
  test("are structs beside the event, and only those that the SQL reads are kept", async () => {
    const other = { ...limits, name: "other" };
    const plan = await planOf({ select: ["id", "amount <= limits.most as fine"], lookups: [limits, other] });
    expect(plan.lookups).toEqual([
      {
        name: "limits",
        on: [{ column: "user", field: "user_id", duckdbType: "VARCHAR" }],
        columns: [{ name: "most", duckdbType: "DOUBLE" }],
      },
    ]);
    expect(plan.columns[1]).toMatchObject({ duckdbType: "BOOLEAN", nullable: true });
    expect(plan.inputs).toEqual(["amount", "user_id"]);
  });

  test.each([
    [{ ...limits, name: "kind" }, /lookups\[kind\]$/, /the event has a field kind/],
    [
      { ...limits, match: { user: "nobody" } },
      /lookups\[limits\]\.match$/,
      /has no field nobody: write one of id, user_id/,
    ],
  ])("%o is a problem", async (lookup, path, message) => {
    const { problems } = await compile({ select: ["id"], lookups: [lookup] });
    expect(problems).toEqual([
      { path: expect.stringMatching(path) as string, message: expect.stringMatching(message) as string },
    ]);
  });

  test("name their columns when one is wrong", async () => {
    const { problems } = await compile({ select: ["limits.mots as x"], lookups: [limits] });
    expect(problems[0]?.message).toMatch(/Candidate Entries: "most"/);
  });
});

test.each<[string, RegExp]>([
  ["amuont * 2 as x", /"amuont" not found.*Candidate bindings: "amount".*at "amuont \* 2 as x"/],
  ["amount * 2", /it needs a name: write "amount \* 2 as name"/],
  ["count(*) as n", /is an aggregate/],
  ["now() as t", /does not give the same result each time/],
  ["random() as r", /does not give the same result each time/],
  ["(select 1) as x", /a subquery reads more than the event/],
  ["[amount] as list", /which no column can hold/],
  ['amount as "#a"', /cannot be a name/],
  ["amount as AMOUNT", /two columns are called amount/],
  ["doc.x as y", /doc.x is inside the field doc: write doc->>'x'/],
])("select %s is a problem that says what to write", async (text, message) => {
  const { problems } = await compile({ select: ["amount", text] });
  expect(problems).toEqual([
    { path: "spec.transforms[t].select[1]", message: expect.stringMatching(message) as string },
  ]);
});

describe("outputs are checked against what they are declared to take", () => {
  const to = (fields: readonly { name: string; type: string; nullable: boolean }[], key?: string) => [
    { name: "out", topic: { name: "approved", fields: [...fields], ...(key === undefined ? {} : { key }) } },
  ];
  const field = (name: string, type: string, nullable = false) => ({ name, type, nullable });

  test.each([
    [to([field("id", "uuid"), field("fine", "boolean")])],
    [to([field("price", "decimal(12,2)"), field("doc", "json", true)], "price")],
    [[{ name: "t", table: { name: "t", key: ["id"] } }]],
  ])("%o fits", async (outputs) => {
    await planOf({ select: ["id", "price", "doc", "amount > 1 as fine"], to: outputs });
  });

  test.each<[TransformConfig["to"], RegExp]>([
    [to([field("id", "bigint")]), /field id of topic approved is of type bigint.*declare it as uuid or string/],
    [to([field("doc", "string", true)]), /declare it as json/],
    [to([field("n", "bigint")]), /may be NULL in the select: declare it with nullable: true/],
    [to([field("other", "string")]), /the select has no column other/],
    [to([field("id", "uuid")], "user_id"), /keyed by user_id, which the select does not have: add user_id/],
    [[{ name: "out", table: { name: "t", key: ["user_id"] } }], /the key user_id is no column of the select/],
    [[{ name: "out", table: { name: "t", key: ["doc"] } }], /json, which has no order/],
    [
      [{ name: "out", redis: { key: "x:{user_id}", as: "hash", ttlMs: 0, secret: "/s" } }],
      /user_id is no column of the select/,
    ],
  ])("%o does not", async (outputs, message) => {
    const { problems } = await compile({ select: ["id", "n", "doc"], to: outputs });
    expect(problems).toEqual([
      {
        path: expect.stringMatching(/^spec\.transforms\[t\]\.to\[out\]\.(topic|table|redis\.key)$/) as string,
        reason: "OutputInvalid",
        message: expect.stringMatching(message) as string,
      },
    ]);
  });

  test("a time goes on in the unit that it was written in", async () => {
    const [inSeconds, inMs] = [
      { ...field("ts", "timestamp", true), unit: "seconds" as const },
      field("ts", "timestamp", true),
    ];
    const source = { ...topic, fields: topic.fields.map((one) => (one.name === "ts" ? inSeconds : one)) };
    const problemsOf = async (target: typeof inMs, select?: string[]) =>
      (await compile({ topic: source, to: to([target]), ...(select === undefined ? {} : { select }) })).problems;
    expect(await problemsOf(inSeconds)).toEqual([]);
    expect(await problemsOf(inMs, ["ts + interval 0 second as ts"])).toEqual([]);
    for (const select of [undefined, ["ts"]])
      expect(await problemsOf(inMs, select)).toEqual([
        expect.objectContaining({ message: expect.stringMatching(/declare it with unit: seconds/) as string }),
      ]);
  });

  test("a table's columns are the select's, to the letter", async () => {
    const { problems } = await compile({ select: ["userName"], to: [{ name: "out", table: { name: "t" } }] });
    expect(problems).toEqual([]);
  });
});
