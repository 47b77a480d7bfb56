import { afterAll, beforeAll, expect, test } from "vitest";
import { BAD_ROW_REASONS, type BadRowReason, type Finding } from "@caudal/pipeline/sql";
import { FieldReader } from "@caudal/pipeline/json";
import type { Kernel } from "./kernel.ts";
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, NOW, rowsOf, type Value } from "./testing/block.ts";

const good = { id: 1, name: "a", ts: NOW, amount: 1.5, price: "2.50", ok: true, key: "k" };
const topic = topicOf(
  {
    id: "integer",
    name: "string",
    ts: "timestamp",
    amount: "double",
    price: "decimal(10,2)",
    ok: "boolean",
    key: "string?",
    big: "bigint?",
    uid: "uuid?",
    day: "date?",
    doc: "json?",
  },
  "ts",
);
const config = configOf(topic, [
  tableOf({ groupBy: ["key"], aggregates: ["count(*) as n", "sum(amount) as amount"] }),
  tableOf({
    name: "ratios",
    groupBy: [],
    aggregates: ["sum(10 // nullif(id, 9)) as ratio", "min(name::integer) filter (where key = 'number') as least"],
  }),
]);
const text = (change: object) => JSON.stringify({ ...good, ...change });
const raw = (field: string, literal: string) => text({ [field]: "@@" }).replace('"@@"', literal);
const without = (field: string) =>
  JSON.stringify(Object.fromEntries(Object.entries(good).filter(([name]) => name !== field)));

let kernel: Kernel;
beforeAll(async () => {
  kernel = await kernelOf(config);
});
afterAll(async () => {
  await kernel.close();
});

const cases: readonly (readonly [name: string, value: Value, reason: BadRowReason, detail: RegExp])[] = [
  ["an empty value", "", "EmptyValue", /empty/],
  ["a tombstone", null, "Tombstone", /null/],
  ["malformed JSON", '{"id": 1', "MalformedJson", /JSON/],
  ["text that is no JSON", "hello", "MalformedJson", /JSON/],
  ["spaces alone", "   ", "MalformedJson", /JSON/],
  ["line breaks alone", "\r\n\n", "MalformedJson", /JSON/],
  ["two objects in one value", `${text({})}${text({})}`, "MalformedJson", /JSON/],
  ["two objects on two lines of one value", `${text({})}\n${text({})}`, "MalformedJson", /JSON/],
  ["a byte order mark", `\ufeff${text({})}`, "MalformedJson", /byte order mark/],
  ["a document nested deeper", raw("doc", "[".repeat(1000) + "]".repeat(1000)), "MalformedJson", /more than 1000/],
  ["a document nested a million deep", raw("doc", "[".repeat(1_000_000)), "MalformedJson", /more than 1000/],
  ["single quotes", "{'id': 1}", "MalformedJson", /JSON/],
  ["a NUL byte between tokens", Buffer.from(`{"id"\0:1}`), "MalformedJson", /JSON/],
  ["a JSON null", "null", "NotAnObject", /null/],
  ["an array", `[${text({})}]`, "NotAnObject", /an array/],
  ["a number", "5", "NotAnObject", /a number/],
  ["a string", '"x"', "NotAnObject", /a string/],
  ["an empty string, which is not an empty value", '""', "NotAnObject", /a string/],
  ["true", "true", "NotAnObject", /a boolean/],
  [
    "bytes that are not UTF-8",
    Buffer.concat([Buffer.from('{"id":1,"name":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
    "InvalidText",
    /UTF-8/,
  ],
  ["one byte that is not UTF-8", Buffer.from([0x80]), "InvalidText", /UTF-8/],
  ["half of a surrogate pair", raw("name", '"\\ud800"'), "InvalidText", /surrogate/],
  ["a field that is missing", without("name"), "MissingField", /name is missing/],
  ["a field that is null", text({ name: null }), "MissingField", /name is null/],
  ["an empty object", "{}", "MissingField", /id is missing/],
  ["1.7 for an integer", text({ id: 1.7 }), "WrongType", /id is 1.7, not a whole number/],
  ["1.0 for an integer", raw("id", "1.0"), "WrongType", /id is 1.0, not a whole number/],
  ["true for an integer", text({ id: true }), "WrongType", /id is true/],
  ["a string for an integer", text({ id: "5" }), "WrongType", /id is "5"/],
  ["2147483648 for an integer", text({ id: 2147483648 }), "OutOfRange", /out of the range of integer/],
  ["2^63 for a bigint", raw("big", "9223372036854775808"), "OutOfRange", /big/],
  ["a fraction as text for a bigint", text({ big: "1.5" }), "WrongType", /big/],
  ["true for a double", text({ amount: true }), "WrongType", /amount is true, not a number/],
  ["a string for a double", text({ amount: "1.5" }), "WrongType", /amount is "1.5"/],
  ["1e400 for a double", raw("amount", "1e400"), "OutOfRange", /out of the range of double/],
  ["-1e400 for a double", raw("amount", "-1e400"), "OutOfRange", /out of the range of double/],
  ["NaN for a double", raw("amount", "NaN"), "MalformedJson", /JSON/],
  ["Infinity for a double", raw("amount", "Infinity"), "MalformedJson", /JSON/],
  ["-Infinity for a double", raw("amount", "-Infinity"), "MalformedJson", /JSON/],
  ["NaN as text for a double", text({ amount: "NaN" }), "WrongType", /amount is "NaN"/],
  ["an object for a string", text({ name: { a: 1 } }), "WrongType", /name is {"a":1}, not a string/],
  ["an array for a string", text({ name: ["a"] }), "WrongType", /name is \["a"\]/],
  ["a number for a string", text({ name: 5 }), "WrongType", /name is 5/],
  ["true for a string", text({ name: true }), "WrongType", /name is true/],
  ["NUL in a text", text({ name: "a\0b" }), "NulInText", /name/],
  ["a number for a boolean", text({ ok: 1 }), "WrongType", /ok is 1, not true or false/],
  ["a string for a boolean", text({ ok: "true" }), "WrongType", /ok is "true"/],
  ["more digits than a decimal has", text({ price: 123456789.12 }), "OutOfRange", /price/],
  ["more digits after the point than a decimal has", text({ price: 1.239 }), "OutOfRange", /price/],
  ["the same as text", text({ price: "1.239" }), "OutOfRange", /price/],
  ["words for a decimal", text({ price: "much" }), "WrongType", /price/],
  ["true for a decimal", text({ price: true }), "WrongType", /price/],
  ["a time that does not exist", text({ ts: "2026-02-30T00:00:00Z" }), "OutOfRange", /ts/],
  ["words for a time", text({ ts: "yesterday" }), "WrongType", /ts is "yesterday", not a time: ISO 8601/],
  ["'infinity' for a time", text({ ts: "infinity" }), "WrongType", /ts/],
  ["'epoch' for a time", text({ ts: "epoch" }), "WrongType", /ts/],
  ["half a millisecond for a time", text({ ts: NOW + 0.5 }), "WrongType", /ts/],
  ["true for a time", text({ ts: true }), "WrongType", /ts/],
  ["a time after the year 9999", text({ ts: 253402300800000 }), "OutOfRange", /ts/],
  ["a time of 1e300 milliseconds", raw("ts", "1e300"), "OutOfRange", /ts/],
  ["an event of the year 3000", text({ ts: "3000-01-01T00:00:00Z" }), "TooFarAhead", /3000-01-01.*300000 ms/],
  ["an event a little too far ahead", text({ ts: NOW + 300_001 }), "TooFarAhead", /2026-01-01/],
  ["a UUID without dashes", text({ uid: "123e4567e89b12d3a456426614174000" }), "WrongType", /uid/],
  ["words for a date", text({ day: "today" }), "WrongType", /day/],
  ["a date that does not exist", text({ day: "2026-02-30" }), "OutOfRange", /day/],
  ["a group key of 5 KB", text({ key: "k".repeat(5_000) }), "GroupKeyTooLong", /counts has 5000 bytes/],
  ["a group key of 1 MB", text({ key: "k".repeat(1_000_000) }), "GroupKeyTooLong", /1000000/],
  ["a cast in the pipeline's SQL that fails", text({ key: "number", name: "many" }), "EvaluationFailed", /many/],
];

test.for(cases)("%s is a bad row with its reason, and its neighbours count", async ([, value, reason, detail]) => {
  const result = await kernel.add(blockOf([good, value, good]), { watermark: null });
  expect(result.bad).toEqual([{ row: 1, reason, detail: expect.stringMatching(detail) as string }]);
  expect(result.accepted).toBe(2);
  expect(result.maxEventTime).toBe(NOW);
  const [counts] = await kernel.take();
  expect(rowsOf(counts)).toEqual(["00:00 | k | 2 3 2"]);
});

test("all kinds of bad rows in one block keep their places", async () => {
  const values = cases.flatMap(([, value]) => [good, value]);
  const result = await kernel.add(blockOf(values), { watermark: null });
  expect(result.bad.map(({ row, reason }) => [row, reason])).toEqual(
    cases.map(([, , reason], at) => [2 * at + 1, reason]),
  );
  expect(result.accepted).toBe(cases.length);
  expect(rowsOf((await kernel.take())[0])).toEqual([
    `00:00 | k | ${cases.length} ${cases.length * 1.5} ${cases.length}`,
  ]);
});

test.for<readonly [string, Value]>([
  ["fields that are not declared", { ...good, more: { deep: [1, null] }, NaN: 1 }],
  ["a nullable field that is missing", good],
  ["a nullable field that is null", { ...good, big: null, doc: null }],
  ["line breaks inside the value", JSON.stringify(good, null, 2)],
  ["carriage returns inside the value", JSON.stringify(good, null, 2).replaceAll("\n", "\r\n")],
  ["spaces and tabs around the value", ` \t ${JSON.stringify(good)} \t`],
  ["escapes in a text", { ...good, name: 'quote " backslash \\ slash / tab \t bell \u0007 é 😀' }],
  ["a backslash before u0000 that is no NUL", { ...good, name: "\\u0000" }],
  ["a pair of surrogates as escapes", raw("name", '"\\ud83d\\ude00"')],
  ["a text of 1 MB", { ...good, name: "n".repeat(1_000_000) }],
  ["an undeclared text of 1 MB", { ...good, more: "n".repeat(1_000_000) }],
  ["a document nested as deep as may be", raw("doc", "[".repeat(999) + "]".repeat(999))],
  ["a group key of 1024 bytes but for one that is shorter", { ...good, key: "k" }],
])("%s is a good event", async ([, value]) => {
  const result = await kernel.add(blockOf([value]), { watermark: null });
  expect(result.bad).toEqual([]);
  expect(rowsOf((await kernel.take())[0])).toEqual(["00:00 | k | 1 1.5 1"]);
});

test("of a key that is there twice the last counts", async () => {
  await kernel.add(blockOf([JSON.stringify(good).replace(/}$/, ',"am\\u006funt":7}')]), { watermark: null });
  expect(rowsOf((await kernel.take())[0])).toEqual(["00:00 | k | 1 7 1"]);
});

test("a group key of exactly 1024 bytes is kept", async () => {
  const result = await kernel.add(blockOf([{ ...good, key: "é".repeat(512) }]), { watermark: null });
  expect(result.bad).toEqual([]);
  await kernel.discard();
});

test("a detail has at most 512 characters", () => {
  const reader = new FieldReader({ name: "x".repeat(600), type: "integer", nullable: false });
  const { detail } = reader.read(JSON.stringify("y".repeat(2_000))) as Finding;
  expect(detail.length).toBe(512);
});

test("every reason but those of outputs is met by a case above", () => {
  const met = new Set(cases.map(([, , reason]) => reason));
  expect(Object.keys(BAD_ROW_REASONS).filter((reason) => !met.has(reason as BadRowReason))).toEqual([
    "RefusedByDatabase",
    "RefusedByOutput",
    "RecordTooLarge",
  ]);
});
