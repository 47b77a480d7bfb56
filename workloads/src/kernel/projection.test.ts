import type { TransformConfig } from "@caudal/crds";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileTransformPlan } from "@caudal/pipeline/duckdb";
import type { TransformPlan } from "@caudal/pipeline/sql";
import { Projection } from "./projection.ts";
import type { Values } from "./rows.ts";
import { topicOf } from "@caudal/pipeline/testing";
import { blockOf, type Value } from "./testing/block.ts";

const topic = topicOf({
  ...{ id: "integer", kind: "string?", n: "bigint?", x: "double?", price: "decimal(10,2)?" },
  ...{ wide: "decimal(38,2)?", ok: "boolean?", seen: "timestamp?", day: "date?", doc: "json?", key: "uuid?" },
});
const NO_COLUMN = {
  ...{ name: "", expression: "", isField: true, duckdbType: "", postgresType: "", nullable: true, inputs: [] },
};
const planOf = async (change: Partial<TransformConfig>): Promise<TransformPlan> =>
  await compileTransformPlan({ topic, lookups: [], deadLetterTopic: "d", to: [], replicas: 1, ...change });
const project = async (plan: TransformPlan, values: readonly Value[]) => {
  const projection = await Projection.open(plan, topic, { wants: new Set(["json"]) });
  try {
    const { accepted, bad } = await projection.add(blockOf(values), { from: 0, to: values.length });
    const { json, offsets } = projection.take();
    return { accepted, bad, offsets: [...offsets], texts: textsOf(json) };
  } finally {
    await projection.close();
  }
};
/** DuckDB's words for what fails end with the statement that it stood in. */
const comparable = ({ bad, ...rest }: Awaited<ReturnType<typeof project>>) => ({
  ...{ ...rest, bad: bad.map(({ row, reason, detail }) => [row, reason, detail.split("\n")[0]]) },
});
const textsOf = (values: Values | undefined): string[] =>
  Array.from(values?.starts ?? [], (start, row) => values?.bytes.toString("utf8", start, values.ends[row]) ?? "");

describe("a field is passed on as it was written", () => {
  test.each([
    ["a text with escapes", `{"id":1,"kind":"a\\u00e9\\"}{"}`, "kind", `{"kind":"a\\u00e9\\"}{"}`],
    ["numbers in unusual spellings", `{"id":1,"x":1.50e1,"n":"7"}`, "x,n", `{"x":1.50e1,"n":"7"}`],
    ["an object, with spaces around it", `{ "id" : 1 , "doc" : {"a": [1, "]"]} }`, "doc", `{"doc":{"a": [1, "]"]}}`],
    ["a key with escapes", `{"id":1,"k\\u0069nd":"a"}`, "kind", `{"kind":"a"}`],
    ["what is missing or null", `{"id":1,"x":null}`, "kind,x", `{"kind":null,"x":null}`],
    ["a field under two names", `{"id":1,"kind":"b"}`, "kind,kind as sort", `{"kind":"b","sort":"b"}`],
    [
      "undeclared members between",
      `{"u":{"kind":"no"},"id":1,"kind":"yes","v":[{}]}`,
      "id,kind",
      `{"id":1,"kind":"yes"}`,
    ],
  ])("%s", async (_, value, select, expected) => {
    const { texts } = await project(await planOf({ select: select.split(",") }), [value]);
    expect(texts).toEqual([expected]);
  });
});

test("computed values are written as fields of their type are", async () => {
  const select = [
    ...[
      "price + 0.01 as p",
      "wide * 1 as w",
      "n + 1 as n1",
      "x / 4 as q",
      "seen as at",
      "seen + interval 1 second as later",
    ],
    ...["day + 1 as tomorrow", "kind || '\"é' as k", "not ok as nok", "key::varchar as text", "doc->'a' as a"],
  ];
  const value = {
    ...{ id: 1, kind: "k", n: "9007199254740993", x: 1, price: 12.3, wide: "12345678901234567890.12", ok: true },
    ...{
      seen: "2026-01-01T00:00:00.25Z",
      day: "2026-02-28",
      doc: { a: [1] },
      key: "123e4567-e89b-12d3-a456-426614174000",
    },
  };
  const { texts, bad } = await project(await planOf({ select }), [value]);
  expect(bad).toEqual([]);
  expect(texts).toEqual([
    '{"p":12.31,"w":"12345678901234567890.12","n1":9007199254740994,"q":0.25,"at":"2026-01-01T00:00:00.25Z",' +
      '"later":"2026-01-01T00:00:01.25Z","tomorrow":"2026-03-01","k":"k\\"é","nok":false,' +
      '"text":"123e4567-e89b-12d3-a456-426614174000","a":[1]}',
  ]);
});

test("an event on which an expression fails is bad, and the others go on in their order", async () => {
  const plan = await planOf({
    where: "n is not null",
    select: ["id", "(100 // (n - 3))::integer as share", "cast(kind as integer) as number"],
  });
  const values = [1, 2, 3, 4].map((id) => ({ id, n: id, kind: id === 2 ? "x" : "5" }));
  const { texts, bad, accepted } = await project(plan, [...values, { id: 5 }, "{oops"]);
  expect(bad.map(({ row, reason }) => `${row} ${reason}`)).toEqual(["1 EvaluationFailed", "5 MalformedJson"]);
  expect(accepted).toBe(4);
  expect(texts).toEqual([
    '{"id":1,"share":-50,"number":5}',
    '{"id":3,"share":null,"number":5}',
    '{"id":4,"share":100,"number":5}',
  ]);
});

describe("without DuckDB", () => {
  const conditions = [
    ...["x > 0.5", "x <= 1e3", "n = 3", "n <> -2", "2 < n", "price >= 1.5", "price < 10", "x > n", "kind = 'a'"],
    ...["kind <> 'b'", "'a' = kind", "ok", "not ok", "kind in ('a', 'b')", "n not in (1, 2)", "x between 0 and 1"],
    ...["kind is null", "n is not null", "day is null"],
  ];
  const number = fc.constantFrom(null, 0, 1, 2, 3, -2, 5);
  const events = fc.record({
    id: fc.integer({ min: 0, max: 9 }),
    kind: fc.constantFrom(null, "a", "b", "c", ""),
    n: fc.oneof(number, fc.constant("9007199254740995")),
    x: fc.oneof(number, fc.constantFrom(0.5, 0.25, 1000, 1000.5, -0.0)),
    price: fc.oneof(number, fc.constantFrom(1.5, 1.49, 9.99, 10, "10.00")),
    ok: fc.constantFrom(null, true, false),
  });

  test("conditions give what DuckDB gives", async () => {
    const tree = fc.letrec<{ tree: string; leaf: string }>((tie) => ({
      leaf: fc.constantFrom(...conditions),
      tree: fc.oneof(
        { maxDepth: 3 },
        tie("leaf"),
        fc.tuple(tie("tree"), fc.constantFrom("and", "or"), tie("tree")).map(([a, join, b]) => `(${a} ${join} ${b})`),
        tie("tree").map((one) => `(not ${one})`),
      ),
    })).tree;
    await fc.assert(
      fc.asyncProperty(tree, tree, fc.array(events, { minLength: 1, maxLength: 40 }), async (where, value, list) => {
        const { directWhere, ...plan } = await planOf({ where, select: ["id", `${value} as v`] });
        expect(directWhere).toBeDefined();
        const [id, computed] = plan.columns;
        expect(computed?.isField === true || computed?.direct !== undefined).toBe(true);
        const { direct: _direct, ...byDuckDB } = computed ?? { ...NO_COLUMN, direct: undefined };
        const columns = [id ?? NO_COLUMN, byDuckDB];
        const whole = { ...plan, ...(directWhere === undefined ? {} : { directWhere }) };
        expect(await project(whole, list)).toEqual(await project({ ...plan, columns }, list));
      }),
      { numRuns: 15 },
    );
  }, 120_000);

  test("arithmetic gives what DuckDB gives, also where a type is exceeded or the divisor is zero", async () => {
    const tree = fc.letrec<{ tree: string; leaf: string }>((tie) => ({
      leaf: fc.constantFrom("id", "n", "x", "3", "0", "0.25", "1e3", "2147483647"),
      tree: fc.oneof(
        { maxDepth: 3 },
        tie("leaf"),
        fc
          .tuple(tie("tree"), fc.constantFrom("+", "-", "*", "/"), tie("tree"))
          .map(([a, op, b]) => `(${a} ${op} ${b})`),
      ),
    })).tree;
    const whole = fc.constantFrom(null, 0, 1, -7, 46341, 2147483647, -2147483648);
    const list = fc.array(
      fc.record({
        id: fc.constantFrom(0, 3, -2, 50_000, 2147483647),
        n: fc.oneof(whole, fc.constantFrom(9007199254740991, -4503599627370496, "9007199254740995")),
        x: fc.oneof(whole, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0.1, 1e308, -1e-320)),
      }),
      { minLength: 1, maxLength: 20 },
    );
    let found = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 3, maxLength: 3 }), list, async (expressions, values) => {
        const select = expressions.map((expression, i) => `id + ${expression} as v${i}`);
        const plan = await planOf({ select }).catch((error: unknown) => {
          // Constants that cannot be computed are refused before any event is read.
          if (!String(error).includes("is the same for every event")) throw error;
          return undefined;
        });
        if (plan === undefined) return fc.pre(false);
        found += plan.columns.filter(({ direct }) => direct !== undefined).length;
        const columns = plan.columns.map(({ direct: _direct, ...byDuckDB }) => byDuckDB);
        expect(comparable(await project(plan, values))).toEqual(
          comparable(await project({ ...plan, columns }, values)),
        );
      }),
      { numRuns: 12, seed: 3 },
    );
    expect(found).toBeGreaterThan(15);
  }, 120_000);

  test("what is evaluated in parts is what is evaluated whole", async () => {
    const { directWhere, ...plan } = await planOf({
      where: "n > 0",
      select: [
        "id",
        "upper(kind) as up",
        "cast(kind as integer) as number",
        "n * 2 as twice",
        "(100 // (x - 1))::integer as q",
      ],
    });
    expect(directWhere).toBeDefined();
    const list = events.map((event) => ({ ...event, kind: event.kind === "" ? "7" : event.kind }));
    await fc.assert(
      fc.asyncProperty(fc.array(list, { minLength: 1, maxLength: 40 }), async (values) => {
        const parts = await project({ ...plan, ...(directWhere === undefined ? {} : { directWhere }) }, values);
        expect(comparable(parts)).toEqual(comparable(await project(plan, values)));
      }),
      { numRuns: 8 },
    );
  }, 120_000);

  test.each([
    "n + 1 > 2",
    "lower(kind) = 'a'",
    "wide = 1",
    "kind > 'a'",
    "n = 1.5e0",
    "seen > '2026-01-01'",
    "x = '1'",
    "n = 1 is true",
  ])("%s is DuckDB's to say, or is said by both alike", async (where) => {
    const { directWhere, ...plan } = await planOf({ where, select: ["id"] });
    if (where !== "wide = 1") expect(directWhere).toBeUndefined();
    const list = [1, 2, null].map((n) => ({ id: 1, n, x: n, kind: "a", wide: n }));
    expect((await project(plan, list)).bad).toEqual([]);
  });
});
