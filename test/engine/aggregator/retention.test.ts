/** Retention and its floor: what is deleted stays deleted, whoever comes late; what is above it stays. */
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { SealedBatch } from "../../../workloads/src/aggregator/batch.ts";
import { Ledger } from "../../../workloads/src/aggregator/ledger.ts";
import { Connection } from "../../../workloads/src/postgres/connection.ts";
import { oldRowsIndex } from "../../../workloads/src/postgres/core/final-rows.ts";
import { ensureIndex } from "../../../workloads/src/postgres/housekeeping.ts";
import type { Owner } from "../../../workloads/src/postgres/core/table-decision.ts";
import { WindowPassed } from "../../../workloads/src/postgres/errors.ts";
import { checkWindows, type CheckStatement } from "../../../workloads/src/postgres/marks.ts";
import { compareAndMove, insertFirstProgress } from "../../../workloads/src/postgres/progress.ts";
import { deleteBelow, raiseFloor } from "../../../workloads/src/postgres/retention.ts";
import { moveWatermark } from "../../../workloads/src/postgres/watermarks.ts";
import type { Delta } from "../../../workloads/src/kernel/delta.ts";
import type { TablePlan } from "../../../pipeline/src/sql/plan.ts";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";
import { delta, hopping, minute } from "./plans.ts";

let server: Postgres;
let database: Database;
let house: Connection;
const open: { close(): Promise<void> }[] = [];
let count = 0;

const owner: Owner = { pipeline: "shop/events", stage: "metrics", uid: "first" };
const scope = { owner, topic: "events", topicId: "id" };
const tables: readonly TablePlan[] = [
  { ...minute, retention: 300_000 },
  { ...hopping, retention: 300_000 },
];
const [byMinute, byPane] = tables as [TablePlan, TablePlan];
const at = (text: string) => Date.parse(`2026-01-01T00:${text}:00Z`);

const connect = async (): Promise<Connection> => {
  const opened = await Connection.open({ secret: database.secret, applicationName: "test" });
  open.push(opened);
  return opened;
};
const openLedger = async (check: CheckStatement = checkWindows): Promise<Ledger> => {
  const ledger = await Ledger.open({
    ...{ secret: database.secret, owner, tables, move: compareAndMove, check, closing: new Map<string, number>() },
    ...{
      onCall: () => undefined,
      onRetry: () => undefined,
      generation: async () => await Promise.resolve(1),
      log: pino({ level: "silent" }),
    },
  });
  open.push(ledger);
  return ledger;
};
/** What a worker has computed from offsets [from, to), however long ago. */
const batch = (from: number, to: number, ...deltas: readonly Delta[]): SealedBatch => ({
  deltas,
  moves: deltas.map(({ table }) => ({
    ...{ output: table.name, plan: table.hash, partition: 0, from, to, fromEpoch: -1, toEpoch: -1 },
    maxEventTime: null,
  })),
  ...{
    letters: [],
    judgements: [],
    events: to - from,
    late: new Map(),
    lateEvents: 0,
    expired: new Map(),
    traceparents: [],
  },
});
const row = (start: string): readonly [string, string, string, string, string] => [start, "a", "1", "1", "1"];
const starts = async (table: string) =>
  (
    await database.query<{ at: string }>(`select to_char(window_start, 'MI') as at from ${table} order by window_start`)
  ).map(({ at: text }) => text);
const look = (end: number) => checkWindows([{ table: byMinute.name, end, openEnd: null, revises: false }]);
const noCheck: CheckStatement = () => ({ text: "select" });

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.stop();
});
beforeEach(async () => {
  database = await server.database(`retention_${++count}`);
  const ledger = await openLedger();
  const first = tables.map(({ name, hash }) => ({ output: name, plan: hash, partition: 0, offset: 0 }));
  await insertFirstProgress(ledger.control, scope, first);
  house = await connect();
});
afterEach(async () => {
  for (const used of open.splice(0)) await used.close();
});

describe("a worker with data from an hour ago", () => {
  const comeBack = async (check: CheckStatement): Promise<string[]> => {
    const ledger = await openLedger(check);
    await ledger.commit(scope, batch(0, 3, delta(byMinute, [row("00"), row("59")])));
    const old = batch(3, 4, delta(byMinute, [row("00")]));
    await moveWatermark(house, owner, null, at("59"));
    expect(await raiseFloor(house, owner, byMinute)).toBe(at("54"));
    expect(await deleteBelow(house, byMinute, at("54"), 100)).toBe(1);
    await ledger.commit(scope, old);
    return await starts("per_minute");
  };

  it("cannot bring a deleted window back", async () => {
    await expect(comeBack(checkWindows)).rejects.toThrow(WindowPassed);
    expect(await starts("per_minute")).toEqual(["59"]);
  });

  it("would without a look at the floor", async () => {
    expect(await comeBack(noCheck)).toEqual(["00", "59"]);
  });
});

describe("the floor", () => {
  it("waits for a commit that has looked at it, and the next commit for the floor", async () => {
    await moveWatermark(house, owner, null, at("59"));
    const committing = await connect();
    await committing.query("begin", { text: "begin" });
    await committing.query("check", look(at("01")));
    const raising = raiseFloor(house, owner, byMinute);
    await sleep(300);
    expect(await database.query("select floor from caudal.claims where floor is not null")).toEqual([]);
    await committing.query("commit", { text: "commit" });
    expect(await raising).toBe(at("54"));
    await expect(committing.query("check", look(at("54")))).rejects.toThrow(
      /keeps windows that end after 2026-01-01 00:54:00\+00, not one that ends at 2026-01-01 00:54:00\+00/,
    );
    await committing.query("check", look(at("55")));
  });

  it("is not waited for without end: it is raised at a later turn", async () => {
    await moveWatermark(house, owner, null, at("59"));
    const committing = await connect();
    await committing.query("begin", { text: "begin" });
    await committing.query("check", look(at("01")));
    expect(await raiseFloor(house, owner, byMinute)).toBeNull();
    await committing.query("rollback", { text: "rollback" });
    expect(await raiseFloor(house, owner, byMinute)).toBe(at("54"));
  });

  it("lies between two windows, and never goes back when retention becomes longer", async () => {
    await moveWatermark(house, owner, null, at("30") + 59_999);
    expect(await raiseFloor(house, owner, byMinute)).toBe(at("25"));
    expect(await raiseFloor(house, owner, { ...byMinute, retention: 1_200_000 })).toBe(at("25"));
    expect(await raiseFloor(house, owner, { ...byMinute, retention: 60_000 })).toBe(at("29"));
  });

  it.each([
    ["another pipeline", { ...owner, pipeline: "shop/other" }, byMinute],
    ["a pipeline that was deleted and made again", { ...owner, uid: "second" }, byMinute],
    ["another definition of the table", owner, { ...byMinute, hash: "other" }],
  ])("is not moved by %s", async (_, other, table) => {
    for (const who of [owner, other]) await moveWatermark(house, who, null, at("59"));
    expect(await raiseFloor(house, other, table)).toBeNull();
    expect(await database.query("select floor from caudal.claims where floor is not null")).toEqual([]);
  });
});

describe("rows below the floor", () => {
  it("go oldest first, a little at a time, and those that someone holds at a later turn", async () => {
    const ledger = await openLedger();
    await ledger.commit(scope, batch(0, 9, delta(byMinute, ["00", "01", "02", "03", "59"].map(row))));
    await ensureIndex(house, byMinute, oldRowsIndex(byMinute));
    const holder = await connect();
    await holder.query("begin", { text: "begin" });
    await holder.query("hold", {
      text: "select from public.per_minute where window_start = '2026-01-01T00:01:00Z' for update",
    });
    expect(await deleteBelow(house, byMinute, at("54"), 2)).toBe(2);
    expect(await starts("per_minute")).toEqual(["01", "03", "59"]);
    await holder.query("rollback", { text: "rollback" });
    expect(await deleteBelow(house, byMinute, at("54"), 9)).toBe(2);
    expect(await starts("per_minute")).toEqual(["59"]);
  });

  it("of a table of panes go when no window that is kept needs them; windows are shown whole or not at all", async () => {
    const ledger = await openLedger();
    await ledger.commit(scope, batch(0, 9, delta(byPane, ["10", "11", "12", "13"].map(row))));
    await moveWatermark(house, owner, null, at("18"));
    expect(await raiseFloor(house, owner, byPane)).toBe(at("13"));
    const whole = ["11", "12", "13"];
    expect(await starts("per_three_minutes")).toEqual(whole);
    expect(await deleteBelow(house, byPane, at("13"), 9)).toBe(1);
    expect(await starts("caudal.per_three_minutes_panes")).toEqual(whole);
    expect(await database.query("select n::int from per_three_minutes order by window_start")).toEqual([
      { n: 3 },
      { n: 2 },
      { n: 1 },
    ]);
  });

  it("are found by an index that is made beside commits, and made again when it was left half made", async () => {
    const ledger = await openLedger();
    const busy = await connect();
    await busy.query("begin", { text: "begin" });
    await busy.query("busy", { text: "select count(*) from public.per_minute" });
    const making = ensureIndex(house, byMinute, oldRowsIndex(byMinute));
    await ledger.commit(scope, batch(0, 1, delta(byMinute, [row("00")])));
    await busy.query("commit", { text: "commit" });
    await making;
    await database.query("update pg_index set indisvalid = false where indexrelid = 'per_minute_by_end'::regclass");
    await ensureIndex(house, byMinute, oldRowsIndex(byMinute));
    expect(
      await database.query("select indisvalid from pg_index where indexrelid = 'per_minute_by_end'::regclass"),
    ).toEqual([{ indisvalid: true }]);
  });

  it("are found by an index that has another name where something else has its own", async () => {
    await openLedger();
    await database.query("create table other (v int); create index per_minute_by_end on other (v)");
    await ensureIndex(house, byMinute, oldRowsIndex(byMinute));
    await ensureIndex(house, byMinute, oldRowsIndex(byMinute));
    const found = await database.query(
      "select indexrelid::regclass::text as index, indrelid::regclass::text as of from pg_index where indexrelid::regclass::text like '%by_end%' order by 1",
    );
    expect(found).toEqual([
      { index: '"#per_minute_by_end"', of: "per_minute" },
      { index: "per_minute_by_end", of: "other" },
    ]);
  });
});

it("a table's view that an earlier release made is made anew", async () => {
  await database.query("comment on view per_three_minutes is null");
  await openLedger();
  expect(await database.query("select obj_description('per_three_minutes'::regclass) as is")).toEqual([
    { is: expect.stringMatching(/^Windows, added up from the panes/) as string },
  ]);
});
