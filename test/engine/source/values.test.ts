/** What becomes of each type, of rows that do not fit, and of tables that cannot be read. */
import { expect, it } from "vitest";
import { poll } from "../../cluster/host/poll.ts";
import { failure, field, untilSent, useSource } from "./scene.ts";

const source = useSource("values");

const text = {
  ddl: "create table items (id int primary key, name text not null, changed timestamptz not null default now())",
  fields: [field("id", "integer"), field("name", "string"), field("changed", "timestamp")],
};

it("writes every type as its field's, and nothing changed on the way", async () => {
  const scene = await source({
    ddl: `create type mood as enum ('glad', 'sad');
      create domain short as numeric(12,3);
      create table items (id uuid primary key, changed timestamp not null, at timestamptz, flag boolean, small smallint,
        n integer, big bigint, f4 real, f8 double precision, num numeric, sh short, wide numeric(38,10), day date,
        doc jsonb, raw json, txt text, feeling mood, ip inet, bytes bytea, tags text[], "CamelCase" varchar(20));
      insert into items values
        ('0b8e6a0e-1111-4222-8333-444455556666', '2026-03-04 05:06:07.891', '2026-03-04 05:06:07.123456+03', true, -5,
          2147483647, 9223372036854775807, 1.5, 0.1, 12.50, 3.250, 1234567890123456789012345678.0123456789, '1999-12-31',
          '{"a": [1, "é\\""]}', '{"b":1}', E'line\\n"quoted" \\\\ é 🙂', 'sad', '10.0.0.1', '\\xdeadbeef', '{x,"y z"}', 'C'),
        ('0b8e6a0e-1111-4222-8333-444455556667', '2026-03-04 05:06:08', null, null, null, null, null, null, null, null,
          null, null, null, null, null, null, null, null, null, null, null)`,
    fields: [
      field("id", "uuid"),
      field("changed", "timestamp"),
      field("at", "timestamp", true),
      field("flag", "boolean", true),
      field("small", "integer", true),
      field("n", "integer", true),
      field("big", "bigint", true),
      field("f4", "double", true),
      field("f8", "double", true),
      field("num", "decimal(10,2)", true),
      field("sh", "decimal(12,3)", true),
      field("wide", "decimal(38,10)", true),
      field("day", "date", true),
      field("doc", "json", true),
      field("raw", "json", true),
      field("txt", "string", true),
      field("feeling", "string", true),
      field("ip", "string", true),
      field("bytes", "string", true),
      field("tags", "string", true),
      field("CamelCase", "string", true),
    ],
  });
  const worker = await scene.start();
  await untilSent(worker, 2);
  const [first, second] = (await scene.records()).toSorted((a, b) => a.key.localeCompare(b.key));
  expect(first?.key).toBe("0b8e6a0e-1111-4222-8333-444455556666");
  expect(first?.text).toBe(
    '{"id":"0b8e6a0e-1111-4222-8333-444455556666","changed":"2026-03-04T05:06:07.891Z","at":"2026-03-04T02:06:07.123456Z",' +
      '"flag":true,"small":-5,"n":2147483647,"big":9223372036854775807,"f4":1.5,"f8":0.1,"num":12.50,"sh":3.250,' +
      '"wide":"1234567890123456789012345678.0123456789","day":"1999-12-31","doc":{"a": [1, "é\\""]},"raw":{"b":1},' +
      '"txt":"line\\n\\"quoted\\" \\\\ é 🙂","feeling":"sad","ip":"10.0.0.1","bytes":"\\\\xdeadbeef","tags":"{x,\\"y z\\"}","CamelCase":"C"}',
  );
  const { id, changed, ...rest } = second?.value ?? {};
  expect([id, changed]).toEqual(["0b8e6a0e-1111-4222-8333-444455556667", "2026-03-04T05:06:08Z"]);
  expect(Object.values(rest)).toEqual(Array.from({ length: 19 }, () => null));
});

it("keys records by all columns of a key that has several", async () => {
  const scene = await source({
    ddl: `create table items (a text, b int, changed timestamptz not null default now(), primary key (a, b));
      insert into items select 'it''s "' || n % 3, n from generate_series(1, 9) n`,
    fields: [field("a", "string"), field("b", "integer"), field("changed", "timestamp")],
  });
  const worker = await scene.start();
  await untilSent(worker, 9);
  const keys = (await scene.records()).map(({ key }) => JSON.parse(key) as object);
  expect(keys).toContainEqual({ a: `it's "1`, b: 4 });
  expect(new Set(keys.map((key) => JSON.stringify(key))).size).toBe(9);
});

it("puts rows aside that do not fit, with the row as PostgreSQL has it, and goes on", async () => {
  const scene = await source({
    ddl: `create table items (id int primary key, changed timestamptz not null default now(), v double precision,
        price numeric, at timestamp);
      insert into items values (1, now(), 1, 1.25, '2026-01-01'), (2, now(), 'NaN', 1, null), (3, now(), null, 1, null),
        (4, now(), 4, 1.255, null), (5, now(), 5, 1e9, null), (6, now(), 6, 6, 'infinity'), (7, now(), 7, 7, '2026-01-01 BC')`,
    fields: [
      field("id", "integer"),
      field("changed", "timestamp"),
      field("v", "double"),
      field("price", "decimal(8,2)"),
      field("at", "timestamp", true),
    ],
    key: "id",
  });
  const worker = await scene.start();
  await untilSent(worker, 7);
  await scene.database.query("insert into items values (8, now(), 8, 8, null)");
  await untilSent(worker, 8);
  expect((await scene.records()).map(({ key }) => key).sort()).toEqual(["1", "8"]);
  const letters = await scene.deadLetters();
  const details = new Map(letters.map(({ key, headers }) => [key, headers["caudal-detail"]]));
  expect([...details].sort()).toEqual([
    ["2", "v: NaN is not a finite number"],
    ["3", "v is NULL, and the field is not nullable"],
    ["4", "price: 1.255 has more digits than decimal(8,2)"],
    ["5", "price: 1000000000 has more digits than decimal(8,2)"],
    ["6", "at: infinity is not in the years 1 to 9999"],
    ["7", "at: 2026-01-01 00:00:00 BC is not in the years 1 to 9999"],
  ]);
  const second = letters.find(({ key }) => key === "2");
  expect(second?.headers).toMatchObject({
    "caudal-reason": "ValueDoesNotFit",
    "caudal-table": "public.items",
    "caudal-stage": "items",
  });
  expect(JSON.parse(second?.value?.toString() ?? "")).toMatchObject({ id: "2", v: "NaN", price: "1", at: null });
  expect((await scene.status(worker)).deadLetters).toBe(6);
});

it("puts a row aside that is too large for the topic, and no other", async () => {
  const scene = await source({ ...text, key: "id", topicConfig: { "max.message.bytes": "20000" } });
  await scene.database.query(`insert into items select n, repeat('x', 100) from generate_series(1, 300) n;
    update items set name = repeat('y', 30000) where id = 77; update items set name = repeat('z', 1500000) where id = 200`);
  const worker = await scene.start();
  await untilSent(worker, 300);
  expect(await scene.records()).toHaveLength(298);
  const letters = (await scene.deadLetters()).toSorted((a, b) => Number(a.key) - Number(b.key));
  expect(letters.map(({ key, value, headers }) => [key, value?.length ?? 0, headers["caudal-reason"]])).toEqual([
    ["77", expect.closeTo(30_000, -3), "RecordTooLarge"],
    ["200", 0, "RecordTooLarge"],
  ]);
});

it.each([
  [
    "a missing column",
    "create table items (id int primary key, changed timestamptz not null)",
    {},
    "public.items has no column name",
  ],
  [
    "a type that cannot fit",
    "create table items (id text primary key, name text, changed timestamptz not null)",
    {},
    "public.items.id is of type text, which a field of type integer cannot hold (it holds int2, int4)",
  ],
  ["no key", "create table items (id int, name text, changed timestamptz)", {}, "public.items has no primary key"],
  [
    "a key that is not unique",
    "create table items (id int not null, name text, changed timestamptz)",
    { keyColumns: ["id"] },
    "no unique index of public.items",
  ],
  [
    "a key that may be NULL",
    "create table items (id int unique, name text, changed timestamptz)",
    { keyColumns: ["id"] },
    "public.items.id may be NULL",
  ],
  [
    "a timestamp that is none",
    "create table items (id int primary key, name text, changed timestamptz)",
    { timestampColumn: "name" },
    "public.items.name is of type text: timestampColumn needs",
  ],
  [
    "a view",
    "create view items as select 1 as id",
    {},
    "public.items is a view, whose rows have no versions: name the table that it reads",
  ],
] as const)("stops at %s, and says so", async (_case, ddl, postgres, message) => {
  const scene = await source({ ddl, fields: text.fields, postgres: { ...postgres } as object });
  expect(await failure(scene, await scene.start())).toContain(message);
});

it("waits for a table that does not exist yet, and says so", async () => {
  const scene = await source({ ...text, ddl: "select 1", key: "id" });
  const worker = await scene.start();
  const reason = async () => (await scene.status(worker)).error?.reason;
  await poll(async () => ((await reason()) === "SourceTableMissing" ? true : undefined), {
    seconds: 120,
    onTimeout: () => worker.log(),
  });
  await scene.database.query(text.ddl);
  await scene.database.query("insert into items values (1, 'one')");
  await untilSent(worker, 1);
  expect((await scene.status(worker)).error).toBeUndefined();
});

it.each(["timestamp", "cdc"] as const)(
  "a text that is no UTF-8, in a database that does not know its encoding, is one dead letter in mode %s",
  async (mode) => {
    const bytes = (hex: string) => `convert_from('\\x${hex}', 'SQL_ASCII')`;
    const scene = await source({
      database: "encoding 'SQL_ASCII' locale 'C' template template0",
      // Two pages, the first of which ends within keys that cannot be asked for.
      ddl: `create table items (id text primary key, name text not null, changed timestamptz not null default '2026-01-01');
        insert into items select 'k' || lpad(n::text, 5, '0'), 'fine é' from generate_series(1, 1995) n;
        insert into items select 'k01995' || ${bytes("e9")} || n, 'its key' from generate_series(1, 9) n;
        insert into items select 'k' || lpad(n::text, 5, '0'), 'fine' from generate_series(1996, 3000) n;
        update items set name = ${bytes("6361e9")} where id = 'k00007'`,
      fields: [field("id", "string"), field("name", "string"), field("changed", "timestamp")],
      postgres: { mode },
    });
    const worker = await scene.start();
    await untilSent(worker, 3_009);
    const records = await scene.records();
    expect(new Set(records.map(({ key }) => key)).size).toBe(2_999);
    expect(records.find(({ key }) => key === "k00001")?.value?.["name"]).toBe("fine é");
    const details = (await scene.deadLetters()).map(({ headers }) => headers["caudal-detail"]);
    expect(details.filter((detail) => detail?.startsWith("name: the text is no UTF-8"))).toHaveLength(1);
    expect(new Set(details)).toContain(
      "id: the text is no UTF-8, and the database, whose encoding is SQL_ASCII, does not say what it is",
    );
    await scene.database.query(`insert into items values ('later', ${bytes("ff")}, now()), ('last', 'fine', now())`);
    await expect
      .poll(async () => (await scene.records()).some(({ key }) => key === "last"), { timeout: 60_000 })
      .toBe(true);
    expect((await scene.records()).some(({ key }) => key === "later")).toBe(false);
    expect(await worker.drain()).toBe(0);
  },
);
