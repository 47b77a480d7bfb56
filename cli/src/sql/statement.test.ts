import { describe, expect, test } from "vitest";
import { splitStatements } from "./lexer.ts";
import { readRelations } from "./relations.ts";
import { parseStatement, type Statement, withoutLimit } from "./statement.ts";

describe("statements end with a semicolon that is in no quotes and no comment", () => {
  test.each<[source: string, statements: string[], rest: string]>([
    ["show topics; show tables", ["show topics"], "show tables"],
    ["select ';' as a, \"x;y\"; ", ["select ';' as a, \"x;y\""], ""],
    ["select 1 -- not; here\n;", ["select 1 -- not; here"], ""],
    ["select 1 /* nor; here */; b", ["select 1 /* nor; here */"], "b"],
    ["select $$ a; b $$; c", ["select $$ a; b $$"], "c"],
    ["select 'it''s; open", [], "select 'it''s; open"],
    [";;", [], ""],
  ])("%s", (source, statements, rest) => {
    expect(splitStatements(source)).toEqual({ statements, rest });
  });
});

describe("what a statement asks for", () => {
  const query = (sql: string, emit = false, limit?: number): Statement => ({ kind: "query", sql, emit, limit });

  test.each<[source: string, statement: Statement]>([
    ["SHOW TOPICS", { kind: "show", what: "TOPICS" }],
    ["list all streams", { kind: "show", what: "STREAMS" }],
    ["show connectors", { kind: "show", what: "CONNECTORS" }],
    ["show sources", { kind: "show", what: "CONNECTORS" }],
    ["show timezone", query("show timezone")],
    ["describe psg-customers", { kind: "describe", name: "psg-customers" }],
    ["DESC EXTENDED `a.b`", { kind: "describe", name: "a.b" }],
    ['describe "Sales-2026"."Order Details"', { kind: "describe", name: '"Sales-2026"."Order Details"' }],
    ["print 'psg-customers'", { kind: "print", topic: "psg-customers", beginning: false, limit: undefined }],
    [
      "PRINT psg-customers FROM BEGINNING LIMIT 3",
      { kind: "print", topic: "psg-customers", beginning: true, limit: 3 },
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
      { kind: "create stream", name: "lean-x", select: "select a from t" },
    ],
    ["drop stream if exists lean", { kind: "drop stream", name: "lean" }],
    ["drop table t", query("drop table t")],
  ])("%s", (source, statement) => {
    expect(parseStatement(source)).toEqual(statement);
  });
});

describe("what is none is answered with what to write", () => {
  test.each([
    ["show queries", "write SHOW TOPICS, SHOW CONNECTORS"],
    ["print", "write PRINT topic [FROM BEGINNING] [LIMIT n]"],
    ["print a b", '"b" has no meaning here'],
    ["print a limit many", "LIMIT takes a whole number"],
    ["create stream", "a stream needs a name"],
    ["create stream x (a int)", "a stream is what a SELECT gives"],
    ["create stream x with (kafka_topic='y') as select 1", "a stream's topic has its name"],
    ["select * from t emit changes where a = 1", '"where" has no meaning after EMIT CHANGES'],
  ])("%s", (source, words) => {
    expect(() => parseStatement(source)).toThrow(words);
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
  ])("%s", (source, names, sql) => {
    const read = readRelations(source, known);
    expect(read.names).toEqual(expect.arrayContaining(names.filter((name) => name !== "ts")));
    expect(read.sql).toBe(sql);
  });
});

test("a LIMIT at the end is told apart from the query", () => {
  expect(withoutLimit("select * from t limit 5")).toEqual({ sql: "select * from t", limit: 5 });
  expect(withoutLimit("select * from (select 1 limit 5)")).toEqual({
    sql: "select * from (select 1 limit 5)",
    limit: undefined,
  });
});
