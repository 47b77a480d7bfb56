import { expect, test } from "vitest";
import { isFieldType } from "@caudal/pipeline/sql";
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, NOW, textOf } from "./testing/block.ts";

/** JSON text of the field, and what PostgreSQL gets; a reason in capitals' case where it is refused. */
type Case = readonly [json: string, result: string];

const types: Readonly<Record<string, readonly Case[]>> = {
  string: [
    ['"a"', "a"],
    ['""', ""],
    ['"é😀"', "é😀"],
    ['"\\u0301combining"', "\u0301combining"],
    ['"\\"\\\\\\/\\b\\t"', '"\\/\b\t'],
    ['"5"', "5"],
    ['"null"', "null"],
    ['"{}"', "{}"],
    ["5", "WrongType"],
    ["[]", "WrongType"],
    ['{"a":"\\\\"}', "WrongType"],
  ],
  uuid: [
    ['"123e4567-e89b-12d3-a456-426614174000"', "123e4567-e89b-12d3-a456-426614174000"],
    ['"FFFFFFFF-E89B-12D3-A456-426614174000"', "ffffffff-e89b-12d3-a456-426614174000"],
    ['"{123e4567-e89b-12d3-a456-426614174000}"', "WrongType"],
    ['"123e4567-e89b-12d3-a456-42661417400g"', "WrongType"],
    ["5", "WrongType"],
  ],
  boolean: [
    ["true", "true"],
    ["false", "false"],
    ['"false"', "WrongType"],
    ["0", "WrongType"],
  ],
  integer: [
    ["0", "0"],
    ["-2147483648", "-2147483648"],
    ["2147483647", "2147483647"],
    ["2147483648", "OutOfRange"],
    ["1e3", "WrongType"],
    ["12345678901234567890123", "OutOfRange"],
    ['"7"', "WrongType"],
  ],
  bigint: [
    ["9007199254740993", "9007199254740993"],
    ["-9223372036854775808", "-9223372036854775808"],
    ['"9223372036854775807"', "9223372036854775807"],
    ['"9223372036854775808"', "OutOfRange"],
    ["9223372036854775808", "OutOfRange"],
    ['"1_000"', "WrongType"],
    ['"0x10"', "WrongType"],
    ['" 1"', "WrongType"],
    ["1.0", "WrongType"],
  ],
  double: [
    ["1", "1"],
    ["-1.7e-300", "-1.7e-300"],
    ["0.1", "0.1"],
    ["123456789012345678", "123456789012345680"],
    ["1e400", "OutOfRange"],
    ['"1"', "WrongType"],
    ["true", "WrongType"],
  ],
  "decimal(10,2)": [
    ["1", "1.00"],
    ["1.5", "1.50"],
    ["1.50", "1.50"],
    ["-0.01", "-0.01"],
    ['"12345678.90"', "12345678.90"],
    ['"1.500"', "1.50"],
    ["12345678.91", "12345678.91"],
    ["123456789", "OutOfRange"],
    ["0.001", "OutOfRange"],
    ['"0.001"', "OutOfRange"],
    ['"1e2"', "WrongType"],
    ['"1."', "WrongType"],
    ['""', "WrongType"],
  ],
  "decimal(38,10)": [
    ['"1234567890123456789012345678.0123456789"', "1234567890123456789012345678.0123456789"],
    ["123456789012345678", "123456789012345678.0000000000"],
    ["1e-7", "0.0000001000"],
    ["0.12345", "0.1234500000"],
    ["12345678901.123456", "12345678901.1234560000"],
    ["1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"],
    ["1.5E+3", "1500.0000000000"],
    ["1e-11", "OutOfRange"],
    ["1e28", "OutOfRange"],
    ["1e400", "OutOfRange"],
    ["0e400", "0.0000000000"],
  ],
  "decimal(5,0)": [
    ["12345", "12345"],
    ["12.0", "12"],
    ["12.5", "OutOfRange"],
    ['"12.00"', "12"],
  ],
  timestamp: [
    ['"2026-01-01T10:00:00Z"', "2026-01-01 10:00:00+00"],
    ['"2026-01-01T10:00:00.123456789Z"', "OutOfRange"],
    ['"2026-01-01T10:00:00.123456000Z"', "2026-01-01 10:00:00.123456+00"],
    ['"2026-01-01T10:00Z"', "2026-01-01 10:00:00+00"],
    ['"2026-01-01t10:00:00,5z"', "2026-01-01 10:00:00.5+00"],
    ['"2026-01-01T10+02"', "2026-01-01 08:00:00+00"],
    ['"2026-01-01T10:00:00+18:00"', "2025-12-31 16:00:00+00"],
    ['"2026-01-01T10:00:00+18:01"', "OutOfRange"],
    ['"2026-01-01T10:00:00+25:00"', "OutOfRange"],
    ['"2026-01-01T10:00:00+01:60"', "OutOfRange"],
    ['"2026-01-01T24:00:00Z"', "OutOfRange"],
    ['"2026-06-30T23:59:60Z"', "OutOfRange"],
    ['"2026-02-30T00:00:00Z"', "OutOfRange"],
    ['"9999-12-31T23:59:59.999999Z"', "9999-12-31 23:59:59.999999+00"],
    ['"9999-12-31T23:59:59-00:01"', "OutOfRange"],
    ['"+010000-01-01T00:00:00Z"', "OutOfRange"],
    ['"2026-01-01 10:00:00"', "2026-01-01 10:00:00+00"],
    ['"2026-01-01T10:00"', "2026-01-01 10:00:00+00"],
    ['"2026-01-01"', "2026-01-01 00:00:00+00"],
    ['"2026-01-01T10:00:00+02:00"', "2026-01-01 08:00:00+00"],
    ['"2026-01-01T10:00:00-0330"', "2026-01-01 13:30:00+00"],
    ["1767261600000", "2026-01-01 10:00:00+00"],
    ['"1767261600001"', "2026-01-01 10:00:00.001+00"],
    ["-1", "1969-12-31 23:59:59.999+00"],
    ["-62135596800000", "0001-01-01 00:00:00+00"],
    ["-62135596800001", "OutOfRange"],
    ['"0000-01-01T00:00:00Z"', "OutOfRange"],
    ["999999999999999999999", "OutOfRange"],
    ['"2026-1-1"', "WrongType"],
    ['"2026-01-01T25:00:00Z"', "OutOfRange"],
    ['"2026-01-01T10:00:00+01:00[Europe/Berlin]"', "WrongType"],
    ['"2026-01-01 (BC)"', "WrongType"],
    ['"now"', "WrongType"],
    ["1.5", "WrongType"],
  ],
  date: [
    ['"2026-01-31"', "2026-01-31"],
    ['"0001-01-01"', "0001-01-01"],
    ['"0000-01-01"', "OutOfRange"],
    ['"2026-01-31T00:00:00Z"', "WrongType"],
    ["20260131", "WrongType"],
  ],
  json: [
    ['{"a": [1, "x", null]}', '{"a":[1,"x",null]}'],
    [
      '{"v":1234567890123456.7891,"w":0.1000,"x":1E400,"y":-0,"z":1234567890123456789012345678901234567890}',
      '{"v":1234567890123456.7891,"w":0.1000,"x":1E400,"y":-0,"z":1234567890123456789012345678901234567890}',
    ],
    ['{"k":1,"k":2,"l":{"\\u006d":1,"m":[3]}}', '{"k":2,"l":{"m":[3]}}'],
    ['"text"', '"text"'],
    ["5", "5"],
    ["false", "false"],
  ],
};

test.for(Object.entries(types))("the type %s reads what is of it and nothing else", async ([type, cases]) => {
  const topic = topicOf({ v: `${type}?`, n: "integer" });
  const table = tableOf({ groupBy: ["v"], aggregates: ["min(n) as n"] });
  const kernel = await kernelOf(configOf(topic, [table]));
  const block = blockOf(cases.map(([json], n) => `{"n":${n},"v":${json}}`));
  const result = await kernel.add(block, { watermark: null });
  const [delta] = await kernel.take();
  await kernel.close();
  const found = cases.map((_, row) => result.bad.find((bad) => bad.row === row)?.reason);
  const { groups, parts } = textOf(delta);
  for (const [at, n] of (parts[0] ?? []).entries()) found[Number(n)] = groups[0]?.[at] ?? "NULL";
  const firstOf = (result: string) => cases.findIndex(([, other]) => other === result);
  // Two spellings of one value are one group, which shows at the first of them.
  expect(found).toEqual(
    cases.map(([, expected], row) => (/^[A-Z]/.test(expected) || firstOf(expected) === row ? expected : undefined)),
  );
});

test.for(Object.keys(types))("a field of type %s is checked also when no SQL reads it", async (type) => {
  const kernel = await kernelOf(configOf(topicOf({ v: type }), [tableOf()]));
  const cases = types[type] ?? [];
  const result = await kernel.add(blockOf(cases.map(([json]) => `{"v":${json}}`)), { watermark: null });
  await kernel.close();
  expect(result.bad.map(({ row, reason }) => [row, reason])).toEqual(
    cases.flatMap(([, expected], row) => (/^[A-Z]/.test(expected) ? [[row, expected]] : [])),
  );
  expect(result.maxEventTime).toBe(NOW);
});

test.for(["decimal(39,2)", "decimal(2,5)", "decimal(0,0)", "text", "constructor"])("there is no type %s", (type) => {
  expect(isFieldType(type)).toBe(false);
});
