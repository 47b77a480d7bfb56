/** Tables that people made: values become what their columns are, and keys are one where the table says so. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";
import { type Outcome, type Run, runRows, type Value } from "./table-runs.ts";

let server: Postgres;
let database: Database;
let count = 0;
beforeAll(async () => {
  server = await startPostgres();
  database = await server.database("own");
  await database.query(`alter database own set timezone = 'UTC'; create extension citext; create extension hstore; create schema other;
    create type mood as enum ('sad', 'ok', 'happy'); create type other.size as enum ('s', 'm');
    create type pair as (a int, b text);
    create domain email as text check (value ~ '@'); create domain short as varchar(3); create domain feeling as mood;
    create domain positive as numeric(6,2) check (value > 0);
    create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`);
});
afterAll(async () => await server.stop());

type Source = readonly [duckdbType: string, postgresType: string];
const text: Source = ["VARCHAR", "text"];
const json: Source = ["JSON", "jsonb"];
const double: Source = ["DOUBLE", "double precision"];
const bigint: Source = ["BIGINT", "bigint"];
const decimal: Source = ["DECIMAL(12,2)", "numeric(12,2)"];
const boolean: Source = ["BOOLEAN", "boolean"];
const timestamptz: Source = ["TIMESTAMP WITH TIME ZONE", "timestamptz"];
const micros = (at: string) => Date.parse(at) * 1000;

const run = async (over: Partial<Run> & Pick<Run, "table" | "columns" | "rows">): Promise<Outcome> =>
  await runRows({ secret: database.secret, ...over });

describe("a value is what the column's own input makes of it", () => {
  const cases: readonly (readonly [type: string, source: Source, given: Value, shown: string | null])[] = [
    ["mood", text, "happy", "happy"],
    ["other.size", text, "m", "m"],
    ["feeling", text, "ok", "ok"],
    ["text[]", text, '{a,"b c",NULL}', '{a,"b c",NULL}'],
    ["int[]", text, "{1,2}", "{1,2}"],
    ["text[]", json, '["a","b c",null]', '{a,"b c",NULL}'],
    ["int[]", json, "[1,2]", "{1,2}"],
    ["mood[]", json, '["sad","ok"]', "{sad,ok}"],
    ["text[]", json, "[]", "{}"],
    ["text[]", json, "null", null],
    ["text[]", json, null, null],
    ["interval", text, "1 day 02:00", "1 day 02:00:00"],
    ["interval", text, "PT90M", "01:30:00"],
    ["bytea", text, "\\xdeadbeef", "\\xdeadbeef"],
    ["inet", text, "10.0.0.1/8", "10.0.0.1/8"],
    ["cidr", text, "10.0.0.0/8", "10.0.0.0/8"],
    ["macaddr", text, "08:00:2b:01:02:03", "08:00:2b:01:02:03"],
    ["macaddr8", text, "08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03:04:05"],
    ["xml", text, "<a>1</a>", "<a>1</a>"],
    ["money", text, "12.50", "$12.50"],
    ["money", decimal, 1250, "$12.50"],
    ["money", double, 12.5, "$12.50"],
    ["money", bigint, 12, "$12.00"],
    ["email", text, "ann@example.org", "ann@example.org"],
    ["positive", text, "1.005", "1.01"],
    ["positive", double, 1.5, "1.50"],
    ["short", text, "abc", "abc"],
    ["bit(4)", text, "1010", "1010"],
    ["bit varying(8)", text, "101", "101"],
    ["int4range", text, "[1,5)", "[1,5)"],
    ["tstzrange", text, "[2026-01-01 00:00+00,)", '["2026-01-01 00:00:00+00",)'],
    ["point", text, "(1,2)", "(1,2)"],
    ["tsvector", text, "a b", "'a' 'b'"],
    ["citext", text, "Ann", "Ann"],
    ["hstore", text, "a=>1", '"a"=>"1"'],
    ["jsonb", text, '{"a": 1}', '{"a": 1}'],
    ["json", text, '{"a": 1}', '{"a": 1}'],
    ["json", json, '{"a": 1}', '{"a": 1}'],
    ["pair", text, "(1,x)", "(1,x)"],
    ["pair", json, '{"a":1,"b":"x"}', "(1,x)"],
    ["char(5)", text, "ab", "ab   "],
    ["varchar(5)", text, "ab", "ab"],
    ['"char"', text, "x", "x"],
    ["name", text, "x", "x"],
    ["timetz", text, "12:00:00+02", "12:00:00+02"],
    ["time", text, "12:00", "12:00:00"],
    ["date", text, "2026-01-31", "2026-01-31"],
    ["timestamptz", text, "2026-01-01T02:00:00+02", "2026-01-01 00:00:00+00"],
    ["timestamp", timestamptz, micros("2026-01-01T00:00:00Z"), "2026-01-01 00:00:00"],
    ["date", timestamptz, micros("2026-01-01T23:00:00Z"), "2026-01-01"],
    ["oid", text, "42", "42"],
    ["oid", bigint, 42, "42"],
    ["pg_lsn", text, "0/1", "0/1"],
    ["uuid", text, "00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000000"],
    ["int", text, "7", "7"],
    ["numeric(30,10)", text, "12345678901234567890.0123456789", "12345678901234567890.0123456789"],
    ["boolean", text, "yes", "true"],
    ["int", json, "7", "7"],
    ["inet", json, '"10.0.0.1"', "10.0.0.1/32"],
    ["smallint", double, 7, "7"],
    ["text", boolean, 1, "true"],
  ];
  it.each(cases)("%s of %s %s", async (type, [duckdbType, postgresType], given, shown) => {
    for (const key of [[], ["id"]]) {
      const table = `v${++count}`;
      await database.query(`create table ${table} (id text ${key.length > 0 ? "primary key" : ""}, v ${type})`);
      const columns = [
        ["id", "VARCHAR", "text"],
        ["v", duckdbType, postgresType],
      ] as const;
      const { letters, errors } = await run({
        table,
        key,
        columns,
        rows: [
          ["a", null],
          ["b", given],
        ],
      });
      expect([letters, errors]).toEqual([[], []]);
      const [row] = await database.query<{ v: string | null }>(`select v::varchar as v from ${table} where id = 'b'`);
      expect(row?.v?.trimEnd() ?? null).toBe(shown?.trimEnd() ?? null);
    }
  });

  it.each([
    ["mood", "angry", "22P02"],
    ["bit(4)", "10101", "22026"],
    ["varchar(3)", "abcd", "22001"],
    ["char(3)", "abcd", "22001"],
    ["short", "abcd", "22001"],
    ["email", "nobody", "23514"],
    ["inet", "10.0.0.300", "22P02"],
    ["xml", "<a>", "2200N"],
    ["bytea", "\\xz", "22023"],
    ["numeric(3,1)", "123.4", "22003"],
    ["interval", "a while", "22007"],
    ["positive", "-1", "23514"],
  ])("%s of %s is a dead letter, and cut to nothing", async (type, given, state) => {
    const table = `v${++count}`;
    await database.query(`create table ${table} (id text, v ${type})`);
    const columns = [
      ["id", "VARCHAR", "text"],
      ["v", "VARCHAR", "text"],
    ] as const;
    const { letters } = await run({
      table,
      columns,
      rows: [
        ["a", null],
        ["b", given],
        ["c", null],
      ],
    });
    expect(letters).toMatchObject([{ offset: 1, detail: expect.stringContaining(`SQLSTATE ${state}`) as string }]);
    expect(await database.query(`select id from ${table} order by id`)).toEqual([{ id: "a" }, { id: "c" }]);
  });

  it("what no value of the select can become is refused before a row is read", async () => {
    await database.query("create table never (v interval)");
    const { errors, letters } = await run({
      table: "never",
      columns: [["v", "BOOLEAN", "boolean"]],
      rows: [[1]],
      patience: 1,
    });
    expect(letters).toEqual([]);
    expect(errors[0]?.message).toMatch(
      /table never exists.*column "v" is of type interval but expression is of type boolean/,
    );
  });
});

describe("a key is the table's: the last event of each stays, however events fall into batches", () => {
  const cases: readonly (readonly [type: string, source: Source, keys: readonly Value[], stays: readonly string[]])[] =
    [
      ["citext", text, ["Ann@example.org", "bob", "ann@example.org", "BOB"], ["ann@example.org 2", "BOB 3"]],
      ["text collate ci", text, ["Straße", "STRASSE", "straße", "x"], ["STRASSE 1", "straße 2", "x 3"]],
      ["varchar(20) collate ci", text, ["Ä", "ä", "a"], ["a 2", "ä 1"]],
      ['text collate "C"', text, ["a", "A", "a"], ["A 1", "a 2"]],
      ["numeric", text, ["1.0", "1.00", "1", "2"], ["1 2", "2 3"]],
      ["numeric(5,1)", decimal, [104, 96, 200], ["1.0 1", "2.0 2"]],
      ["char(5)", text, ["ab", "ab  ", "abc"], ["ab 1", "abc 2"]],
      ["double precision", double, [0, -0, 1], ["-0 1", "1 2"]],
      ["real", double, [0.1, 0.10000000001, 1], ["0.1 1", "1 2"]],
      [
        "timestamptz",
        text,
        ["2026-01-01T02:00:00+02", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00"],
        ["2026-01-01 00:00:00+00 2"],
      ],
      [
        "timestamp(0)",
        timestamptz,
        [micros("2026-01-01T00:00:00.200Z"), micros("2026-01-01T00:00:00.400Z")],
        ["2026-01-01 00:00:00 1"],
      ],
      ["date", timestamptz, [micros("2026-01-01T01:00:00Z"), micros("2026-01-01T23:00:00Z")], ["2026-01-01 1"]],
      ["interval", text, ["1 day", "24 hours", "1 hour"], ["01:00:00 2", "24:00:00 1"]],
      ["inet", text, ["10.0.0.1", "10.0.0.1/32", "10.0.0.2"], ["10.0.0.1/32 1", "10.0.0.2/32 2"]],
      ["mood", text, ["ok", "ok", "sad"], ["ok 1", "sad 2"]],
      ["jsonb", text, ['{"a":1,"b":2}', '{"b":2,"a":1.0}', "1"], ["1 2", '{"a": 1.0, "b": 2} 1']],
      ["int[]", text, ["{1,2}", "{ 1, 2 }", "{2}"], ["{1,2} 1", "{2} 2"]],
      ["int", double, [1.4, 1.2, 1.6], ["1 1", "2 2"]],
      [
        "uuid",
        text,
        ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000A"],
        ["00000000-0000-4000-8000-00000000000a 1"],
      ],
      ["email", text, ["a@b", "a@b"], ["a@b 1"]],
    ];
  it.each(cases)("%s of %s", async (type, [duckdbType, postgresType], keys, stays) => {
    for (const fetch of [1, 2, 100]) {
      const table = `k${++count}`;
      await database.query(`create table ${table} (k ${type} primary key, n int)`);
      const columns = [
        ["k", duckdbType, postgresType],
        ["n", "INTEGER", "integer"],
      ] as const;
      const { letters, errors } = await run({
        table,
        key: ["k"],
        columns,
        fetch,
        rows: keys.map((key, n) => [key, n]),
      });
      expect([letters, errors]).toEqual([[], []]);
      const rows = await database.query<{ row: string }>(`select rtrim(k::text) || ' ' || n as row from ${table}`);
      expect(rows.map(({ row }) => row).sort()).toEqual([...stays].sort());
    }
  });

  it("two columns, one of which ignores case; the collation of the index counts where the column has another", async () => {
    await database.query(
      `create table pairs (a citext, b text, n int); create unique index on pairs (a, b collate ci)`,
    );
    const columns = [
      ["a", "VARCHAR", "text"],
      ["b", "VARCHAR", "text"],
      ["n", "INTEGER", "integer"],
    ] as const;
    const rows = [
      ["x", "y", 0],
      ["X", "Y", 1],
      ["x", "z", 2],
    ];
    const { letters, errors } = await run({ table: "pairs", key: ["a", "b"], columns, rows });
    expect([letters, errors]).toEqual([[], []]);
    expect(await database.query("select a, b, n from pairs order by n")).toEqual([
      { a: "X", b: "Y", n: 1 },
      { a: "x", b: "z", n: 2 },
    ]);
  });

  it("NULLs are keys of their own where the index says so, and one where it says that", async () => {
    for (const [nulls, stay] of [
      ["", [0, 1, 2]],
      ["nulls not distinct", [1, 2]],
    ] as const)
      for (const fetch of [100, 1]) {
        const table = `k${++count}`;
        await database.query(`create table ${table} (k text, n int, unique ${nulls} (k))`);
        const columns = [
          ["k", "VARCHAR", "text"],
          ["n", "INTEGER", "integer"],
        ] as const;
        const rows = [
          [null, 0],
          [null, 1],
          ["a", 2],
        ];
        await run({ table, key: ["k"], columns, fetch, rows });
        const kept = await database.query<{ n: number }>(`select n from ${table} order by n`);
        expect(kept.map(({ n }) => n)).toEqual(stay);
      }
  });
});

describe("what has a table's name", () => {
  const columns = [
    ["id", "VARCHAR", "text"],
    ["note", "VARCHAR", "text"],
  ] as const;
  const rows = [
    ["a", "x"],
    ["b", "y"],
    ["a", "z"],
  ];
  it("may be a view that PostgreSQL writes through, with a key too", async () => {
    await database.query(`create table under (id text primary key, note mood, more int);
      create view over as select id, note from under`);
    const { letters, errors } = await run({
      table: "over",
      key: ["id"],
      columns,
      rows: [
        ["a", "ok"],
        ["b", "sad"],
        ["a", "happy"],
      ],
    });
    expect([letters, errors]).toEqual([[], []]);
    expect(await database.query("select id, note from under order by id")).toEqual([
      { id: "a", note: "happy" },
      { id: "b", note: "sad" },
    ]);
    await database.query("select caudal.forget_table('over')");
    expect(await database.query("select id from over")).toHaveLength(2);
  });

  it("may be a view whose trigger writes", async () => {
    await database.query(`create table target (line text); create view door as select ''::text as id, ''::text as note;
      create function through() returns trigger language plpgsql as $$ begin
        insert into public.target values (new.id || new.note); return new; end $$;
      create trigger t instead of insert on door for each row execute function through()`);
    const { letters, errors } = await run({ table: "door", columns, rows });
    expect([letters, errors]).toEqual([[], []]);
    expect(await database.query("select line from target order by 1")).toEqual([
      { line: "ax" },
      { line: "az" },
      { line: "by" },
    ]);
  });

  it.each([
    [
      "summed",
      "create view summed as select 'a' as id, count(*)::text as note from pg_class",
      /^view summed exists.*cannot insert into/,
    ],
    [
      "kept",
      "create materialized view kept as select 'a' as id, 'b' as note",
      /^kept is a materialized view, which takes no rows/,
    ],
    ["counter", "create sequence counter", /^counter is a sequence, which takes no rows/],
    ["made_of", "create type made_of as (id text, note text)", /^made_of is a composite type, which takes no rows/],
  ])("%s is refused and called what it is", async (table, sql, message) => {
    await database.query(sql);
    const { errors, next } = await run({ table, columns, rows, patience: 1 });
    expect(next).toBe(0);
    expect(errors[0]?.message).toMatch(message);
  });

  it("a view whose trigger writes takes no key, for nobody knows what equals what there", async () => {
    await database.query(`create view keyed_door as select ''::text as id, ''::text as note;
      create trigger t instead of insert on keyed_door for each row execute function through()`);
    const { errors } = await run({ table: "keyed_door", key: ["id"], columns, rows, patience: 1 });
    expect(errors[0]?.message).toMatch(/^view keyed_door exists/);
  });
});
