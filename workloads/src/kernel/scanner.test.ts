import fc from "fast-check";
import { expect, test } from "vitest";
import { duckdbTypeOf } from "@caudal/pipeline/sql";
import { type Column, makeColumn, numberAt } from "./columns.ts";
import { type Placed, ScanMemory } from "./scan-memory.ts";
import { Scanner } from "./scanner.ts";
import { StrictReader } from "./strict-reader.ts";
import { topicOf } from "@caudal/pipeline/testing";
import { blockOf } from "./testing/block.ts";

const ROWS = 256;
const topic = topicOf(
  {
    s: "string?",
    u: "uuid?",
    b: "boolean?",
    i: "integer?",
    n: "bigint?",
    d: "double?",
    p: "decimal(12,3)?",
    t: "timestamp",
    day: "date?",
    j: "json?",
  },
  "t",
);

class Read {
  readonly memory = new ScanMemory();
  readonly columns: ReadonlyMap<string, Placed<Column>>;
  readonly timeMs = this.memory.numberColumn(ROWS);

  constructor() {
    this.columns = new Map(
      topic.fields.map(({ name, type }) => [name, makeColumn(this.memory, duckdbTypeOf(type), ROWS)]),
    );
  }

  row(at: number): readonly unknown[] {
    return [...this.columns.values()].map((column) => {
      if (column.kind === "number") return Number.isNaN(column.values[at]) ? null : numberAt(column, at);
      const code = column.values[at] ?? -1;
      return code < 0 ? null : column.dictionary.text(code);
    });
  }
}

/** What the scanner takes, and what the strict reader makes of the same rows. */
function compare(values: readonly string[]): number {
  const block = blockOf(values);
  const [fast, strict] = [new Read(), new Read()];
  const undecided = new Set(
    new Scanner(fast.memory, topic, { ...fast, whole: true }, ROWS).scan(block, 0, block.count),
  );
  const reader = new StrictReader(topic, strict.columns, strict.timeMs);
  const findings = reader.read(block, 0, [...values.keys()]);
  const taken = [...values.keys()].filter((row) => !undecided.has(row));
  for (const row of taken) {
    expect(findings.get(row), values[row]).toBeUndefined();
    expect(fast.row(row), values[row]).toEqual(strict.row(row));
    expect(fast.timeMs.values[row], values[row]).toBe(strict.timeMs.values[row]);
  }
  return taken.length;
}

const good = {
  s: '"a text"',
  u: '"123e4567-e89b-12d3-a456-426614174000"',
  b: "true",
  i: "-2147483647",
  n: "123456789012345",
  d: "1234.5678",
  p: '"123456789.123"',
  t: "1767225600123",
  day: '"2024-02-29"',
  j: '{"a":[1.50,-0,1e5,"x"],"b":{"a":null}}',
};
const render = (fields: object) =>
  `{${Object.entries(fields)
    .map(([name, json]) => `"${name}":${String(json)}`)
    .join(",")}}`;

test("plain events are taken, and read as the strict reader reads them", () => {
  const variants: readonly object[] = [
    good,
    { ...good, t: '"2026-01-31T23:59:59Z"' },
    { ...good, t: '"2026-01-31T23:59:59.123456Z"' },
    { ...good, t: '"1969-12-31T23:59:59.999Z"' },
    { ...good, t: '"2026-01-31T23:59:59.5+01:30"' },
    { ...good, t: '"2026-01-31T00:00:00-11:00"' },
    { ...good, t: -1 },
    { ...good, p: "0.5", d: "-0.5", n: "0", i: "0" },
    { ...good, d: "0.1234567890123456789" },
    { ...good, d: "12345678901234567890" },
    { ...good, s: '"é😀"', b: "false" },
    { ...good, s: '""', day: '"0001-01-01"' },
    { ...good, s: "null", u: "null", b: "null", i: "null", n: "null", d: "null", p: "null", day: "null" },
    { t: 5 },
    { ...good, other: '{"a":[1,{"b":"x"}],"c":null,"d":[]}' },
    { ...good, other: '[{"a":1},{"a":{"a":2}}]', T: "1", é: '{"t":1}' },
  ];
  const values = variants.map(render);
  const spaced = render({ ...good, j: "-1.50E+3" })
    .replaceAll(":", " : ")
    .replaceAll(",", " ,\n ");
  expect(compare([...values, spaced])).toBe(values.length + 1);
});

test("what is not plainly good is never taken for it", () => {
  const doubtful = [
    "00",
    "01",
    "-",
    "1.",
    ".5",
    "1e400",
    "NaN",
    "tru",
    '"\\u0041"',
    '"\\ud800"',
    '"a',
    "[]",
    "{}",
    "+1",
    "1 2",
    "-0",
  ];
  const rows = Object.keys(good).flatMap((name) => doubtful.map((json) => render({ ...good, [name]: json })));
  const broken = [
    "",
    "{",
    "{}",
    "{} {}",
    '{"t":1,}',
    '{"x":1,}',
    '{,"t":1}',
    '{"t":1}x',
    '{"t":1]',
    '{"t" 1}',
    '{"t":1,"t":2}',
    '{"x":1,"t":1,"x":2}',
    '{"x":1,"t":1,"\\u0078":2}',
    '{"t":1,"x":{"y":[{"z":1,"z":2}]}}',
    '{"t":1,"j":[{"z":1,"a":{"z":1},"z":2}]}',
    `\ufeff{"t":1}`,
  ];
  for (let at = 0; at < rows.length; at += ROWS) compare(rows.slice(at, at + ROWS));
  expect(compare(broken)).toBe(0);
});

test("whatever the bytes are, the scanner says nothing that the strict reader does not", () => {
  const json = fc.oneof(
    fc.constantFrom(...Object.values(good)),
    fc.integer().map(String),
    fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
    fc.double().map((value) => JSON.stringify(value)),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }).map(String),
    fc.date({ noInvalidDate: true }).map((value) => JSON.stringify(value)),
    fc.date({ noInvalidDate: true }).map((value) => JSON.stringify(value.toJSON().slice(0, 10))),
    fc.string({ unit: "grapheme" }).map((value) => JSON.stringify(value)),
    fc.json({ maxDepth: 3 }),
    fc
      .tuple(fc.integer({ min: -999_999, max: 999_999 }), fc.integer({ min: 0, max: 5 }))
      .map(([value, scale]) => (value / 10 ** scale).toFixed(scale)),
  );
  const name = fc.constantFrom(...Object.keys(good), "other", "S", "\\u0073");
  const event = fc
    .array(fc.tuple(name, json), { maxLength: 10 })
    .map((fields) => `{${fields.map(([key, value]) => `"${key}":${value}`).join(",")}}`);
  const mutated = fc
    .tuple(event, fc.nat(), fc.constantFrom("", ",", '"', "{", "}", " ", "\n", "0", "-", ".", "\\"))
    .map(([text, at, put]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + put + text.slice(place + 1);
    });
  const value = fc.oneof(
    { weight: 3, arbitrary: event.map((text) => text.replace("{", '{"t":1767225600000,').replace(",}", "}")) },
    event,
    mutated,
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 20, maxLength: ROWS }), (values) => {
      compare(values);
    }),
    { numRuns: 60, seed: 11 },
  );
}, 120_000);
