/** Fields that are somewhere else than at the key of their name: read by the scanner and the strict reader, and written. */
import type { TopicConfig, TransformConfig } from "@caudal/crds";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { placesIn } from "@caudal/pipeline/json";
import type { RecordBlock } from "../kafka/record-block.ts";
import { compileTransformPlan } from "@caudal/pipeline/duckdb";
import { quote } from "@caudal/pipeline/sql";
import { columnText } from "./delta-text.ts";
import { Projection, type Wanted } from "./projection.ts";
import { configOf, tableOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, NOW, rowsOf, type Value } from "./testing/block.ts";

type Fields = TopicConfig["fields"];
const field = (name: string, from?: string, type = "string", nullable = true): Fields[number] => ({
  ...{ name, type, nullable },
  ...(from === undefined ? {} : { from }),
});

async function project(
  fields: Fields,
  values: readonly Value[],
  { block = blockOf(values), ...change }: Partial<TransformConfig> & { readonly block?: RecordBlock } = {},
  target?: Fields,
) {
  const topic = { name: "events", fields };
  const config = { topic, lookups: [], deadLetterTopic: "d", to: [], replicas: 1, select: ["*"], ...change };
  const plan = await compileTransformPlan(config);
  const wanted: Wanted = {
    wants: new Set(["json", "columns"]),
    ...(target === undefined ? {} : { placeOf: placesIn({ fields: target }) }),
  };
  const projection = await Projection.open(plan, topic, wanted);
  try {
    const { bad } = await projection.add(block, { from: 0, to: block.count });
    const { json, columns, count } = projection.take();
    const texts = columns.map((column, index) => columnText(column, plan.columns[index]?.duckdbType ?? ""));
    return {
      bad: bad.map(({ row, reason, detail }) => `${row} ${reason}: ${detail}`),
      rows: Array.from({ length: count }, (_, row) => texts.map((column) => column[row] ?? null)),
      json: Array.from(json?.starts ?? [], (start, row) => json?.bytes.toString("utf8", start, json.ends[row]) ?? ""),
    };
  } finally {
    await projection.close();
  }
}

/** A name in the JSON, and the value in both spellings that a key may have. */
const keys = [
  "@timestamp",
  "user-id",
  "kubernetes.pod_name",
  "preço",
  "Order Date",
  "type",
  "select",
  'a"b',
  "a\\b",
  "é\u2028",
];

describe.each(keys)("the key %s", (key) => {
  const escaped = `"${[...key].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}"`;
  const values = [
    `{${JSON.stringify(key)}:"a","x":1}`,
    `{"x":1,${escaped}:"b"}`,
    `{${escaped}:"old",${JSON.stringify(key)}:"c"}`,
    `{"x":1}`,
    `{${JSON.stringify(key.toUpperCase() + "!")}:"no"}`,
  ];
  it.each([
    ["as the field's name", field(key)],
    ["by a path", field("f", `$.${JSON.stringify(key)}`)],
  ])("%s", async (_, declared) => {
    const { rows, bad, json } = await project([declared], values, {
      where: `${quote(declared.name)} is distinct from 'z'`,
    });
    expect(bad).toEqual([]);
    expect(rows).toEqual([["a"], ["b"], ["c"], [null], [null]]);
    expect(json.map((text) => JSON.parse(text) as unknown)).toEqual(
      rows.map(([value]) => ({ [declared.name]: value })),
    );
  });
});

describe("paths through objects and lists", () => {
  const fields = [
    field("pod", "$.kubernetes.pod_name"),
    field("dotted", '$."kubernetes.pod_name"'),
    field("sku", "$.items[0].sku", "bigint"),
    field("all", "$.kubernetes", "json"),
    field("again", "$.kubernetes.pod_name"),
  ];
  it.each<[json: string, ...row: (string | null)[]]>([
    ['{"kubernetes":{"pod_name":"a"}}', "a", null, null, '{"pod_name":"a"}', "a"],
    ['{"kubernetes.pod_name":"b","kubernetes":{}}', null, "b", null, "{}", null],
    ['{"kubernetes":5,"items":{}}', null, null, null, "5", null],
    ['{"kubernetes":null,"items":[]}', null, null, null, null, null],
    ['{"items":[{"sku":7},{"sku":8}]}', null, null, "7", null, null],
    ['{"items":[{"sku":9007199254740993}]}', null, null, "9007199254740993", null, null],
    ['{"kubernetes":{"pod_name":"x"},"kubernetes":{"a":1}}', null, null, null, '{"a":1}', null],
    ['{"kubernetes":{"pod_name":"x","pod_name":"y"}}', "y", null, null, '{"pod_name":"y"}', "y"],
  ])("%s", async (json, ...row) => {
    expect(await project(fields, [json])).toMatchObject({ rows: [row], bad: [] });
  });

  it("what is missing there, or of another type, makes a dead letter where the field needs it", async () => {
    const needed = [field("pod", "$.kubernetes.pod_name", "integer", false)];
    const values = [
      '{"kubernetes":{"pod_name":1}}',
      '{"kubernetes":{}}',
      '{"pod_name":1}',
      '{"kubernetes":{"pod_name":"x"}}',
    ];
    const { bad, rows } = await project(needed, values);
    expect(rows).toEqual([["1"]]);
    expect(bad).toEqual([
      "1 MissingField: pod is missing",
      "2 MissingField: pod is missing",
      expect.stringMatching(/^3 WrongType: pod is "x"/),
    ]);
  });
});

it("the scanner and the strict reader find the same, whatever the events hold", async () => {
  const fields = [
    ...[field("a"), field("b", "$.o.b", "integer"), field("c", "$.o.p.c"), field("d", "$.o.p.d", "json")],
    ...[field("e", "$.q.e", "double"), field("f", "$.o.f", "boolean", false)],
  ];
  const scalar = fc.constantFrom(
    '"x"',
    '"\\u0041"',
    "1",
    "-0.5",
    "true",
    "null",
    "[]",
    '[{"b":1}]',
    "{}",
    "1e400",
    '"1"',
  );
  const name = fc.constantFrom(
    ...["a", "b", "c", "d", "e", "f", "o", "p", "q", "\\u006f", "x"].map((one) => `"${one}"`),
  );
  const space = fc.constantFrom("", "", "", " ", "\n");
  const { value } = fc.letrec<{ value: string; object: string }>((tie) => ({
    object: fc
      .tuple(space, fc.array(fc.tuple(name, space, tie("value")), { maxLength: 6 }))
      .map(
        ([gap, members]) =>
          `{${gap}${members.map(([key, before, one]) => `${key}${before}:${before}${one}`).join(`,${gap}`)}}`,
      ),
    value: fc.oneof({ maxDepth: 4 }, scalar, tie("object")),
  }));
  const good = '"a":"x","o":{"f":true,"b":7,"p":{"c":"y","d":[1, 2]}},"q":{"e":1.5}';
  const values = fc
    .sample(value, { seed: 11, numRuns: 3_000 })
    .flatMap((one, index) => [`{"o":${one}}`, `{${good},"z":${one}}`, index % 2 === 0 ? one : `{"q":${one},${good}}`]);
  const byScanner = await project(fields, values);
  // An element of a list is nothing that the scanner looks for.
  const byStrict = await project([...fields, field("strict", "$.nothing[0]")], values, {
    select: fields.map(({ name: one }) => one),
  });
  expect(byScanner.rows.length).toBeGreaterThan(3_000);
  expect(byScanner).toEqual(byStrict);
});

describe("what is beside a record's value", () => {
  const fields = [
    field("id", undefined, "integer"),
    field("k", "key"),
    field("trace", "header:trace-id"),
    field("p", "partition", "integer"),
    field("o", "offset", "bigint"),
    field("t", "timestamp", "timestamp"),
  ];
  const beside = (key: Buffer | null, ...headers: readonly (readonly [string, Buffer | null])[]): RecordBlock => {
    const block = blockOf([{ id: 1 }]);
    return {
      ...block,
      partition: 3,
      offsets: Float64Array.of(41),
      original: (row) => ({ ...block.original(row), key, headers }),
    };
  };
  const read = async (block: RecordBlock, of = fields) => await project(of, [], { block });

  it("is read, and written by the columns' names", async () => {
    const block = beside(Buffer.from('k "1"'), ["trace-id", Buffer.from("old")], ["trace-id", Buffer.from("new")]);
    const { rows, json } = await read(block);
    const time = "2026-01-01 00:00:00+00";
    expect(rows).toEqual([["1", 'k "1"', "new", "3", "41", time]]);
    expect(JSON.parse(json[0] ?? "")).toEqual({
      ...{ id: 1, k: 'k "1"', trace: "new", p: 3, o: 41 },
      t: new Date(NOW).toISOString().replace(".000", ""),
    });
  });

  it("may be missing where the field is nullable", async () => {
    expect((await read(beside(null, ["trace-id", null]))).rows[0]?.slice(1, 3)).toEqual([null, null]);
    const needed = fields.map((one) => ({ ...one, nullable: false }));
    expect((await read(beside(null), needed)).bad).toEqual(["0 MissingField: k is missing: the record has none"]);
    expect((await read(beside(Buffer.from("k")), needed)).bad).toEqual([
      "0 MissingField: trace is missing: the record has none",
    ]);
  });

  it("is text that PostgreSQL keeps, or a dead letter", async () => {
    expect((await read(beside(Buffer.from([0xff])))).bad).toEqual(["0 InvalidText: k is not UTF-8"]);
    expect((await read(beside(null, ["trace-id", Buffer.from("a\0")]))).bad).toEqual([
      "0 NulInText: trace holds the character NUL",
    ]);
  });

  it("is there for SQL", async () => {
    const { rows } = await project(fields, [], {
      block: beside(Buffer.from("7")),
      where: "k::int = 7 and p = 3",
      select: ["o + 1 as next"],
    });
    expect(rows).toEqual([["42"]]);
  });
});

it("groups, aggregates and event time are read where they are", async () => {
  const fields = [
    { ...field("at", "$.meta.ts", "timestamp"), nullable: false },
    ...[field("user-id", '$.meta."user-id"'), field("n", "$.list[0]", "bigint"), field("k", "key")],
  ];
  const config = configOf({ name: "events", timestamp: "at", fields }, [
    tableOf({ groupBy: ["user-id", "k"], aggregates: ["sum(n) as total", `max("user-id") as last`], where: "k = 'a'" }),
  ]);
  const kernel = await kernelOf(config);
  const event = (time: string, user: string, n: number) => ({
    meta: { ts: `2026-01-01T${time}Z`, "user-id": user },
    list: [n],
  });
  const block = blockOf([
    event("00:00:01", "u1", 1),
    event("00:00:59", "u1", 2),
    event("00:01:00", "u2", 4),
    event("00:00:02", "u1", 8),
  ]);
  const keys = ["a", "a", "a", "b"];
  const keyed = {
    ...block,
    original: (row: number) => ({ ...block.original(row), key: Buffer.from(keys[row] ?? "") }),
  };
  try {
    expect((await kernel.add(keyed, { watermark: null })).bad).toEqual([]);
    expect(rowsOf((await kernel.take())[0])).toEqual(["00:00 | u1 a | 3 2 u1", "00:01 | u2 a | 4 1 u2"]);
  } finally {
    await kernel.close();
  }
});

describe("a topic that gets rows has them where its fields are", () => {
  const fields = [field("id", undefined, "integer"), field("user", "$.user.id"), field("pod", "$.pod")];
  const value = '{"id":1,"user":{"id":"u\\u0031"},"pod":"p"}';
  it.each<[json: string, ...target: Fields]>([
    ['{"id":1,"user":"u\\u0031","pod":"p"}'],
    ['{"id":1,"who":{"user-id":"u\\u0031"},"pod":"p"}', field("user", '$.who."user-id"')],
    ['{"k":{"pod":"p","u":"u\\u0031"},"id":1}', field("pod", "$.k.pod"), field("user", "$.k.u")],
    ['{"l":[null,{"id":1}],"user":"u\\u0031","pod":"p"}', field("id", "$.l[1].id", "integer")],
    ['{"id":1,"pod":"p"}', field("user", "key")],
  ])("%s", async (json, ...target) => {
    const { json: written } = await project(fields, [value], {}, target);
    expect(written.map((text) => JSON.parse(text) as unknown)).toEqual([JSON.parse(json)]);
    // As they came, to the letter.
    expect(json.includes("\\u0031")).toBe(written[0]?.includes("\\u0031"));
  });
});
