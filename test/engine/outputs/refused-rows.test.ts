/** Rows that PostgreSQL refuses, of every kind: each is one dead letter, and what is no row's fault is none. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pino } from "pino";
import type { SealedBatch } from "../../../workloads/src/aggregator/batch.ts";
import { Ledger } from "../../../workloads/src/aggregator/ledger.ts";
import { Connection } from "../../../workloads/src/postgres/connection.ts";
import { DatabaseRefused, RowRefused } from "../../../workloads/src/postgres/errors.ts";
import { checkWindows } from "../../../workloads/src/postgres/marks.ts";
import { compareAndMove, insertFirstProgress, type Move } from "../../../workloads/src/postgres/progress.ts";
import type { TablePlan } from "../../../pipeline/src/sql/plan.ts";
import { delta, hopping, minute } from "../aggregator/plans.ts";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";
import { type Run, runRows } from "./table-runs.ts";

let server: Postgres;
let database: Database;
/** Another one, and the secret of a user who owns no table of it. */
let shared: Database;
let plain: string;
beforeAll(async () => {
  server = await startPostgres();
  database = await server.database("refused");
  await database.query("create extension citext; create extension btree_gist");
  shared = await server.database("shared");
  plain = await server.user("shared", "plain");
  await shared.query("grant create on database shared to plain");
});
afterAll(async () => await server.stop());

const text = (name: string) => [name, "VARCHAR", "text"] as const;
const COUNT = 300;
const BAD = [7, 150, 151, 299];
/** Rows of which those in BAD have the text "bad" in their second column. */
const rows = Array.from({ length: COUNT }, (_, n) => [`k${n}`, BAD.includes(n) ? "bad" : "good"]);
const good = rows.length - BAD.length;

/** A function of a trigger that does something where the row is bad. */
const trigger = (name: string, what: string, when = "before insert") => `
  create table ${name} (id text primary key, note text);
  create function ${name}() returns trigger language plpgsql as $$ begin
    if new.note = 'bad' then ${what}; end if; return new; end $$;
  create trigger t ${when} on ${name} for each row execute function ${name}()`;
const raising = (state: string) =>
  [
    `${state} that a trigger raises`,
    trigger(`s${state.toLowerCase()}`, `raise exception using errcode = '${state}', message = 'no ' || new.id`),
    state,
  ] as const;

interface Kind {
  readonly what: string;
  readonly sql: string;
  /** Of the dead letters. */
  readonly state: string;
}

/** Tables \`id text, note text\` that refuse the bad rows; each is named as its first \`create table\` says. */
const kinds: readonly Kind[] = [
  ...[
    "P0001",
    "40001",
    "40P01",
    "55P03",
    "57014",
    "57P01",
    "08006",
    "53100",
    "53200",
    "53300",
    "25006",
    "XX001",
    "42501",
    "42P01",
    "CD001",
    "CD002",
    "CD003",
    "00001",
    "21000",
  ].map((state) => {
    const [what, sql] = raising(state);
    return { what, sql, state };
  }),
  {
    what: "a check",
    sql: "create table checked (id text primary key, note text check (note <> 'bad'))",
    state: "23514",
  },
  {
    what: "a trigger at the end of the transaction",
    sql: `create table deferred (id text primary key, note text);
      create function deferred() returns trigger language plpgsql as $$ begin
        if new.note = 'bad' then raise exception 'too late for %', new.id using errcode = '53100'; end if; return null; end $$;
      create constraint trigger t after insert on deferred deferrable initially deferred for each row execute function deferred()`,
    state: "53100",
  },
  {
    what: "a foreign key that is looked at in the end",
    sql: `create table notes (note text primary key); insert into notes values ('good');
      create table referring (id text primary key, note text references notes deferrable initially deferred)`,
    state: "23503",
  },
  {
    what: "a partition that is missing",
    sql: `create table parted (id text, note text, primary key (id, note)) partition by list (note);
      create table parted_good partition of parted for values in ('good')`,
    state: "23514",
  },
  {
    what: "an exclusion",
    sql: "create table excluding (id text primary key, note text, exclude using gist (note with =) where (note = 'bad'))",
    state: "23P01",
  },
  {
    what: "a view's check option",
    sql: `create table viewed (id text primary key, note text);
      create view good_ones as select * from viewed where note = 'good' with check option`,
    state: "44000",
  },
  {
    what: "a generated column",
    sql: "create table generated (id text primary key, note text, n int generated always as (1 / (length(note) - 3)) stored)",
    state: "22012",
  },
  {
    what: "a domain",
    sql: "create domain fine as text check (value <> 'bad'); create table domains (id text primary key, note fine)",
    state: "23514",
  },
  {
    what: "a value that its enum lacks",
    sql: "create type noted as enum ('good', 'better'); create table enums (id text primary key, note noted)",
    state: "22P02",
  },
  {
    what: "an error within another function",
    sql: trigger("failing", "perform ('x' || new.note)::xml::text::int", "after insert"),
    state: "22P02",
  },
  {
    what: "a table that a trigger no longer finds",
    sql: trigger("lost", "insert into gone values (1)"),
    state: "42P01",
  },
  { what: "memory that no server gives", sql: trigger("large", "perform repeat('x', 1100000000)"), state: "54000" },
];

const tableOf = (sql: string) =>
  /create view (\w+)/.exec(sql)?.[1] ?? [...sql.matchAll(/create table (\w+) \(id/g)][0]?.[1] ?? "";
const run = (over: Partial<Run> & { readonly table: string }) =>
  runRows({ secret: database.secret, columns: [text("id"), text("note")], rows, ...over });

describe("a row that PostgreSQL refuses alone is a dead letter with its words", () => {
  it.each(kinds.map((kind) => [kind.what, kind] as const))("%s", async (_, { sql, state }) => {
    await database.query(sql);
    const table = tableOf(sql);
    const { letters, next } = await run({ table });
    expect(next).toBe(COUNT);
    // Of two that exclude each other the first is there.
    const refused = state === "23P01" ? BAD.slice(1) : BAD;
    expect(letters.map(({ offset }) => offset)).toEqual(refused);
    for (const { reason, detail } of letters) {
      expect(reason).toBe("RefusedByDatabase");
      expect(detail).toMatch(new RegExp(`^output t: .+ \\(SQLSTATE ${state}\\)$`, "s"));
    }
    expect(await database.query(`select count(*)::int as n from ${table}`)).toEqual([{ n: COUNT - refused.length }]);
  });

  it("row security", async () => {
    await shared.query(`create table secured (id text primary key, note text); alter table secured enable row level security;
      create policy p on secured using (true) with check (note <> 'bad'); grant all on secured to plain`);
    const { letters } = await run({ table: "secured", secret: plain });
    expect(letters.map(({ offset }) => offset)).toEqual(BAD);
    expect(letters[0]?.detail).toMatch(/row-level security policy.*SQLSTATE 42501/);
  });

  it("also in a table that we made, with a key and without", async () => {
    for (const [table, key] of [
      ["made", []],
      ["made_by_key", ["id"]],
    ] as const) {
      await run({ table, key, rows: [["first", "good"]] });
      await database.query(`create function ${table}() returns trigger language plpgsql as $$ begin
          if new.note = 'bad' then raise exception 'no'; end if; return new; end $$;
        create trigger t before insert on ${table} for each row execute function ${table}()`);
      const { letters, errors } = await run({ table, key, rows: [["first", "good"], ...rows] });
      expect(letters.map(({ offset }) => offset - 1)).toEqual(BAD);
      expect(errors.length).toBe(1);
      expect(await database.query(`select count(*)::int as n from ${table}`)).toEqual([{ n: good + 1 }]);
    }
  });

  it("a row whose trigger takes longer than a statement may", async () => {
    await database.query(trigger("slow", "perform pg_sleep(30)"));
    const { letters, next } = await run({
      table: "slow",
      rows: rows.slice(0, 20),
      settings: { statement_timeout: "500" },
    });
    expect([next, letters.map(({ offset }) => offset)]).toEqual([20, [7]]);
    expect(letters[0]?.detail).toMatch(/SQLSTATE 57014/);
  });

  it("many of them in one batch", async () => {
    await database.query("create table many (id text primary key, note text check (note <> 'bad'))");
    const mixed = Array.from({ length: 1_000 }, (_, n) => [`k${n}`, n % 3 === 0 ? "bad" : "good"]);
    const { letters, errors } = await run({ table: "many", rows: mixed });
    expect(letters.length).toBe(334);
    expect(errors.length).toBe(1);
  });
});

describe("what no row is at fault for is none's dead letter", () => {
  const held: readonly (readonly [what: string, sql: string, undo: string, state: string])[] = [
    ["a table without the privilege", "create table t1 (id text, note text)", "grant insert on t1 to plain", "42501"],
    [
      "a sequence without the privilege",
      "create table t2 (n bigserial, id text, note text); grant insert on t2 to plain",
      "grant usage on sequence t2_n_seq to plain",
      "42501",
    ],
    [
      "a trigger that refuses every statement",
      `create table t3 (id text, note text); grant insert on t3 to plain;
        create function t3() returns trigger language plpgsql as $$ begin raise exception 'closed'; end $$;
        create trigger t before insert on t3 for each statement execute function t3()`,
      "drop trigger t on t3",
      "P0001",
    ],
  ];
  it.each(held)("%s", async (_, sql, undo, state) => {
    await shared.query(sql);
    const table = /create table (\w+)/.exec(sql)?.[1] ?? "";
    // Until it is used it was fine.
    const before = await run({ table, secret: plain, patience: 2 });
    expect([before.letters, before.next]).toEqual([[], 0]);
    expect(before.errors.at(-1)?.message).toContain(`SQLSTATE ${state}`);
    await shared.query(undo);
    const after = await run({ table, secret: plain });
    expect([after.letters, after.next]).toEqual([[], COUNT]);
  });

  it("a table that somebody has locked, and a row that somebody holds", async () => {
    await database.query("create table busy (id text primary key, note text); insert into busy values ('k7', 'held')");
    const other = await Connection.open({ secret: database.secret, applicationName: "somebody" });
    for (const lock of [
      "lock table public.busy in exclusive mode",
      "update public.busy set note = 'held' where id = 'k7'",
    ]) {
      await other.query("hold", { text: "begin" });
      await other.query("hold", { text: lock });
      const settings = { lock_timeout: "50" };
      const during = await run({ table: "busy", key: ["id"], rows: rows.slice(0, 20), settings, patience: 2 });
      expect(during.letters).toEqual([]);
      expect(during.errors.at(-1)?.message).toContain("SQLSTATE 55P03");
      await other.query("hold", { text: "rollback" });
    }
    await other.close();
    const after = await run({ table: "busy", key: ["id"], rows: rows.slice(0, 20) });
    expect([after.letters, after.next]).toEqual([[], 20]);
  });
});

describe("a table of an aggregator", () => {
  const owner = { pipeline: "shop/events", stage: "metrics", uid: "first" };
  const scope = { owner, topic: "events", topicId: "id" };
  const visits: TablePlan = { ...minute, name: "visits", hash: "plan 3", gap: 60_000 };
  const plans = [minute, hopping, visits];
  const move = (table: TablePlan, to: number): Move => ({
    ...{ output: table.name, plan: table.hash, partition: 0, from: 0, to, fromEpoch: -1, toEpoch: -1 },
    maxEventTime: null,
  });
  const batch = (table: TablePlan, kinds: readonly string[]): SealedBatch => {
    const made = delta(
      table,
      kinds.map((kind) => ["00", kind, "1", "1", "1"]),
    );
    const sessions = { lastEvent: made.windowStart, group: Float64Array.from(kinds.keys()) };
    return {
      deltas: kinds.length === 0 ? [] : [table.gap === undefined ? made : { ...made, sessions }],
      moves: [move(table, 1)],
      ...{ judgements: [], letters: [], events: kinds.length, late: new Map(), lateEvents: 0, expired: new Map() },
      traceparents: [],
    };
  };

  it.each(plans.map((plan) => [plan.name, plan] as const))("%s asks the same", async (name, plan) => {
    const own = await server.database(`of_${name}`);
    const ledger = await Ledger.open({
      ...{ secret: own.secret, owner, tables: [plan], move: compareAndMove, check: checkWindows, closing: new Map() },
      ...{ onCall: () => undefined, onRetry: () => undefined, generation: async () => await Promise.resolve(1) },
      log: pino({ level: "silent" }),
    });
    await insertFirstProgress(ledger.control, scope, [{ output: name, plan: plan.hash, partition: 0, offset: 0 }]);
    const stored = plan.panes ? `caudal.${name}_panes` : `public.${name}`;
    const progress = async () => await own.query("select next_offset::int as at from caudal.progress");
    await own.query(`create function refuse() returns trigger language plpgsql as $$ begin
        if new.kind = 'bad' then raise exception 'no' using errcode = '57P01'; end if; return new; end $$;
      create trigger t before insert on ${stored} for each row execute function refuse()`);
    await expect(ledger.commit(scope, batch(plan, ["bad", "good"]))).rejects.toThrow(RowRefused);
    await expect(ledger.commit(scope, batch(plan, ["bad"]))).rejects.toThrow(/no \(SQLSTATE 57P01\)/);
    // It is the row: without it the same transaction passes, and leaves nothing.
    await ledger.rehearse(scope, batch(plan, []), [plan]);
    expect(await progress()).toEqual([{ at: 0 }]);
    await own.query(`create function closed() returns trigger language plpgsql as $$ begin
        raise exception 'closed' using errcode = '23514'; end $$;
      create trigger all_of_them before insert on ${stored} for each statement execute function closed()`);
    await expect(ledger.rehearse(scope, batch(plan, []), [plan])).rejects.toThrow(DatabaseRefused);
    await own.query(`drop trigger all_of_them on ${stored}`);
    await ledger.commit(scope, batch(plan, ["fine", "good"]));
    expect(await progress()).toEqual([{ at: 1 }]);
    expect(await own.query(`select kind from ${stored} order by kind`)).toEqual([{ kind: "fine" }, { kind: "good" }]);
    await ledger.close();
  });
});
