/** Retention as a stage does it: old rows go, what comes for them later is told, and no other replica does the same work. */
import { expect, it } from "vitest";
import type { Database } from "../postgres.ts";
import { useScene } from "./scene.ts";
import { startWorker, untilDone, type Worker } from "./stage.ts";

const newScene = useScene("kept");
const soon = { timeout: 120_000, interval: 100 };
const watermark = { maxDelayMs: 1_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 };
const event = (id: number, minute: number, fields: object = {}) =>
  JSON.stringify({
    event_id: `00000000-0000-4000-8000-${String(id).padStart(12, "0")}`,
    event_ts: new Date(Date.UTC(2026, 0, 1, 0, minute, 30)).toISOString(),
    user_id: "u",
    ...fields,
  });
const minutesOf = async (database: Database, table: string): Promise<string> => {
  const rows = await database.query<{ at: string }>(
    `select to_char(window_start, 'MI') as at from ${table} order by window_start`,
  );
  return rows.map(({ at }) => at).join(" ");
};
const counter = async (worker: Worker, name: string): Promise<number> => {
  const { text } = await worker.get("/metrics");
  return [...text.matchAll(new RegExp(`^${name}\\{.*\\} (\\d+)$`, "gm"))].reduce((sum, [, n]) => sum + Number(n), 0);
};

const run = async (lateEvents: "Update" | "DeadLetter" | "Drop") => {
  const { topic, database, config, deadLetters } = await newScene(1);
  const declared = config().aggregator?.tables ?? [];
  // The windows that overlap are kept for ever.
  const tables = declared.map((table) => (table.name === "user_waiting" ? table : { ...table, retention: "5m" }));
  const workers = [
    await startWorker(config({ aggregator: { lateEvents, watermark, tables } })),
    await startWorker(config({ aggregator: { lateEvents, watermark, tables } })),
  ];
  await topic.send([event(1, 0), event(2, 1), event(3, 20), event(4, 22)]);
  await expect.poll(async () => await minutesOf(database, "event_counts").catch(() => ""), soon).toBe("20 22");
  await expect.poll(async () => await minutesOf(database, "user_counts"), soon).toBe("20 22");
  await expect.poll(async () => await minutesOf(database, "user_sessions"), soon).toBe("20 22");
  await topic.send([event(5, 1), event(6, 20), event(7, 21)]);
  const ends = await topic.seal();
  const outputs = tables.map(({ name }) => name);
  await untilDone(database, topic.name, ends, 60, outputs);
  const letters = (await deadLetters.readTo(await deadLetters.seal())).filter(({ value }) => value !== null);
  return {
    kept: await minutesOf(database, "event_counts"),
    sessions: await minutesOf(database, "user_sessions"),
    whole: await minutesOf(database, "user_waiting"),
    letters: [
      // A batch whose commit was refused is judged again: letters of one offset count as one, which is the last.
      ...new Map(
        letters.map(({ headers: h }) => [
          h["caudal-offset"],
          [h["caudal-reason"], h["caudal-offset"], h["caudal-tables"]],
        ]),
      ).values(),
    ],
    late: (await Promise.all(workers.map((worker) => counter(worker, "caudal_late_events_total")))).sort(),
    expired: (await Promise.all(workers.map((worker) => counter(worker, "caudal_expired_events_total")))).sort(),
    deleted: (
      await Promise.all(workers.map((worker) => counter(worker, "caudal_retention_deleted_rows_total")))
    ).sort(),
  };
};
const rest = { whole: "58 59 00 01 18 19 20 21 22", late: [0, 10], deleted: [0, 6] };

it("under Update, events older than what is kept go to the dead letters, and others revise their row", async () => {
  const letters = [["RetentionPassed", "4", "event_counts,user_counts,user_sessions"]];
  const kept = "20 21 22";
  expect(await run("Update")).toEqual({ ...rest, kept, sessions: kept, letters, expired: [0, 3] });
});

it("under DeadLetter they are late events like others", async () => {
  const letters = [
    ["LateEvent", "4", "event_counts,user_counts,user_waiting,user_sessions"],
    ["LateEvent", "5", "event_counts,user_counts,user_sessions"],
    ["LateEvent", "6", "event_counts,user_counts,user_sessions"],
  ];
  expect(await run("DeadLetter")).toEqual({ ...rest, kept: "20 22", sessions: "20 22", letters, expired: [0, 0] });
});

it("under Drop they are counted and left out", async () => {
  expect(await run("Drop")).toEqual({ ...rest, kept: "20 22", sessions: "20 22", letters: [], expired: [0, 0] });
});

it("a table that is added later leaves out what is older than it keeps, and counts it", async () => {
  const { topic, database, config, deadLetters } = await newScene(1);
  const [one, two] = config().aggregator?.tables ?? [];
  if (one === undefined || two === undefined) throw new TypeError("two tables");
  const before = await startWorker(config({ aggregator: { watermark, tables: [one] } }));
  await topic.send([event(1, 0), event(2, 1), event(3, 20), event(4, 22)]);
  const passed = "select max(watermark)::text as at from caudal.watermarks";
  await expect
    .poll(async () => (await database.query<{ at: string }>(passed).catch(() => []))[0]?.at, soon)
    .toBe("2026-01-01 00:22:29+00");
  expect(await before.drain()).toBe(0);
  const after = config({ aggregator: { watermark, tables: [one, { ...two, retention: "5m" }] } });
  const first = await startWorker(after);
  await expect.poll(async () => await minutesOf(database, "user_counts").catch(() => ""), soon).toBe("20 22");
  expect(await first.drain()).toBe(0);
  // As after a pause of its catching up: the floor is there before its first event is read.
  await database.query("update caudal.progress set next_offset = 0 where output = 'user_counts'");
  await database.query("delete from user_counts");
  const second = await startWorker(after);
  await expect.poll(async () => await minutesOf(database, "user_counts"), soon).toBe("20 22");
  expect(await counter(second, "caudal_expired_events_total")).toBe(2);
  expect((await deadLetters.readTo(await deadLetters.seal())).filter(({ value }) => value !== null)).toEqual([]);
});
