import { expect, test } from "vitest";
import { topicOf } from "../testing/configs.ts";
import { compileTransform } from "./compile-transform.ts";
import { FOREIGN_FUNCTIONS, insteadOf } from "./dialects.ts";

const topic = topicOf(
  { x: "string", y: "string", n: "bigint", d: "double", ts: "timestamp", ts2: "timestamp", doc: "json" },
  "ts",
);
const compile = async (select: readonly string[]) =>
  await compileTransform({
    ...{ topic, lookups: [], deadLetterTopic: "dlq", replicas: 1, select: [...select] },
    to: [{ name: "out", topic: { name: "out", fields: [] } }],
  });

/** What is no prose: up to where a second way, or its use, begins. */
const expressionOf = (write: string) => write.split(/,? \(?or | for | between /)[0] ?? "";

test("what is told to write instead of another system's function can be written", async () => {
  const written = FOREIGN_FUNCTIONS.map((name) => [name, insteadOf(name) ?? ""] as const).filter(
    ([, write]) => !/^(a|nothing|the)\b[: ]/.test(write),
  );
  const { problems } = await compile(
    written.map(([name, write]) => `(${expressionOf(write)})::varchar as "x_${name}"`),
  );
  expect(
    problems.map(({ path, message }) => `${written[Number(/\d+/.exec(path)?.[0])]?.[0] ?? ""}: ${message}`),
  ).toEqual([]);
});

/** As those systems are called, which no function of DuckDB takes. */
test.each([
  ["mask(x)", "regexp_replace"],
  ["extractjsonfield(x, '$.a')", "->>"],
  ["timestamptostring(ts, 'yyyy-MM-dd')", "strftime"],
  ["date_format(ts, 'yyyy-MM-dd')", "strftime"],
  ["DATE_FORMAT(ts, 'yyyy-MM-dd')", "strftime"],
  ["to_timestamp(x, 'yyyy-MM-dd')", "strptime"],
  ["to_date(x)", "strptime"],
  ["from_unixtime(n)", "to_timestamp(n)"],
  ["unix_timestamp(ts)", "epoch(ts)"],
  ["get_json_object(x, '$.a')", "->>"],
  ["nvl(x, y)", "coalesce"],
  ["iff(n > 0, x, y)", "case when"],
  ["decode(x, 'a', 1, 'b', 2)", "case x when"],
  ["to_char(ts, 'YYYY')", "strftime"],
  ["dateadd(day, 1, ts)", "interval"],
  ["datediff(ts, ts2)", "date_diff"],
  ["date_sub(ts, 1)", "interval"],
  ["charindex('a', x)", "instr"],
  ["explode(doc)", "list_transform"],
  ["size(doc)", "len("],
  ["initcap(x)", "upper"],
  ["jsonb_array_elements(doc)", "list_transform"],
])("%s is told %s", async (sql, message) => {
  const { problems } = await compile([`${sql} as z`]);
  expect(problems.map((problem) => problem.message).join()).toContain(message);
});
