/** Data of a tenant who means harm: keys that are names of JavaScript's, JSON without an end, values without a measure. */
import { afterEach, expect, test } from "vitest";
import type { TransformConfig } from "@caudal/crds";
import { columnText } from "../../workloads/src/kernel/delta-text.ts";
import { Projection } from "../../workloads/src/kernel/projection.ts";
import type { Values } from "../../workloads/src/kernel/rows.ts";
import { topicOf } from "@caudal/pipeline/testing";
import { blockOf, type Value } from "../../workloads/src/kernel/testing/block.ts";
import { compileTransformPlan } from "../../pipeline/src/sql/compile-transform.ts";

const NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty", "prototype", "valueOf", "__defineGetter__"];
const topic = topicOf({ id: "string", ...Object.fromEntries(NAMES.map((name) => [name, "string?"])), doc: "json?" });

async function outputsOf(values: readonly Value[], change: Partial<TransformConfig> = {}) {
  const config = { ...{ topic, lookups: [], deadLetterTopic: "d", to: [], replicas: 1 }, ...change };
  const plan = await compileTransformPlan(config);
  const projection = await Projection.open(plan, topic, { wants: new Set(["columns", "json", "records"] as const) });
  try {
    const { bad } = await projection.add(blockOf(values), { from: 0, to: values.length });
    const { columns, json } = projection.take();
    const texts = new Map(
      plan.columns.map(({ name, duckdbType }, index) => {
        const column = columns[index];
        return [name, column === undefined ? [] : columnText(column, duckdbType)];
      }),
    );
    return { bad: bad.map(({ reason }) => reason), texts, json: json === undefined ? "" : all(json) };
  } finally {
    await projection.close();
  }
}
const all = (values: Values): string =>
  [...values.starts].map((start, index) => values.bytes.toString("utf8", start, values.ends[index])).join("\n");

afterEach(() => {
  // Nothing that came in as data is in any object that is not its own.
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test.each([
  ["as they are", {}],
  ["through SQL", { select: ["id", ...NAMES.map((name) => `"${name}"`), "doc"] }],
])("fields named like members of every object have the event's value, or none: %s", async (_how, change) => {
  const given = Object.fromEntries(NAMES.map((name, index) => [name, `v${index}`]));
  const own = JSON.stringify({ id: "a", ...given }).replace("{", '{"__proto__":"v0",');
  const { bad, texts } = await outputsOf([own, '{"id":"b"}'], change);
  expect(bad).toEqual([]);
  for (const [index, name] of NAMES.entries()) expect([name, texts.get(name)]).toEqual([name, [`v${index}`, null]]);
});

test("keys of JSON that are such names stay what they are, at any depth", async () => {
  const doc = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"a":[{"__proto__":null}]}';
  const { bad, texts } = await outputsOf([`{"id":"a","doc":${doc}}`]);
  expect(bad).toEqual([]);
  expect(texts.get("doc")).toEqual([doc]);
});

test.each([
  ["arrays without an end", "[".repeat(100_000)],
  ["objects without an end", '{"a":'.repeat(100_000)],
  ["arrays that do end", "[".repeat(100_000) + "]".repeat(100_000)],
  ["a text without an end", `"${"x".repeat(1_000_000)}`],
  ["an exponent", "1e999999999"],
  ["a million digits", "9".repeat(1_000_000)],
  ["a million escapes", `"${"\\u0000".repeat(100_000)}"`],
  ["halves of pairs", '"\\ud800\\udc00\\ud800"'],
  ["bytes that are no UTF-8", Buffer.from([0x22, 0xff, 0xfe, 0x22])],
])("%s in one event cost that event at most: the ones beside it are as they were", async (_what, value) => {
  const before = '{"id":"before","doc":{"v":1}}';
  const event = Buffer.concat([Buffer.from('{"id":"evil","doc":'), Buffer.from(value as string), Buffer.from("}")]);
  for (const change of [{}, { select: ["id", "doc", "doc->>'v' as v"] }]) {
    const { bad, texts } = await outputsOf([before, event, before.replace("before", "after")], change);
    expect(texts.get("id")?.filter((id) => id !== "evil")).toEqual(["before", "after"]);
    expect(bad.length + (texts.get("id")?.length ?? 0)).toBe(3);
  }
});

test("a key that comes a hundred thousand times has one value, and costs no more than its length", async () => {
  const many = Array.from({ length: 100_000 }, (_, index) => `"k":${index}`).join(",");
  const { bad, texts } = await outputsOf([`{"id":"a","doc":{${many}}}`]);
  expect(bad).toEqual([]);
  expect(texts.get("doc")).toEqual(['{"k":99999}']);
});
