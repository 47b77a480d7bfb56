/** Claims, tables and progress on a real PostgreSQL, without a broker. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readFileSync } from "node:fs";
import { Connection } from "../../../workloads/src/postgres/connection.ts";
import type { Owner } from "../../../workloads/src/postgres/core/table-decision.ts";
import { upsert } from "../../../workloads/src/postgres/core/upsert.ts";
import { ProgressMoved, RowRefused } from "../../../workloads/src/postgres/errors.ts";
import {
  compareAndMove,
  insertFirstProgress,
  type Move,
  readProgress,
} from "../../../workloads/src/postgres/progress.ts";
import { migrate } from "../../../workloads/src/postgres/schema.ts";
import { announce } from "../../../workloads/src/postgres/claims.ts";
import { prepareTables } from "../../../workloads/src/postgres/tables.ts";
import { renewAsked } from "../../../workloads/src/postgres/definitions.ts";
import { readMarks } from "../../../workloads/src/postgres/marks.ts";
import { readPlaces } from "../../../workloads/src/postgres/places.ts";
import { moveWatermark, readWatermark } from "../../../workloads/src/postgres/watermarks.ts";
import type { TablePlan } from "../../../pipeline/src/sql/plan.ts";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";
import { delta, hopping, minute } from "./plans.ts";

let server: Postgres;
let database: Database;
let connection: Connection;
const open: Connection[] = [];
let count = 0;

const owner: Owner = { pipeline: "shop/events", stage: "metrics", uid: "first" };
const scope = { owner, topic: "events", topicId: "id" };

const connect = async (): Promise<Connection> => {
  const opened = await Connection.open({ secret: database.secret, applicationName: "test" });
  open.push(opened);
  return opened;
};
const move = (from: number, to: number, change: Partial<Move> = {}): Move => ({
  output: minute.name,
  plan: minute.hash,
  partition: 0,
  from,
  to,
  fromEpoch: -1,
  toEpoch: -1,
  maxEventTime: null,
  ...change,
});
const begin = async (...tables: readonly TablePlan[]): Promise<void> => {
  await prepareTables(connection, owner, tables, 1);
  await insertFirstProgress(
    connection,
    scope,
    tables.map(({ name, hash }) => ({ output: name, plan: hash, partition: 0, offset: 0 })),
  );
};
const prepare = async (who: Owner, tables: readonly TablePlan[], generation = 1) =>
  await prepareTables(await connect(), who, tables, generation);
const refusal = async (who: Owner, table: TablePlan, generation = 1) =>
  (await prepare(who, [table], generation))[0]?.refusal?.reason ?? "accepted";

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.stop();
});
beforeEach(async () => {
  for (const used of open.splice(0)) await used.close();
  database = await server.database(`tables_${++count}`);
  connection = await connect();
  await migrate(connection);
});

describe("a session", () => {
  it("has settings that no role or database can change", async () => {
    await database.query(
      `alter database ${database.name} set search_path = public; alter role app set timezone = 'Asia/Tokyo'`,
    );
    const { rows } = await (
      await connect()
    ).query<Record<string, string>>("ask", {
      text: `select current_setting('search_path') as search_path, current_setting('TimeZone') as zone,
        current_setting('idle_in_transaction_session_timeout') as idle, current_setting('application_name') as name`,
    });
    await database.query("alter role app reset timezone");
    expect(rows).toEqual([{ search_path: "pg_catalog, pg_temp", zone: "UTC", idle: "10s", name: "test" }]);
  });

  it("brings the schema up once, however many begin together", async () => {
    database = await server.database(`tables_${++count}`);
    const several = await Promise.all([connect(), connect(), connect()]);
    await Promise.all(several.map(migrate));
    expect(await database.query("select version from caudal.version")).toEqual([
      { version: 1 },
      { version: 2 },
      { version: 3 },
      { version: 4 },
      { version: 5 },
      { version: 6 },
      { version: 7 },
      { version: 8 },
      { version: 9 },
    ]);
  });
});

describe("a table", () => {
  it("merges deltas, keeps a sum through a batch of nulls, and tells NULL groups apart from none", async () => {
    await begin(minute);
    await connection.transaction("commit", [
      compareAndMove(scope, [move(0, 3)]),
      upsert(
        delta(minute, [
          ["00", "a", "2", "6", "2"],
          ["00", null, "1", null, "0"],
        ]),
      ),
    ]);
    await connection.transaction("commit", [
      compareAndMove(scope, [move(3, 5)]),
      upsert(
        delta(minute, [
          ["00", "a", "1", null, "0"],
          ["00", null, "1", null, "0"],
        ]),
      ),
    ]);
    expect(
      await database.query(
        "select window_end, kind, n::int, mean, lowest, revision::int from per_minute order by kind",
      ),
    ).toEqual([
      { window_end: new Date("2026-01-01T00:01:00Z"), kind: "a", n: 3, mean: 3, lowest: 6, revision: 0 },
      { window_end: new Date("2026-01-01T00:01:00Z"), kind: null, n: 2, mean: null, lowest: null, revision: 0 },
    ]);
  });

  it("of hopping windows is a view of its panes: a window is there when one of its panes has rows", async () => {
    await begin(hopping);
    await connection.transaction("commit", [
      compareAndMove(scope, [move(0, 3, { output: hopping.name, plan: hopping.hash })]),
      upsert(
        delta(hopping, [
          ["10", "a", "1", "4", "1"],
          ["12", "a", "2", "2", "1"],
        ]),
      ),
    ]);
    expect(
      await database.query(
        "select to_char(window_start, 'MI') as s, to_char(window_end, 'MI') as e, n::int, mean, lowest from per_three_minutes order by 1",
      ),
    ).toEqual([
      { s: "08", e: "11", n: 1, mean: 4, lowest: 4 },
      { s: "09", e: "12", n: 1, mean: 4, lowest: 4 },
      { s: "10", e: "13", n: 3, mean: 3, lowest: 2 },
      { s: "11", e: "14", n: 2, mean: 2, lowest: 2 },
      { s: "12", e: "15", n: 2, mean: 2, lowest: 2 },
    ]);
  });

  it("of hopping windows may have groups of any name", async () => {
    const names = ["k", "step", "back", "pane_start", "w", "p"];
    const groups = names.map((name) => ({ name, expression: name, duckdbType: "VARCHAR", postgresType: "text" }));
    await prepareTables(connection, owner, [{ ...hopping, groups }], 1);
    expect(await database.query(`select ${names.join(", ")} from per_three_minutes`)).toEqual([]);
  });

  it("is updated in place: no updated column is indexed", async () => {
    await begin(minute);
    for (let i = 0; i < 20; i++)
      await connection.transaction("commit", [
        compareAndMove(scope, [move(i, i + 1)]),
        upsert(delta(minute, [["00", "a", "1", "1", "1"]])),
      ]);
    await database.query("select pg_stat_force_next_flush()");
    await connection.close();
    const hot = async () =>
      await database.query(
        "select n_tup_upd::int as updates, n_tup_hot_upd::int as hot from pg_stat_user_tables where relname = 'per_minute'",
      );
    await expect.poll(hot, { timeout: 120_000 }).toEqual([{ updates: 19, hot: 19 }]);
  });

  it("that refuses a row leaves progress where it was", async () => {
    await begin(minute);
    const commit = connection.transaction("commit", [
      compareAndMove(scope, [move(0, 3)]),
      upsert(delta(minute, [["00", "a\0", "1", null, "0"]])),
    ]);
    await expect(commit).rejects.toThrow(RowRefused);
    expect(await readProgress(await connect(), owner, "events", [minute.name], [0])).toMatchObject([{ nextOffset: 0 }]);
  });
});

describe("progress", () => {
  it.each([
    ["another offset", move(1, 5)],
    ["another epoch", move(0, 5, { fromEpoch: 7 })],
    ["another plan", move(0, 5, { plan: "other" })],
    ["an unknown partition", move(0, 5, { partition: 3 })],
  ])("that is at %s refuses the whole transaction", async (_, wrong) => {
    await begin(minute);
    const commit = connection.transaction("commit", [
      compareAndMove(scope, [wrong]),
      upsert(delta(minute, [["00", "a", "1", null, "0"]])),
    ]);
    await expect(commit).rejects.toThrow(ProgressMoved);
    expect(await database.query("select * from per_minute")).toEqual([]);
  });

  it.each([
    ["topic id", { ...scope, topicId: "made again" }],
    ["uid", { ...scope, owner: { ...owner, uid: "second" } }],
  ])("of another %s refuses the transaction", async (_, other) => {
    await begin(minute);
    await expect(connection.transaction("commit", [compareAndMove(other, [move(0, 5)])])).rejects.toThrow(
      ProgressMoved,
    );
  });
});

describe("a claim", () => {
  it("is refused to another stage and to another pipeline, whose names are said", async () => {
    await begin(minute);
    expect(await refusal({ ...owner, stage: "other" }, minute)).toBe("TableClaimed");
    const [other] = await prepare({ ...owner, pipeline: "shop/other" }, [minute]);
    expect(other?.refusal?.message).toMatch(/written by stage metrics of pipeline shop\/events/);
  });

  it("passes on, with its progress, when the pipeline was made again and the pods of the old one are gone", async () => {
    await begin(minute);
    await announce(connection, owner);
    await connection.transaction("commit", [compareAndMove(scope, [move(0, 42)])]);
    connection = await connect();
    await announce(connection, owner);
    const again = { ...owner, uid: "second" };
    expect(await refusal(again, minute)).toBe("TableClaimed");
    await connection.close();
    for (const used of open.splice(0)) await used.close();
    await expect.poll(async () => await refusal(again, minute), { timeout: 120_000 }).toBe("accepted");
    expect(await readProgress(await connect(), again, "events", [minute.name], [0])).toMatchObject([
      { uid: "second", nextOffset: 42 },
    ]);
    expect(await refusal(owner, minute)).toBe("PipelineReplaced");
  });

  it("is not given for a table that someone else made", async () => {
    await database.query("create table per_minute (id int)");
    expect(await refusal(owner, minute)).toBe("TableExists");
    await database.query("create view per_three_minutes as select 1 as id");
    expect(await refusal(owner, hopping)).toBe("TableExists");
  });

  it("is refused where the table means something else, was altered, dropped, or lost its progress", async () => {
    await begin(minute);
    await connection.transaction("commit", [
      compareAndMove(scope, [move(0, 3)]),
      upsert(delta(minute, [["00", "a", "1", null, "0"]])),
    ]);
    expect(await refusal(owner, { ...minute, hash: "plan 9" })).toBe("TableChanged");
    await database.query("alter table per_minute add column note text");
    expect(await refusal(owner, minute)).toBe("accepted");
    await database.query("alter table per_minute alter column lowest type real");
    expect(await refusal(owner, minute)).toBe("TableChanged");
    await database.query(
      "alter table per_minute alter column lowest type double precision; delete from caudal.progress",
    );
    expect(await refusal(owner, minute)).toBe("TableWithoutProgress");
    await database.query("drop table per_minute");
    expect(await refusal(owner, minute)).toBe("TableMissing");
  });

  it.each([[minute], [hopping]])("can be taken back, so that the table is made anew", async (table) => {
    await begin(table);
    await database.query("select caudal.forget_table($1)", [table.name]);
    expect(await database.query("select * from caudal.progress")).toEqual([]);
    const [prepared] = await prepareTables(connection, owner, [table], 1);
    expect(prepared?.action).toBe("create");
  });
});

describe("a definition", () => {
  const other = { ...minute, hash: "plan 9" };
  const newest = { ...minute, hash: "plan 10" };
  const forget = async () => await database.query("select caudal.forget_table($1)", [minute.name]);

  it("that was asked for later keeps a forgotten table from those before it, in whatever order they come", async () => {
    await begin(minute);
    expect(await refusal(owner, newest, 3)).toBe("TableChanged");
    expect(await refusal(owner, other, 2)).toBe("DefinitionSuperseded");
    await forget();
    for (const [table, generation] of [
      [other, 2],
      [minute, 1],
    ] as const)
      expect(await refusal(owner, table, generation)).toBe("DefinitionSuperseded");
    expect(await database.query("select from pg_class where relname = 'per_minute'")).toEqual([]);
    expect(await refusal(owner, newest, 3)).toBe("accepted");
    expect(await refusal(owner, minute, 1)).toBe("DefinitionSuperseded");
  });

  it("is fenced nowhere by a change elsewhere, and comes back when it is written again", async () => {
    await begin(minute);
    expect(await refusal(owner, other, 2)).toBe("TableChanged");
    expect(await refusal(owner, minute, 1)).toBe("accepted");
    await renewAsked(connection, owner, [minute], 3);
    await forget();
    expect(await refusal(owner, other, 2)).toBe("DefinitionSuperseded");
    expect(await refusal(owner, minute, 3)).toBe("accepted");
  });

  it("of a pipeline that was created again replaces all of the one before, for good", async () => {
    await begin(minute);
    await forget();
    const again = { ...owner, uid: "second" };
    expect(await refusal(again, other, 1)).toBe("accepted");
    await forget();
    expect(await refusal(owner, minute, 7)).toBe("PipelineReplaced");
  });

  it("that is refused stands in no other table's way", async () => {
    await begin(minute);
    const prepared = await prepare(owner, [other, hopping], 2);
    expect(prepared.map(({ action }) => action)).toEqual(["refuse", "create"]);
  });

  it("lets nothing be written under another one: no first place, no progress, no mark", async () => {
    await begin(minute);
    await forget();
    expect(await refusal(owner, other, 2)).toBe("accepted");
    const first = { output: minute.name, plan: minute.hash, partition: 1, offset: 0 };
    await insertFirstProgress(connection, scope, [first]);
    expect(await readProgress(connection, owner, "events", [minute.name], [0, 1])).toEqual([]);
    await expect(readMarks(connection, owner, [minute])).rejects.toThrow(ProgressMoved);
    await expect(readPlaces(connection, scope, [minute], new Map([[0, 0]]))).rejects.toThrow(ProgressMoved);
    await expect(connection.transaction("commit", [compareAndMove(scope, [move(0, 3)])])).rejects.toThrow(
      ProgressMoved,
    );
  });

  it("of the release before is taken over with its table, its progress and its watermark", async () => {
    database = await server.database(`tables_${++count}`);
    await database.query(readFileSync(new URL("release-before.sql", import.meta.url), "utf8"));
    const rows = async () => await database.query("select * from per_minute order by window_start");
    const before = await rows();
    expect(before).toHaveLength(2);
    connection = await connect();
    await migrate(connection);
    const prepared = await prepare(owner, [minute, hopping], 4);
    expect(prepared.map(({ action }) => action)).toEqual(["keep", "keep"]);
    expect(await rows()).toEqual(before);
    await connection.transaction("commit", [
      compareAndMove(scope, [move(3, 4, { fromEpoch: 0, toEpoch: 0 })]),
      upsert(delta(minute, [["00", "a", "5", "1", "1"]])),
    ]);
    expect(await database.query("select n::int from per_minute order by window_start")).toEqual([{ n: 7 }, { n: 1 }]);
    expect((await readWatermark(connection, owner, "events", [minute.name])).watermark).toBe(
      Date.UTC(2026, 0, 1, 0, 4, 50),
    );
    expect(await refusal(owner, other, 3)).toBe("DefinitionSuperseded");
    await forget();
    expect(await refusal(owner, other, 3)).toBe("DefinitionSuperseded");
  });
});

describe("the watermark", () => {
  it("begins anew with the table that had come furthest, for the others too; one that lagged changes nothing", async () => {
    for (const [name, watermark] of [
      [hopping.name, 5_000],
      [minute.name, null],
    ] as const) {
      await begin(minute, hopping);
      await connection.transaction("commit", [compareAndMove(scope, [move(0, 9)])]);
      await moveWatermark(connection, owner, null, 5_000);
      await database.query("select caudal.forget_table($1)", [name]);
      expect((await readWatermark(connection, owner, "events", [minute.name])).watermark).toBe(watermark);
      expect(await moveWatermark(connection, owner, 5_000, 6_000)).toBe(watermark !== null);
      await database.query("select caudal.forget_table(table_name) from caudal.claims");
      await database.query("delete from caudal.watermarks");
    }
  });

  it("moves on only from where it was thought to be, and never back", async () => {
    expect(await moveWatermark(connection, owner, null, 5_000)).toBe(true);
    expect(await moveWatermark(connection, owner, null, 6_000)).toBe(false);
    expect(await moveWatermark(connection, owner, 5_000, 4_000)).toBe(false);
    expect(await moveWatermark(connection, owner, 5_000, 6_000)).toBe(true);
    expect(await readWatermark(connection, owner, "events", [minute.name])).toEqual({
      watermark: 6_000,
      partitions: [],
    });
  });
});
