/** Names that SQL takes in double quotes alone, in every place where a name stands. */
import type { AggregatorConfig, TransformConfig } from "@caudal/crds";
import { describe, expect, it } from "vitest";
import { compile } from "./compile.ts";
import { compileTransform } from "./compile-transform.ts";
import { quote } from "./quote.ts";

const names = [
  ...["@timestamp", "user-id", "kubernetes.pod_name", "preço", "Order Date", "type", "select", 'a"b', "event.x", "1st"],
  ...["UPPER", "it's", "x as y", "a, b", "(a + b)", "true", "$1", "{n}", "ç".repeat(31), "x".repeat(63)],
];
/** Another name that belongs to one. */
const second = (name: string) => `${name.slice(0, 20)} 2`;

const topicOf = (list: readonly string[]) => ({
  name: "events",
  timestamp: "at",
  fields: [
    { name: "id", type: "string", nullable: false },
    ...list.map((name) => ({ name, type: "bigint", nullable: false })),
    { name: "at", type: "timestamp", nullable: false },
  ],
});
const transformOf = (list: readonly string[], change: Partial<TransformConfig> = {}): TransformConfig => ({
  topic: topicOf(list),
  lookups: [],
  deadLetterTopic: "letters",
  to: [{ name: "rows", table: { name: "t" } }],
  replicas: 1,
  ...change,
});

describe("each name", () => {
  it("is a field, alone and in expressions, a column, and a part of a key", async () => {
    const config = transformOf(names, {
      where: names.map((name) => `${quote(name)} > 1`).join(" and "),
      select: names.flatMap((name) => [name, `${quote(name)} + 1 as ${quote(second(name))}`]),
      to: [{ name: "rows", table: { name: '"Order Details"', key: names.slice(0, 8) } }],
    });
    const { plan, problems } = await compileTransform(config);
    expect(problems).toEqual([]);
    expect(plan?.columns.map((column) => [column.name, column.isField, column.nullable])).toEqual(
      names.flatMap((name) => [
        [name, true, false],
        [second(name), false, false],
      ]),
    );
    expect(plan?.inputs).toEqual([...names].sort());
    expect(plan?.directWhere).toBeDefined();
  });

  it("is a field in quotes, and another name for one", async () => {
    const select = names.flatMap((name) => [quote(name), `id as ${quote(second(name))}`]);
    const { plan, problems } = await compileTransform(transformOf(names, { select }));
    expect(problems).toEqual([]);
    expect(plan?.columns.map(({ name, expression }) => [name, expression])).toEqual(
      names.flatMap((name) => [
        [name, name],
        [second(name), "id"],
      ]),
    );
  });

  it("is a column of a lookup, and the field that it is matched by", async () => {
    const lookups = names.map((name, index) => ({
      ...{ name: `l${index}`, table: "t", match: { [name]: name }, columns: [{ name, type: "string" }] },
      ...{ refreshMs: 1000, maxRows: 10, secret: "s" },
    }));
    const select = names.map((name, index) => `l${index}.${quote(name)} as ${quote(second(name))}`);
    const { plan, problems } = await compileTransform(transformOf(names, { select, lookups }));
    expect(problems).toEqual([]);
    expect(plan?.lookups.map(({ on, columns }) => [on, columns])).toEqual(
      names.map((name) => [[{ column: name, field: name, duckdbType: "BIGINT" }], [{ name, duckdbType: "VARCHAR" }]]),
    );
    expect(plan?.inputs).toEqual([...names].sort());
    expect(plan?.columns.every(({ nullable }) => nullable)).toBe(true);
  });

  it("is a group and an aggregate", async () => {
    const config: AggregatorConfig = {
      topic: { ...topicOf(names), key: names[0] ?? "" },
      watermark: { maxDelayMs: 0, idleTimeoutMs: 0, maxAheadMs: 0 },
      lateEvents: "Drop",
      deadLetterTopic: "letters",
      tables: [
        {
          name: "t",
          window: { tumbling: { size: "1m" } },
          groupBy: names,
          aggregates: names.map((name, index) => `sum(${quote(name)}) as ${quote(`${index} ${"s".repeat(60)}`)}`),
        },
      ],
      replicas: 1,
    };
    const { plan, problems } = await compile(config);
    expect(problems).toEqual([]);
    const [table] = plan?.tables ?? [];
    expect(table?.groups.map((group) => group.name)).toEqual(names);
    expect(table?.fields).toEqual([...names].sort());
    for (const { parts } of table?.aggregates ?? [])
      for (const { column } of parts) expect(Buffer.byteLength(column)).toBeLessThanOrEqual(63);
    // All are fields alone: there is nothing for DuckDB to compute.
    expect(table?.inputs).toEqual([]);
  });
});

describe("a name that lacks its quotes is told with them", () => {
  it.each([
    ["user-id", "user-id = 1", '"user-id"'],
    ["Order Date", "Order Date > 1", '"Order Date"'],
    ["kubernetes.pod_name", "kubernetes.pod_name > 1", '"kubernetes.pod_name"'],
    ["event.id", "event.id = 'x'", '"event.id"'],
  ])("%s in %s", async (name, where, written) => {
    const { problems } = await compileTransform(transformOf([name], { where }));
    expect(problems.map(({ message }) => message).join()).toContain(written);
  });
});

it("names that cannot be are refused", async () => {
  const texts = ['id as "#row"', `id as "${"x".repeat(64)}"`, `id as "${"ç".repeat(32)}"`];
  const { problems } = await compileTransform(transformOf(["n"], { select: texts }));
  expect(problems.map(({ message }) => message)).toEqual([
    expect.stringMatching(/begins with #/),
    expect.stringMatching(/64 bytes, and PostgreSQL cuts names off behind 63/),
    expect.stringMatching(/64 bytes/),
  ]);
});

describe("a topic that gets the rows", () => {
  const source = { name: "in", fields: [{ name: "a", type: "string", nullable: false }] };
  const target = (...fields: { name: string; type: string; nullable: boolean; from?: string }[]) => ({
    name: "out",
    fields,
  });
  const problemsOf = async (select: string[] | undefined, topic: ReturnType<typeof target>) => {
    const to = [{ name: "out", topic }];
    const config = transformOf([], { topic: source, to, ...(select === undefined ? {} : { select }) });
    return (await compileTransform(config)).problems.map(({ message }) => message);
  };
  const moved = { name: "a", type: "string", nullable: false, from: "$.deep.a" };

  it("has its fields in other places only where they are moved", async () => {
    expect(await problemsOf(["*"], target(moved))).toEqual([]);
    expect(await problemsOf(undefined, target(moved))).toEqual([
      expect.stringMatching(/go on as they came.*write select: \["\*"\], which moves it/),
    ]);
    expect(await problemsOf(undefined, target({ ...moved, from: "$.a" }))).toEqual([]);
  });

  it("has room for each of them", async () => {
    expect(await problemsOf(["a", "a as deep"], target(moved))).toEqual([
      expect.stringMatching(/^a and deep would be written to one place in the JSON of topic out/),
    ]);
  });
});
