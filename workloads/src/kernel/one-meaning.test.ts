import type { TransformConfig } from "@caudal/crds";
import { describe, expect, test } from "vitest";
import { compileTransform, compileTransformPlan } from "@caudal/pipeline/duckdb";
import { columnText } from "./delta-text.ts";
import { Projection } from "./projection.ts";
import type { Values } from "./rows.ts";
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, rowsOf, type Value } from "./testing/block.ts";

const topic = topicOf({
  ...{ id: "string?", amount: "decimal(38,4)?", note: "string?", n: "bigint?", doc: "json?", payload: "string?" },
});
const configured = (change: Partial<TransformConfig>): TransformConfig => ({
  ...{ topic, lookups: [], deadLetterTopic: "d", to: [], replicas: 1, ...change },
});

/** What each form of output gets of one event. */
async function outputsOf(change: Partial<TransformConfig>, value: Value, recordKey?: string) {
  const plan = await compileTransformPlan(configured(change));
  const wants = new Set(["columns", "json", "records"] as const);
  const projection = await Projection.open(plan, topic, { wants, ...(recordKey === undefined ? {} : { recordKey }) });
  try {
    const { bad } = await projection.add(blockOf([value]), { from: 0, to: 1 });
    const { columns, json, records } = projection.take();
    const texts = plan.columns.map(({ name, duckdbType }, index) => {
      const column = columns[index];
      return [name, column === undefined ? undefined : columnText(column, duckdbType)[0]] as const;
    });
    return {
      bad: bad.map(({ reason, detail }) => `${reason}: ${detail}`),
      columns: Object.fromEntries(texts),
      json: textOf(json),
      record: textOf(records?.values),
    };
  } finally {
    await projection.close();
  }
}
const textOf = (values: Values | undefined) =>
  values === undefined ? undefined : values.bytes.toString("utf8", values.starts[0], values.ends[0]);

describe("a key that comes twice has one value in every output", () => {
  const twice = '{"id":"t1","amount":10,"am\\u006funt":1000000,"x":1,"note":"a","note":null,"x":{"y":1,"y":2}}';
  test("and is checked with that one", async () => {
    expect(await outputsOf({ where: "amount <= 100", select: ["*"] }, twice)).toMatchObject({ bad: [], json: "" });
  });
  test("with a select", async () => {
    const { columns, json, record, bad } = await outputsOf(
      { where: "amount > 100", select: ["id", "amount", "note"] },
      twice,
    );
    expect(bad).toEqual([]);
    expect(columns).toEqual({ id: "t1", amount: "1000000.0000", note: null });
    expect(json).toBe('{"id":"t1","amount":1000000,"note":null}');
    expect(record).toContain(String(json));
  });
  test("and untouched, in a normal form", async () => {
    const { columns, json, record } = await outputsOf({}, twice);
    expect(columns).toMatchObject({ amount: "1000000.0000", note: null });
    expect(json).toBe('{"id":"t1","amount":1000000,"x":{"y":2},"note":null}');
    expect(record).toContain(String(json));
  });
  test("inside json, untouched, selected and in its column", async () => {
    const value = '{"id":"t1", "doc":{"a":1.50,"a":2.50,"l":[{"b":1,"b":0.10}]}}';
    const normal = '{"a":2.50,"l":[{"b":0.10}]}';
    expect(await outputsOf({ select: ["doc"] }, value)).toMatchObject({
      columns: { doc: normal },
      json: `{"doc":${normal}}`,
    });
    expect((await outputsOf({}, value)).json).toBe(`{"id":"t1","doc":${normal}}`);
  });
  test("and the record's key is of it", async () => {
    const { record } = await outputsOf({ select: ["id", "n"] }, '{"id":"a","n":1,"id":"b"}', "id");
    // Lengths are zigzag varints: a key of one byte.
    expect(record?.slice(0, 2)).toBe("\u0002b");
  });
  test("what has each key once goes on byte for byte", async () => {
    const value = '{ "id":"t1" , "doc" : {"a": 1.50, "b":[ ] }, "x":{"\\u0041":1} }';
    expect((await outputsOf({}, value)).json).toBe(value);
  });
});

describe("digits in JSON stay as they were written", () => {
  const doc =
    '{"v":1234567890123456.7891,"w":0.1000,"big":1234567890123456789012345678901234567890,"x":1e400,"m":-0,"e":1E5,' +
    '"s":"a\\u00e9","t":true,"u":null,"k":{"v":1.50,"a b":[0.10,2.0]},"l":[1.10,"a",null,{"v":2.50}],"7":0.70}';
  const event = JSON.stringify({ id: "a", payload: doc }).replace("}", "}").replace(/}$/, `,"doc":${doc}}`);
  const sql: readonly (readonly [expression: string, value: string | null])[] = [
    ["doc->>'v'", "1234567890123456.7891"],
    ["(doc->'v')::varchar", "1234567890123456.7891"],
    ["payload->>'v'", "1234567890123456.7891"],
    ["payload::json->>'w'", "0.1000"],
    ["(doc->>'v')::decimal(38,4)", "1234567890123456.7891"],
    ["(doc->'v')::decimal(38,4)", "1234567890123456.7891"],
    ["doc['v']::decimal(38,4)", "1234567890123456.7891"],
    ["try_cast(doc->'v' as decimal(38,4))", "1234567890123456.7891"],
    ["doc->'w'", "0.1000"],
    ["doc->>'big'", "1234567890123456789012345678901234567890"],
    ["doc->>'x'", "1e400"],
    ["doc->>'m'", "-0"],
    ["doc->'e'", "1E5"],
    ["doc->>'s'", "aé"],
    ["doc->'s'", '"aé"'],
    ["(doc->>'t')::boolean", "true"],
    ["doc->>'u'", null],
    ["doc->'u'", "null"],
    ["doc->>'none'", null],
    ["doc->'k'->>'v'", "1.50"],
    ["doc->'k'->'v'", "1.50"],
    ["doc->>'k'", '{"v":1.50,"a b":[0.10,2.0]}'],
    ["doc->>'$.k.v'", "1.50"],
    ["doc->>'$.k.\"a b\"[1]'", "2.0"],
    ["doc->>'$.l[#-1].v'", "2.50"],
    ["doc->>'/l/3/v'", "2.50"],
    ["doc->>'7'", "0.70"],
    ["doc->'l'->>0", "1.10"],
    ["doc->'$.l[-1]'->>'v'", "2.50"],
    ["json_extract(doc, '$.l[0]')", "1.10"],
    ["json_extract_string(doc, '$.v')", "1234567890123456.7891"],
    ["json_extract_path_text(doc, '$.k.v')", "1.50"],
    ["json_value(doc, '$.v')", "1234567890123456.7891"],
    ["json_value(doc, '$.k')", null],
    ["(doc->>'$.l[*]')[1]", "1.10"],
    ["(doc->'$.k.*')[2]::varchar", "[0.10,2.0]"],
    ["(doc->>['$.v', '$.w'])[2]", "0.1000"],
    ["((doc->'l')::json[])[4]->>'v'", "2.50"],
    ["((doc->'l')::varchar[])[1]", "1.10"],
    ["((doc->'$.l[3]')::struct(v decimal(38,4))).v", "2.5000"],
    ['from_json(doc, \'{"v":"DECIMAL(38,4)"}\').v', "1234567890123456.7891"],
    ['from_json(doc, \'{"w":"VARCHAR"}\').w', "0.1000"],
    ['json_transform(doc, \'{"l":["VARCHAR"]}\').l[1]', "1.10"],
    ["array_to_string(list_transform((doc->'l')::json[], lambda e: e->>'v'), ',')", "2.50"],
    ["json_type(doc, '$.v')", "DOUBLE"],
    ["json_array_length(doc->'l')", "4"],
    ["coalesce(doc->'none', doc->'w')", "0.1000"],
    ["case when doc->>'t' = 'true' then doc->'v' end", "1234567890123456.7891"],
    ["upper(doc->>'w')", "0.1000"],
    ["'{\"a\":0.10,\"a\":0.20}'::json->>'a'", "0.20"],
    ["json_object('w', (doc->>'w')::decimal(10,4))", '{"w":0.1000}'],
    ["to_json('12345678901234.5678'::decimal(18,4))", "12345678901234.5678"],
  ];
  test.for(sql)("%s", async ([expression, value]) => {
    const { bad, columns } = await outputsOf({ select: [`${expression} as x`] }, event);
    expect({ bad, x: columns["x"] }).toEqual({ bad: [], x: value });
  });

  test("in every output", async () => {
    for (const change of [{}, { select: ["doc"] }, { select: ["doc", "doc as twin"] }])
      expect(await outputsOf(change, event)).toMatchObject({
        columns: { doc: doc.replace("\\u00e9", "é") },
        json: expect.stringContaining(
          '"v":1234567890123456.7891,"w":0.1000,"big":1234567890123456789012345678901234567890,"x":1e400,"m":-0,"e":1E5',
        ) as string,
      });
  });

  test("and in an aggregator", async () => {
    const aggregates = ["sum((doc->>'v')::decimal(28,4)) as v", "min(doc->>'w') filter (where doc->>'m' = '-0') as w"];
    const kernel = await kernelOf(configOf(topic, [tableOf({ groupBy: ["doc->>'e' as e"], aggregates })]));
    await kernel.add(blockOf([event, event]), { watermark: null });
    const [delta] = await kernel.take();
    await kernel.close();
    expect(rowsOf(delta)).toEqual(["00:00 | 1E5 | 2469135780246913.5782 2 0.1000"]);
  });

  test.for<readonly [expression: string, words: RegExp]>([
    ["(doc->'v') > 1", /write what ->> gives with a cast/],
    ["json_object('d', doc)", /write '\{"name":'/],
    ["to_json(doc)", /as it is/],
    ["to_json([doc])", /as it is/],
    ["json_merge_patch(doc, '{}')", /take the members apart/],
    ["json_contains(doc, '1')", /list_contains/],
    ['from_json(doc, \'{"v":"JSON"}\').v', /VARCHAR in place of JSON/],
    ["((doc->'k')::struct(v json)).v", /take the JSON values with ->/],
    ["doc->>('v' || id)", /has to be a constant/],
    ["doc->'$..v'", /name each member/],
  ])("%s is refused with what to write", async ([expression, words]) => {
    const { problems } = await compileTransform(configured({ select: [`${expression} as x`] }));
    expect(problems.map(({ message }) => message).join()).toMatch(words);
  });

  test("text that is no JSON is one event's dead letter", async () => {
    const { bad } = await outputsOf({ select: ["payload->>'a' as a"] }, { payload: '{"a":1,}' });
    expect(bad).toEqual([expect.stringMatching(/^EvaluationFailed: .*it is no JSON/)]);
  });
});

describe("a text that begins with U+FEFF keeps it", () => {
  test("in computed columns", async () => {
    const { columns, json } = await outputsOf(
      { select: ["note || '!' as x", "'\ufeff' || id as y"] },
      { id: "a", note: "\ufeffcol" },
    );
    expect(columns).toEqual({ x: "\ufeffcol!", y: "\ufeffa" });
    expect(json).toBe('{"x":"\ufeffcol!","y":"\ufeffa"}');
  });
  test("in groups", async () => {
    const kernel = await kernelOf(configOf(topic, [tableOf({ groupBy: ["note || '' as g"] })]));
    await kernel.add(blockOf([{ note: "\ufeffcol" }, { note: "col" }]), { watermark: null });
    const [delta] = await kernel.take();
    await kernel.close();
    expect(rowsOf(delta)).toEqual(["00:00 | col | 1", "00:00 | \ufeffcol | 1"]);
  });
});
