import type { JsonPath } from "@caudal/crds";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JsonReader, MAX_DEPTH } from "./json-reader.ts";
import { normalForm } from "./normal-form.ts";

function read(value: string | Buffer, ...paths: readonly JsonPath[]) {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
  const reader = new JsonReader(paths);
  // What lies beside a record is of others.
  const all = Buffer.concat([Buffer.from('{"a":1,'), bytes, Buffer.from(',0]}"')]);
  const found = reader.read(all, 7, 7 + bytes.length);
  const texts = paths.map((_, place) => {
    const start = reader.starts[place] ?? -1;
    return start < 0 ? undefined : all.toString("utf8", start, reader.ends[place]);
  });
  return { reason: found?.reason, detail: found?.detail, texts, repeats: reader.repeats };
}
const bytes = (...parts: readonly (string | number[])[]) =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

const numbers = ["0", "-0", "1", "-1", "0.0", "-0.10", "1e5", "1E+5", "1.5e-300", "1e400", "1".repeat(400), "10"];
const noNumbers = ["01", "-01", "00", "+1", ".5", "1.", "-", "-.5", "1e", "1e+", "1.e5", "0x10", "1_000", "1,5", "١"];
const noValues = ["", "NaN", "-NaN", "Infinity", "-Infinity", "nul", "nulll", "True", "None", "undefined", "'a'", "a"];
const texts = [
  '""',
  '"a"',
  '"\\""',
  '"\\\\"',
  '"\\/\\b\\f\\n\\r\\t"',
  '"\\u00e9\\uD83D\\uDE00"',
  '"\ufeff"',
  '"\u2028"',
];
const noTexts = [
  '"',
  '"a',
  '"\\',
  '"\\x41"',
  '"\\u00g0"',
  '"\\u12"',
  '"\\u"',
  '"\t"',
  '"\n"',
  '"\u0000"',
  '"\\v"',
  '"\\\'"',
];
const containers = ["[]", "[ ]", "{}", "[[]]", "[1]", "[1 ,2]", '{"a":1}', '{ "a" : 1 , "b" : [ ] }', '{"":0}'];
const noContainers = [
  ...["[", "]", "[1,]", "[,1]", "[,]", "[1 2]", "[1:2]", "[1", "[1,", "{", "}", '{"a"}', '{"a":}', '{"a":1,}', "{,}"],
  ...['{"a" 1}', "{a:1}", "{'a':1}", "{1:1}", '{"a":1 "b":2}', '{"a":1;"b":2}', "[1}", '{"a":1]', "[1]]", "{}}"],
];
const around = [" V", "V ", "\tV\n", "\r\nV\r\n"];
const noAround = [
  ...[
    "V,",
    "V V",
    "V;",
    "// c\nV",
    "/* c */V",
    "V#",
    "\u00a0V",
    "V\u0000",
    "\u2028V",
    "\ufeffV",
    "V\ufeff",
    "\fV",
    "\vV",
  ],
];

describe("what is JSON is taken, and nothing else", () => {
  const valid = [...numbers, "true", "false", "null", ...texts, ...containers];
  const invalid = [...noNumbers, ...noValues, ...noTexts, ...noContainers];
  test.for(valid)("%s is a value", (json) => {
    expect(read(`{"v":${json}}`, ["v"])).toMatchObject({ reason: undefined, texts: [json] });
    expect(read(`[${json}]`).reason).toBe("NotAnObject");
    expect(read(json).reason).toBe(json.startsWith("{") ? undefined : "NotAnObject");
  });
  test.for(invalid)("%s is none", (json) => {
    expect(read(`{"v":${json}}`).reason, "in an object").toBe("MalformedJson");
    expect(read(`[{"v":${json}}]`).reason, "in a list").toBe("MalformedJson");
    expect(read(json).reason, "alone").toBe(json === "" ? "EmptyValue" : "MalformedJson");
  });
  test.for(around)("%j may stand around a value", (form) => {
    expect(read(form.replace("V", '{"v":1}')).reason).toBeUndefined();
  });
  test.for(noAround)("%j may not", (form) => {
    expect(read(form.replaceAll("V", '{"v":1}')).reason).toBe("MalformedJson");
  });
  test.for<readonly [string, Buffer]>([
    ["a lone byte", bytes('{"v":"', [0xff], '"}')],
    ["an overlong slash", bytes('{"v":"', [0xc0, 0xaf], '"}')],
    ["half of a pair as UTF-8", bytes('{"v":"', [0xed, 0xa0, 0x80], '"}')],
    ["more than U+10FFFF", bytes('{"v":"', [0xf4, 0x90, 0x80, 0x80], '"}')],
    ["a character that is cut", bytes('{"v":"', [0xe2, 0x82], '"}')],
    ["a high half as an escape", bytes('{"v":"\\ud83d"}')],
    ["a low half as an escape", bytes('{"v":["\\ude00"]}')],
    ["two halves in the wrong order", bytes('{"v":"\\ude00\\ud83d"}')],
    ["two high halves", bytes('{"v":"\\ud83d\\ud83d\\ude00"}')],
    ["half of a pair in a key", bytes('{"\\ud83d":1}')],
  ])("%s is no text", ([, value]) => {
    expect(read(value).reason).toBe("InvalidText");
  });
  test("as many objects and lists inside one another as may be, and one more", () => {
    const nested = (depth: number) => `{"v":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
    expect(read(nested(MAX_DEPTH)).reason).toBeUndefined();
    expect(read(nested(MAX_DEPTH + 1))).toMatchObject({
      reason: "MalformedJson",
      detail: expect.stringMatching(/1000/) as string,
    });
  });
});

describe("the last of a key's values counts", () => {
  test.for<readonly [json: string, path: string, value: string | undefined, normal: string]>([
    ['{"a":1,"a":2}', "a", "2", '{"a":2}'],
    ['{"a":1,"b":0,"\\u0061":2}', "a", "2", '{"a":2,"b":0}'],
    ['{"\\u0061":1,"a":{"x":1.50,"x":"\\u0041"}}', "a", '{"x":1.50,"x":"\\u0041"}', '{"a":{"x":"A"}}'],
    ['{"a":{"b":1},"a":{"c":2}}', "a.b", undefined, '{"a":{"c":2}}'],
    ['{"a":{"b":1},"a":5}', "a.b", undefined, '{"a":5}'],
    ['{"a":{"b":1,"b":2},"a":{"b":3,"b":4}}', "a.b", "4", '{"a":{"b":4}}'],
    ['{"a":null,"a":1}', "a", "1", '{"a":1}'],
    ['{"a":1,"a":null}', "a", "null", '{"a":null}'],
    ['{"A":1,"a":2}', "A", "1", ""],
    ['{"é":1,"\\u00e9":2}', "é", "2", '{"é":2}'],
    ['{"__proto__":1,"__proto__":2}', "__proto__", "2", '{"__proto__":2}'],
    ['{"x":[{"y":1},{"y":2}]}', "x", '[{"y":1},{"y":2}]', ""],
    ['{"x":[{"y":1 , "y" : [2, "a b"]}]}', "x.y", undefined, '{"x":[{"y":[2,"a b"]}]}'],
  ])("%s", ([json, path, value, normal]) => {
    const found = read(json, path.split("."));
    expect(found.texts).toEqual([value]);
    expect(found.repeats).toBe(normal !== "");
    if (normal !== "") expect(normalForm(json)).toBe(normal);
  });
  test("in an object of many keys", () => {
    const keys = Array.from({ length: 1000 }, (_, i) => `"k${i}":${i}`);
    expect(read(`{${keys.join(",")}}`, ["k999"])).toMatchObject({ texts: ["999"], repeats: false });
    expect(read(`{${[...keys, '"k500":-1'].join(",")}}`, ["k500"])).toMatchObject({ texts: ["-1"], repeats: true });
  });
});

test.for<readonly [json: string, found: string | undefined, ...path: (string | number)[]]>([
  ['{"l":[1,2,3]}', "2", "l", 1],
  ['{"l":[{"a":1},{"a":[true,"x"]}]}', '"x"', "l", 1, "a", 1],
  ['{"l":[[1],[2,3]]}', "3", "l", 1, 1],
  ['{"l":[1]}', undefined, "l", 1],
  ['{"l":{"0":1}}', undefined, "l", 0],
  ['{"l":[{"a":1},5],"l":[{"b":1}]}', undefined, "l", 0, "a"],
  ['{"a.b":1,"a":{"b":2}}', "2", "a", "b"],
  ['{"a.b":1,"a":{"b":2}}', "1", "a.b"],
  ['{"a":5}', undefined, "a", "b"],
  ['{"a":null}', undefined, "a", "b"],
  ['{"a":"b"}', undefined, "a", "b"],
])("%s", ([json, found, ...path]) => {
  expect(read(json, path).texts).toEqual([found]);
});

test("one value may be looked for twice, and beside what is in it", () => {
  expect(read('{"a":{"b":1}}', ["a"], ["a", "b"], ["a"]).texts).toEqual(['{"b":1}', "1", '{"b":1}']);
});

describe("beside JSON.parse", () => {
  const text = fc.oneof(
    fc.json({ maxDepth: 4 }),
    fc.json({ stringUnit: "binary", maxDepth: 3 }),
    fc
      .constantFrom(...numbers, ...noNumbers, ...noValues, ...containers, ...noContainers)
      .map((json) => `{"v":${json}}`),
  );
  const mutated = fc
    .tuple(
      text,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 1 }), fc.constantFrom(...'{}[]",:\\0123eE+-. \n\tu"a', "")), {
        maxLength: 3,
      }),
    )
    .map(([json, changes]) =>
      changes.reduce((all, [at, cut, put]) => {
        const place = at % (all.length + 1);
        return all.slice(0, place) + put + all.slice(place + cut);
      }, json),
    );
  const isHalf = (value: unknown) => /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/.test(JSON.stringify(value));

  test("the reader takes what it takes, and the normal form means what it means", () => {
    fc.assert(
      fc.property(fc.oneof(text, mutated), (json) => {
        let parsed: unknown;
        try {
          parsed = JSON.parse(json);
        } catch {
          expect(["MalformedJson", "EmptyValue"]).toContain(read(json).reason);
          return;
        }
        const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
        // V8 escapes what is half of a pair; in UTF-8 it is another character.
        const expected = !isObject ? "NotAnObject" : isHalf(parsed) ? "InvalidText" : undefined;
        expect([expected, isHalf(parsed) ? "MalformedJson" : expected, undefined]).toContain(read(json).reason);
        if (isHalf(parsed)) return;
        expect(read(json).reason).toBe(expected);
        expect(JSON.parse(normalForm(json))).toEqual(parsed);
      }),
      { numRuns: 20_000, seed: 5 },
    );
  });
});
