/** Sessions on a real PostgreSQL, without a broker: several connections merge what the kernel gives. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Connection } from "../../../workloads/src/postgres/connection.ts";
import { merge } from "../../../workloads/src/postgres/core/merge.ts";
import type { UpsertStatement } from "../../../workloads/src/postgres/core/upsert.ts";
import { oldRowsIndex } from "../../../workloads/src/postgres/core/final-rows.ts";
import { ensureIndex } from "../../../workloads/src/postgres/housekeeping.ts";
import { deleteBelow } from "../../../workloads/src/postgres/retention.ts";
import { migrate } from "../../../workloads/src/postgres/schema.ts";
import { prepareTables } from "../../../workloads/src/postgres/tables.ts";
import { compilePlan } from "../../../pipeline/src/sql/compile.ts";
import type { Kernel } from "../../../workloads/src/kernel/kernel.ts";
import type { Delta } from "../../../workloads/src/kernel/delta.ts";
import type { TablePlan } from "../../../pipeline/src/sql/plan.ts";
import { configOf, tableOf, topicOf } from "@caudal/pipeline/testing";
import { blockOf, kernelOf, NOW } from "../../../workloads/src/kernel/testing/block.ts";
import { type Session, sessionsOf, type Visit } from "../../../workloads/src/kernel/testing/sessions.ts";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";
import { randomFrom } from "./events.ts";

const GAP = 30_000;
const window = { session: { gap: "30s" } };
const aggregates = ["count(*) as count", "sum(n) as sum", "min(n) as least"];
const topic = topicOf({ user: "string?", ts: "timestamp", n: "bigint?" }, "ts");
const config = configOf(topic, [
  tableOf({ name: "visits", window, groupBy: ["user"], aggregates }),
  tableOf({ name: "totals", window, aggregates }),
]);
const owner = { pipeline: "shop/events", stage: "metrics", uid: "first" };

let server: Postgres;
let database: Database;
let kernel: Kernel;
let tables: readonly TablePlan[];
let count = 0;
const open: Connection[] = [];

const connect = async (): Promise<Connection> => {
  const opened = await Connection.open({ secret: database.secret, applicationName: "test" });
  open.push(opened);
  return opened;
};
const deltasOf = async (visits: readonly Visit[]): Promise<readonly Delta[]> => {
  await kernel.add(blockOf(visits), { watermark: null });
  return await kernel.take();
};
const commit = async (connection: Connection, visits: readonly Visit[]): Promise<void> =>
  await connection.transaction("commit", (await deltasOf(visits)).flatMap(merge));
const at = (user: string | null, ...seconds: readonly number[]): Visit[] =>
  seconds.map((second) => ({ user, ts: NOW + second * 1_000, n: Math.floor(second) }));

const visitsTable = (): TablePlan => tables.find(({ name }) => name === "visits") ?? expect.unreachable();

/** What a table holds, in the form of the plain loop. */
const stored = async (table: "visits" | "totals"): Promise<readonly Session[]> => {
  const user = table === "visits" ? `"user"` : "null::text";
  const rows = await database.query<Record<"user" | "first" | "last" | "count" | "sum" | "least", string | null>>(
    `select ${user} as "user", extract(epoch from window_start) * 1000 as first,
      extract(epoch from window_end - interval '30 seconds') * 1000 as last, count, sum, least
    from ${table} order by ${user} nulls first, window_start`,
  );
  const number = (text: string | null) => (text === null ? null : Number(text));
  return rows.map((row) => ({
    ...{ user: row.user, first: Number(row.first), last: Number(row.last), count: Number(row.count) },
    ...{ sum: number(row.sum), least: number(row.least) },
  }));
};
const alone = (visits: readonly Visit[]) => visits.map((visit) => ({ ...visit, user: null }));
const spans = async () =>
  (await stored("visits")).map(({ user, first, last, count: n }) => [
    user,
    (first - NOW) / 1_000,
    (last - NOW) / 1_000,
    n,
  ]);

beforeAll(async () => {
  server = await startPostgres();
  kernel = await kernelOf(config, { maxAheadMs: 1e12 });
  ({ tables } = await compilePlan(config));
});
afterAll(async () => {
  await Promise.all([server.stop(), kernel.close()]);
});
beforeEach(async () => {
  for (const used of open.splice(0)) await used.close();
  database = await server.database(`sessions_${++count}`);
  const connection = await connect();
  await migrate(connection);
  await prepareTables(connection, owner, tables, 1);
});

/** Batches of events of few users, out of order by several gaps, so that they often bridge what is stored. */
const randomBatches = (seed: number, batches: number, size: number): readonly (readonly Visit[])[] => {
  const random = randomFrom(seed);
  const users = [null, "", "a", "b", "ü", ...Array.from({ length: 6 }, (_, index) => `u${index}`)];
  return Array.from({ length: batches }, () =>
    Array.from({ length: size }, () => ({
      user: users[Math.floor(random() * users.length)] ?? null,
      ts: NOW + Math.floor(random() * 2_000) * 5_000,
      n: random() < 0.2 ? null : Math.floor(random() * 1_000),
    })),
  );
};

const withLocks = (statements: readonly UpsertStatement[]) => statements;
const withoutLocks = (statements: readonly UpsertStatement[]) =>
  statements.filter(({ name }) => !name.startsWith("lock "));

/** Commits the batches by several connections at once. */
const commitAll = async (
  batches: readonly (readonly Visit[])[],
  statements: typeof withLocks,
  connections = 4,
): Promise<void> => {
  const deltas: (readonly Delta[])[] = [];
  for (const batch of batches) deltas.push(await deltasOf(batch));
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = await connect();
      for (let next = deltas.pop(); next !== undefined; next = deltas.pop())
        await connection.transaction("commit", statements(next.flatMap(merge)));
    }),
  );
};

describe("sessions that several connections merge at once", () => {
  it.each([1, 2, 3])("are those of a plain loop over all events, without a deadlock (seed %i)", async (seed) => {
    const batches = randomBatches(seed, 80, 30);
    await commitAll(batches, withLocks);
    expect(await stored("visits")).toEqual(sessionsOf(batches.flat(), GAP));
    expect(await stored("totals")).toEqual(sessionsOf(alone(batches.flat()), GAP));
  });

  it("wait for each other; without the lock on their group two of them become two sessions, though they touch", async () => {
    const race = async (statements: typeof withLocks) => {
      await database.query("truncate visits, totals");
      const [first, second] = [await connect(), await connect()];
      const run = async (connection: Connection, visits: readonly Visit[]): Promise<void> => {
        for (const statement of statements((await deltasOf(visits)).flatMap(merge).filter(of("visits"))))
          await connection.query("merge", statement);
      };
      await first.query("merge", { text: "begin" });
      await second.query("merge", { text: "begin" });
      await run(first, at("a", 0));
      const merged = run(second, at("a", 20)).then(async () => await second.query("merge", { text: "commit" }));
      if (statements === withLocks)
        await expect
          .poll(async () => await database.query("select from pg_stat_activity where wait_event_type = 'Lock'"))
          .toHaveLength(1);
      else await merged;
      await first.query("merge", { text: "commit" });
      await merged;
      return await spans();
    };
    const of = (table: string) => (statement: UpsertStatement) =>
      statement.name === "plan by index" || statement.name.endsWith(` ${table}`);
    expect(await race(withLocks)).toEqual([["a", 0, 20, 2]]);
    expect(await race(withoutLocks)).toEqual([
      ["a", 0, 0, 1],
      ["a", 20, 20, 1],
    ]);
  });
});

describe("a session", () => {
  it("is begun, extended on both sides, and joined with others by events between them", async () => {
    const [connection] = open;
    if (connection === undefined) return expect.unreachable();
    await commit(connection, at("a", 100));
    await commit(connection, at("a", 130, 70));
    expect(await spans()).toEqual([["a", 70, 130, 3]]);
    await commit(connection, [...at("a", 200, 300), ...at(null, 100)]);
    await commit(connection, [...at("a", 160.001, 175, 250), ...at("b", 0)]);
    expect(await spans()).toEqual([
      [null, 100, 100, 1],
      ["a", 70, 130, 3],
      ["a", 160.001, 200, 3],
      ["a", 250, 250, 1],
      ["a", 300, 300, 1],
      ["b", 0, 0, 1],
    ]);
    await commit(connection, [...at("a", 145, 225, 275), ...at(null, 71, 129)]);
    expect(await spans()).toEqual([
      [null, 71, 129, 3],
      ["a", 70, 300, 11],
      ["b", 0, 0, 1],
    ]);
  });

  it("keeps the greatest revision of those that it was made of", async () => {
    const [connection] = open;
    if (connection === undefined) return expect.unreachable();
    await commit(connection, at("a", 0, 60));
    await database.query("update visits set revision = case when sum = 0 then 2 else 5 end");
    await commit(connection, at("a", 30, 200));
    expect(await database.query("select count::int, revision::int from visits order by 1")).toEqual([
      { count: 1, revision: 0 },
      { count: 3, revision: 5 },
    ]);
  });

  it("that grows is updated in place, and found by an index in a table of many", async () => {
    const [connection] = open;
    if (connection === undefined) return expect.unreachable();
    const users = Array.from({ length: 2_000 }, (_, user) => at(`u${user}`, user));
    const stats = async () => {
      await connection.query("flush", { text: "select pg_stat_force_next_flush()" });
      const [row] = await database.query<Record<"scans" | "updates" | "hot" | "rows", number>>(
        `select seq_scan::int as scans, n_tup_upd::int as updates, n_tup_hot_upd::int as hot, n_tup_ins::int as rows
        from pg_stat_user_tables where relname = 'visits'`,
      );
      return row;
    };
    await ensureIndex(connection, visitsTable(), oldRowsIndex(visitsTable()));
    await commit(connection, users.flat());
    const before = await stats();
    for (let second = 1; second <= 20; second++) await commit(connection, at("u7", 7 + second));
    await expect.poll(stats, { timeout: 120_000 }).toEqual({ scans: before?.scans, updates: 20, hot: 20, rows: 2_000 });
  });
});

it("values and groups of every type are merged, NULLs among them", async () => {
  const fields = {
    ts: "timestamp",
    ...{ s: "string?", u: "uuid?", b: "boolean?", i: "integer?", l: "bigint?", d: "double?" },
    ...{ m: "decimal(10,2)?", t: "timestamp?", y: "date?" },
  };
  const names = Object.keys(fields).filter((name) => name !== "ts");
  const all = configOf(topicOf(fields, "ts"), [
    tableOf({
      name: "kinds",
      window,
      groupBy: names.map((name) => `${name} as g_${name}`),
      aggregates: names.flatMap((name) => [`min(${name}) as lo_${name}`, `max(${name}) as hi_${name}`]),
    }),
    tableOf({
      name: "kinds_in_panes",
      window: { hopping: { size: "3m", advance: "1m" } },
      aggregates: names.flatMap((name) => [`min(${name}) as lo_${name}`, `max(${name}) as hi_${name}`]),
    }),
  ]);
  const [connection] = open;
  if (connection === undefined) return expect.unreachable();
  await prepareTables(connection, owner, (await compilePlan(all)).tables, 1);
  const typed = await kernelOf(all, { maxAheadMs: 1e12 });
  const one = {
    ...{ s: "x", u: "00000000-0000-4000-8000-00000000000a", b: true, i: 1, l: "9007199254740993", d: -0.5 },
    ...{ m: "1.10", t: "2026-01-01T00:00:00.000001Z", y: "2026-01-01" },
  };
  for (const values of [one, {}, one, {}, one]) {
    for (const second of [0, 50, 25])
      await typed.add(blockOf([{ ts: NOW + second * 1_000, ...values }]), { watermark: null });
    await connection.transaction("commit", (await typed.take()).flatMap(merge));
  }
  await typed.close();
  const rows = await database.query<{ row: Record<string, unknown> }>(
    "select to_jsonb(k) as row from kinds k order by g_s nulls first",
  );
  expect(rows).toHaveLength(2);
  for (const name of names) {
    expect(rows[0]?.row[`g_${name}`]).toBeNull();
    expect(rows[1]?.row[`lo_${name}`]).toEqual(rows[1]?.row[`g_${name}`]);
    expect(rows[1]?.row[`hi_${name}`]).toEqual(rows[1]?.row[`g_${name}`]);
  }
  const [panes] = await database.query<{ row: Record<string, unknown> }>(
    "select to_jsonb(k) as row from kinds_in_panes k limit 1",
  );
  for (const name of names) expect(panes?.row[`lo_${name}`]).toEqual(rows[1]?.row[`lo_${name}`]);
});

describe("old sessions", () => {
  const [early, late] = [at("a", 0), [...at("a", 1_000), ...at("b", 0, 10, 100)]];
  const locks = async () =>
    Number((await database.query<{ n: string }>("select count(*) as n from caudal.visits_groups"))[0]?.n);

  it("are deleted up to a time, in pieces, with the locks of groups that have none left", async () => {
    const [connection] = open;
    if (connection === undefined) return expect.unreachable();
    await commit(connection, [...early, ...late]);
    expect(await deleteBelow(connection, visitsTable(), NOW + 29_999, 10)).toBe(0);
    expect(await deleteBelow(connection, visitsTable(), NOW + 130_000, 1)).toBe(1);
    expect(await deleteBelow(connection, visitsTable(), NOW + 130_000, 10)).toBe(2);
    expect(await deleteBelow(connection, visitsTable(), NOW + 130_000, 10)).toBe(0);
    expect(await spans()).toEqual([["a", 1_000, 1_000, 1]]);
    expect(await locks()).toBe(1);
    await commit(connection, at("b", 5));
    expect(await locks()).toBe(2);
  });

  it("of a group that a commit holds are passed over", async () => {
    const [connection] = open;
    if (connection === undefined) return expect.unreachable();
    await commit(connection, [...early, ...at("b", 0)]);
    const busy = await connect();
    await busy.query("merge", { text: "begin" });
    for (const statement of (await deltasOf(at("a", 20))).flatMap(merge)) await busy.query("merge", statement);
    expect(await deleteBelow(connection, visitsTable(), NOW + 30_000, 10)).toBe(1);
    await busy.query("merge", { text: "commit" });
    expect(await deleteBelow(connection, visitsTable(), NOW + 30_000, 10)).toBe(0);
    expect(await spans()).toEqual([["a", 0, 20, 2]]);
  });

  it("leave the others exact while they are deleted and merged at once", async () => {
    const batches = randomBatches(9, 60, 30);
    const floor = NOW + 5_000_000;
    let done = false;
    const deleting = (async () => {
      const connection = await connect();
      while (!done) await deleteBelow(connection, visitsTable(), floor, 5);
      while ((await deleteBelow(connection, visitsTable(), floor, 50)) > 0);
    })();
    await commitAll(batches, withLocks, 3);
    done = true;
    await deleting;
    const wanted = sessionsOf(batches.flat(), GAP).filter(({ first }) => first > floor + GAP);
    expect((await stored("visits")).filter(({ first }) => first > floor + GAP)).toEqual(wanted);
    expect((await stored("visits")).filter(({ last }) => last + GAP <= floor)).toEqual([]);
    expect(wanted.length).toBeGreaterThan(50);
  });
});

it("a table that is forgotten takes its locks with it", async () => {
  await database.query("select caudal.forget_table('visits')");
  expect(await database.query("select to_regclass('caudal.visits_groups') as locks")).toEqual([{ locks: null }]);
});
