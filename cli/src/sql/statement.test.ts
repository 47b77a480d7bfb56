import { describe, expect, test } from "vitest";
import { readQualifiers, readRelations, rewriteRelations } from "./relations.ts";
import { parseStatement, type Statement, withoutLimit } from "./statement.ts";

describe("what a statement asks for", () => {
  const query = (sql: string, emit = false, limit?: number): Statement => ({ kind: "query", sql, emit, limit });

  test.each<[source: string, statement: Statement]>([
    ["SHOW TOPICS", { kind: "show", what: "TOPICS" }],
    ["list all streams", { kind: "show", what: "STREAMS" }],
    ["show connectors", { kind: "show", what: "CONNECTORS" }],
    ["show sources", { kind: "show", what: "CONNECTORS" }],
    ["show pipelines", { kind: "show", what: "PIPELINES" }],
    ["show timezone", { kind: "setting", name: "timezone", at: 5 }],
    ["show all", { kind: "setting", name: "ALL", at: 5 }],
    ["show transaction isolation level", { kind: "setting", name: "transaction isolation level", at: 5 }],
    ["show queries", { kind: "setting", name: "queries", at: 5 }],
    ["describe psg-customers", { kind: "describe", name: "psg-customers", at: 9 }],
    ["DESC EXTENDED `a.b`", { kind: "describe", name: "a.b", at: 14 }],
    ['describe "Sales-2026"."Order Details"', { kind: "describe", name: '"Sales-2026"."Order Details"', at: 9 }],
    ["print 'psg-customers'", { kind: "print", topic: "psg-customers", beginning: false, limit: undefined, at: 6 }],
    [
      "PRINT psg-customers FROM BEGINNING LIMIT 3",
      { kind: "print", topic: "psg-customers", beginning: true, limit: 3, at: 6 },
    ],
    ["select * from t emit changes", query("select * from t", true)],
    ["select * from t emit changes limit 5", query("select * from t", true, 5)],
    ["select * from t limit 5 emit changes", query("select * from t", true, 5)],
    ["select emit, changes from t limit 5", query("select emit, changes from t limit 5")],
    ["update t set a = 1", query("update t set a = 1")],
    ["SET 'auto.offset.reset' = 'earliest'", { kind: "set", setting: "auto.offset.reset", value: "earliest" }],
    ["set timezone = 'UTC'", query("set timezone = 'UTC'")],
    [
      "create or replace stream lean-x as select a from t emit changes",
      { kind: "create stream", name: "lean-x", select: "select a from t", at: 35 },
    ],
    ["drop stream if exists lean", { kind: "drop stream", name: "lean" }],
    ["drop table t", query("drop table t")],
  ])("%s", (source, statement) => {
    expect(parseStatement(source)).toEqual(statement);
  });
});

describe("what is none is answered with what to write, and where", () => {
  test.each<[source: string, words: string, at: number]>([
    ["show", "SHOW what? write SHOW TOPICS, SHOW TABLES", 4],
    ["show topics please", '"please" has no meaning behind SHOW TOPICS', 12],
    ["list topic", "there is no topic to show; did you mean SHOW TOPICS?", 5],
    ["list nonsense", "there is no nonsense to show: write SHOW TOPICS, SHOW TABLES, SHOW STREAMS", 5],
    ["print", "write PRINT topic [FROM BEGINNING] [LIMIT n]", 5],
    ["print a b", '"b" has no meaning here', 8],
    ["print a limit many", "LIMIT takes a whole number", 14],
    ["print a limit", "LIMIT takes a whole number", 8],
    ["describe", "DESCRIBE what? write DESCRIBE name", 8],
    ["describe select 1", '"select 1" is no name', 9],
    ["create stream", "a stream needs a name", 13],
    ["create stream x (a int)", "a stream is what a SELECT gives", 16],
    ["create stream x with (kafka_topic='y') as select 1", "a stream's topic has its name", 16],
    ["drop stream", "write DROP STREAM name", 11],
    ["drop stream a b", "write DROP STREAM name", 14],
    ["select * from t emit changes where a = 1", '"where" has no meaning after EMIT CHANGES', 29],
    ["select * from t emit changes limit x", "LIMIT takes a whole number", 35],
  ])("%s", (source, message, at) => {
    let failure: unknown;
    try {
      parseStatement(source);
    } catch (error) {
      failure = error;
    }
    expect(failure).toMatchObject({ message: expect.stringContaining(message) as string, at });
  });
});

describe("the topics of a query", () => {
  const known = (name: string) => ["psg-customers", "a.b", "events"].includes(name);

  test.each<[source: string, names: string[], sql: string]>([
    ["select * from psg-customers where a-b > 1", ["psg-customers"], 'select * from "psg-customers" where a-b > 1'],
    ["select * from a.b x, events y", ["a.b", "events"], 'select * from "a.b" x, "events" y'],
    [
      "select * from `psg-customers` join events on true",
      ["psg-customers", "events"],
      'select * from "psg-customers" join "events" on true',
    ],
    ["select * from public.counts c", ["public.counts"], "select * from public.counts c"],
    ["select extract(day from ts) from events", ["ts", "events"], 'select extract(day from ts) from "events"'],
    ["select * from (select 1), events", ["events"], 'select * from (select 1), "events"'],
    ["select * from range(3), events", ["events"], 'select * from range(3), "events"'],
    ["select 'from psg-customers'", [], "select 'from psg-customers'"],
    [
      'select * from "S-1"."Order Details" o, events',
      ['"S-1"."Order Details"', "events"],
      'select * from "S-1"."Order Details" o, "events"',
    ],
    [
      'select * from public."Order Details", a.b--c',
      ['public."Order Details"', "a.b"],
      'select * from public."Order Details", "a.b"--c',
    ],
  ])("%s", (source, names, sql) => {
    const { relations } = readRelations(source);
    expect(relations.map(({ name }) => name)).toEqual(names);
    const rewritten = rewriteRelations(source, relations, ({ name }) => (known(name) ? `"${name}"` : undefined));
    expect(rewritten.sql).toBe(sql);
    // A place in the new text is where the same words stood in the old one.
    for (const word of ["where", "on true", "y", "c"])
      if (source.endsWith(word)) expect(rewritten.placeBefore(sql.lastIndexOf(word))).toBe(source.lastIndexOf(word));
  });
});

test("a topic's name before a column is told from a difference", () => {
  const source =
    "select psg-customers.id, a.b.c, x.a.b.c, psg-id from psg-customers, a.b where 'a.b.c' <> psg-customers.n";
  const found = readQualifiers(source, ["psg-customers", "a.b"]);
  expect(found.map(({ from, to }) => source.slice(from - 1, to + 3))).toEqual([
    " psg-customers.id",
    " a.b.c,",
    " psg-customers.n",
  ]);
});

test("a LIMIT at the end is told apart from the query", () => {
  expect(withoutLimit("select * from t limit 5")).toEqual({ sql: "select * from t", limit: 5 });
  expect(withoutLimit("select * from (select 1 limit 5)")).toEqual({
    sql: "select * from (select 1 limit 5)",
    limit: undefined,
  });
});
