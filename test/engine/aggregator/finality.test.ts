/** Final rows on their way into the outbox, on a real PostgreSQL: each once, then revisions, in the order of the commits. */
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { SealedBatch } from "../../../workloads/src/aggregator/batch.ts";
import { Ledger } from "../../../workloads/src/aggregator/ledger.ts";
import type { Delta } from "../../../workloads/src/kernel/delta.ts";
import { Connection } from "../../../workloads/src/postgres/connection.ts";
import type { Owner } from "../../../workloads/src/postgres/core/table-decision.ts";
import { WindowPassed } from "../../../workloads/src/postgres/errors.ts";
import { emitFinalRows } from "../../../workloads/src/postgres/finality.ts";
import { finalRowsIndex } from "../../../workloads/src/postgres/core/final-rows.ts";
import { ensureIndex } from "../../../workloads/src/postgres/housekeeping.ts";
import { type CheckStatement, checkWindows } from "../../../workloads/src/postgres/marks.ts";
import { compareAndMove, insertFirstProgress } from "../../../workloads/src/postgres/progress.ts";
import { deleteBelow, raiseFloor } from "../../../workloads/src/postgres/retention.ts";
import type { TablePlan } from "../../../pipeline/src/sql/plan.ts";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";
import { randomFrom } from "./events.ts";
import { delta, hopping, minute } from "./plans.ts";

let server: Postgres;
let database: Database;
let house: Connection;
let ledger: Ledger;
let offset = 0;
let count = 0;
const open: { close(): Promise<void> }[] = [];

const owner: Owner = { pipeline: "shop/events", stage: "metrics", uid: "first" };
const scope = { owner, topic: "events", topicId: "id" };
const emit = { topic: "finals", revisions: true };
const byMinute: TablePlan = { ...minute, emit, retention: 60_000 };
const byPane: TablePlan = { ...hopping, emit };
const total: TablePlan = { ...hopping, name: "totals", hash: "plan 3", groups: [], emit };
const tables = [byMinute, byPane];
const at = (text: string) => Date.parse(`2026-01-01T00:${text}:00Z`);
type Row = readonly [start: string, kind: string | null, n: number];

const openLedger = async (check: CheckStatement = checkWindows, closing: readonly string[] = []): Promise<Ledger> => {
  const opened = await Ledger.open({
    ...{
      secret: database.secret,
      owner,
      tables,
      move: compareAndMove,
      check,
      closing: new Map(closing.map((name) => [name, 0])),
    },
    ...{
      onCall: () => undefined,
      onRetry: () => undefined,
      generation: async () => await Promise.resolve(1),
      log: pino({ level: "silent" }),
    },
  });
  open.push(opened);
  return opened;
};
const sealed = (deltas: readonly Delta[], from: number): SealedBatch => ({
  deltas,
  moves: tables.map(({ name, hash }) => ({
    ...{ output: name, plan: hash, partition: 0, from, to: from + 1, fromEpoch: -1, toEpoch: -1 },
    maxEventTime: null,
  })),
  ...{ letters: [], judgements: [], events: 1, late: new Map(), lateEvents: 0, expired: new Map(), traceparents: [] },
});
/** One commit of rows with a count, and their sum of the same value. */
const commit = async (rows: readonly Row[], into: readonly TablePlan[] = tables, by = ledger): Promise<void> => {
  const deltas = into.map((table) =>
    delta(
      table,
      rows.map(([start, kind, n]) => [start, kind, String(n), String(n), "1"]),
    ),
  );
  await by.commit(scope, sealed(deltas, offset));
  offset++;
};
const watermark = async (text: string): Promise<void> => {
  await database.query(
    `insert into caudal.watermarks (pipeline, stage, watermark) values ($1, $2, $3)
      on conflict (pipeline, stage) do update set watermark = excluded.watermark`,
    [owner.pipeline, owner.stage, new Date(at(text)).toISOString()],
  );
};
const emitAll = async (table: TablePlan, limit = 2): Promise<number> => {
  for (let rows = 0, turn = 0; ; turn++) {
    const emitted = await emitFinalRows(house, owner, table, limit);
    rows += emitted.rows;
    if (!emitted.more || turn > 1_000) return rows;
  }
};
/** `window start, group, count, revision` of each record, in order. */
const records = async (table: TablePlan): Promise<string[]> => {
  const rows = await database.query<{ key: string | null; value: string }>(
    "select key, value from caudal.outbox where table_name = $1 order by seq",
    [table.name],
  );
  return rows.map(({ key, value }) => {
    const row = JSON.parse(value) as { window_start: string; kind: string | null; n: number; revision: number };
    expect(key).toBe(row.kind);
    return `${row.window_start.slice(14, 16)} ${row.kind ?? "-"} ${row.n} r${row.revision}`;
  });
};

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.stop();
});
beforeEach(async () => {
  database = await server.database(`finality_${++count}`);
  offset = 0;
  ledger = await openLedger();
  const first = tables.map(({ name, hash }) => ({ output: name, plan: hash, partition: 0, offset: 0 }));
  await insertFirstProgress(ledger.control, scope, first);
  house = await Connection.open({ secret: database.secret, applicationName: "house" });
  open.push(house);
  for (const table of tables) await ensureIndex(house, table, finalRowsIndex(table));
});
afterEach(async () => {
  for (const used of open.splice(0)) await used.close();
});

describe("rows of windows that the watermark has passed", () => {
  it("are put into the outbox once, a part at a time, with all that people see", async () => {
    await commit([
      ["00", "a", 1],
      ["00", null, 2],
      ["00", "b", 3],
      ["01", "a", 4],
      ["02", "a", 5],
    ]);
    expect(await emitAll(byMinute)).toBe(0);
    await watermark("02");
    expect(await emitFinalRows(house, owner, byMinute, 2)).toMatchObject({ rows: 2, more: true });
    expect(await emitAll(byMinute)).toBe(2);
    expect(await emitAll(byMinute)).toBe(0);
    expect((await records(byMinute)).sort()).toEqual(["00 - 2 r0", "00 a 1 r0", "00 b 3 r0", "01 a 4 r0"]);
    const [row] = await database.query<{ value: string }>(
      "select value from caudal.outbox where table_name = 'per_minute' and key = 'b'",
    );
    expect(JSON.parse(row?.value ?? "")).toEqual({
      ...{ window_start: "2026-01-01T00:00:00+00:00", window_end: "2026-01-01T00:01:00+00:00" },
      ...{ kind: "b", n: 3, mean: 3, lowest: 3, revision: 0 },
    });
  });

  it("that are kept as panes are added up then", async () => {
    await commit([
      ["10", "a", 1],
      ["12", "a", 2],
      ["12", null, 4],
      ["40", "a", 8],
    ]);
    await watermark("12");
    await emitAll(byPane);
    expect(await records(byPane)).toEqual(["08 a 1 r0", "09 a 1 r0"]);
    await watermark("59");
    await emitAll(byPane);
    expect((await records(byPane)).sort()).toEqual(
      [
        ...["08 a 1", "09 a 1", "10 a 3", "11 a 2", "12 a 2", "38 a 8", "39 a 8", "40 a 8"],
        ...["10 - 4", "11 - 4", "12 - 4"],
      ]
        .map((text) => `${text} r0`)
        .sort(),
    );
  });

  it("of a table without groups have no key", async () => {
    const opened = await Ledger.open({
      ...{ secret: database.secret, owner, tables: [total], move: compareAndMove, check: checkWindows },
      ...{
        closing: new Map<string, number>(),
        onCall: () => undefined,
        onRetry: () => undefined,
        generation: async () => await Promise.resolve(1),
      },
      log: pino({ level: "silent" }),
    });
    open.push(opened);
    await opened.control.query("rows", {
      text: `insert into caudal.totals_panes (window_start, n, "_mean_s", "_mean_n", lowest)
        values ('2026-01-01T00:10:00Z', 1, 1, 1, 1), ('2026-01-01T00:11:00Z', 2, 1, 1, 1)`,
    });
    await opened.control.query("progress", {
      text: `insert into caudal.progress (pipeline, output, topic, partition, uid, next_offset, topic_id, leader_epoch, plan)
        select pipeline, 'totals', topic, partition, uid, next_offset, topic_id, leader_epoch, 'plan 3' from caudal.progress limit 1`,
    });
    await watermark("59");
    expect(await emitAll(total)).toBe(4);
    expect(await database.query("select distinct key from caudal.outbox where table_name = 'totals'")).toEqual([
      { key: null },
    ]);
  });

  it("wait for a table that still catches up with the others, and for retention of what was not sent", async () => {
    await commit([["00", "a", 1]]);
    await watermark("59");
    await database.query("update caudal.progress set next_offset = 0 where output = 'per_minute'");
    expect(await emitAll(byMinute)).toBe(0);
    expect(await raiseFloor(house, owner, byMinute)).toBeNull();
    await database.query("update caudal.progress set next_offset = 1 where output = 'per_minute'");
    expect(await emitAll(byMinute)).toBe(1);
    expect(await raiseFloor(house, owner, byMinute)).toBe(at("58"));
    expect(await deleteBelow(house, byMinute, at("58"), 9)).toBe(1);
  });
});

describe("a change of a final row", () => {
  it("is counted in the row and sent again, also by a worker that did not know", async () => {
    await commit([
      ["00", "a", 1],
      ["00", "b", 1],
    ]);
    await watermark("01");
    await emitAll(byMinute);
    await commit([
      ["00", "a", 1],
      ["05", "a", 1],
    ]);
    await commit([
      ["00", "a", 1],
      ["00", "c", 7],
    ]);
    const sent = await records(byMinute);
    expect(sent.slice(0, 2).sort()).toEqual(["00 a 1 r0", "00 b 1 r0"]);
    expect(sent.slice(2).sort()).toEqual(["00 a 2 r1", "00 a 3 r2", "00 c 7 r1"]);
    expect(sent.indexOf("00 a 2 r1")).toBeLessThan(sent.indexOf("00 a 3 r2"));
  });

  it("that comes before the row was put into the outbox is in it", async () => {
    await commit([
      ["00", "a", 1],
      ["00", "b", 1],
      ["00", "c", 1],
    ]);
    await watermark("01");
    const first = await emitFinalRows(house, owner, byMinute, 1);
    expect(first).toMatchObject({ rows: 1, more: true });
    const [begun = ""] = await records(byMinute);
    await commit([
      ["00", "a", 10],
      ["00", "b", 10],
      ["00", "c", 10],
    ]);
    await emitAll(byMinute);
    const kind = begun.slice(3, 4);
    const others = ["a", "b", "c"].filter((other) => other !== kind);
    expect(await records(byMinute)).toHaveLength(4);
    expect(new Set(await records(byMinute))).toEqual(
      new Set([`00 ${kind} 1 r0`, `00 ${kind} 11 r1`, ...others.map((other) => `00 ${other} 11 r0`)]),
    );
  });

  it("of a pane sends all windows again that hold it and were sent", async () => {
    await commit([
      ["10", "a", 1],
      ["11", "a", 2],
    ]);
    await watermark("13");
    await emitAll(byPane);
    expect(await records(byPane)).toEqual(["08 a 1 r0", "09 a 3 r0", "10 a 3 r0"]);
    await commit([["11", "a", 10]]);
    expect((await records(byPane)).slice(3)).toEqual(["09 a 13 r1", "10 a 13 r1"]);
    await watermark("20");
    await emitAll(byPane);
    expect((await records(byPane)).slice(5)).toEqual(["11 a 12 r1"]);
  });

  it("is refused where nothing may change it", async () => {
    await commit([["00", "a", 1]]);
    await watermark("01");
    await emitAll(byMinute);
    const strict: TablePlan = { ...byMinute, emit: { topic: "finals", revisions: false } };
    const closing = await openLedger(checkWindows, [byMinute.name]);
    await expect(commit([["00", "a", 1]], [strict], closing)).rejects.toThrow(WindowPassed);
    await commit([["01", "a", 1]], [strict], closing);
    const unguarded = await openLedger(() => ({ text: "select" }), [byMinute.name]);
    await commit([["00", "a", 1]], [strict], unguarded);
    // The table says 2 now, and the topic 1 for ever: what the guard is for.
    expect(await records(byMinute)).toEqual(["00 a 1 r0"]);
    expect(await database.query("select n::int from per_minute where window_start = '2026-01-01T00:00:00Z'")).toEqual([
      { n: 2 },
    ]);
  });
});

it.each([1, 2, 3])(
  "whatever the order, the last record of each row is the row, and no revision comes twice (seed %i)",
  async (seed) => {
    const random = randomFrom(seed);
    const pick = (below: number) => Math.floor(random() * below);
    const kinds = [null, "a", "b", "c", "d", "e"];
    let minuteNow = 5;
    for (let step = 0; step < 120; step++) {
      const action = pick(10);
      if (action < 5) {
        const rows = new Map<string, Row>();
        for (let row = 0; row < 1 + pick(4); row++) {
          const start = String(Math.max(0, minuteNow + 1 - pick(5))).padStart(2, "0");
          const kind = kinds[pick(kinds.length)] ?? null;
          rows.set(`${start} ${kind}`, [start, kind, 1 + pick(9)]);
        }
        await commit([...rows.values()]);
      } else if (action < 7) {
        minuteNow = Math.min(50, minuteNow + pick(3));
        await watermark(String(minuteNow).padStart(2, "0"));
      } else for (const table of tables) await emitFinalRows(house, owner, table, 1 + pick(3));
    }
    await watermark("59");
    for (const table of tables) {
      await emitAll(table);
      const sent = await records(table);
      expect(new Set(sent.map((text) => text.replace(/ \d+ (r\d+)$/, " $1"))).size).toBe(sent.length);
      const last = new Map(sent.map((text) => [text.slice(0, text.lastIndexOf(" ", text.lastIndexOf(" ") - 1)), text]));
      const rows = await database.query<{ text: string }>(
        `select to_char(window_start, 'MI') || ' ' || coalesce(kind, '-') || ' ' || n || ' r' || revision as text from ${table.name}`,
      );
      expect([...last.values()].sort()).toEqual(rows.map(({ text }) => text).sort());
    }
  },
);
