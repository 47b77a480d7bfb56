/** Timestamp mode against a real PostgreSQL and a real broker. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { field, latest, type Sent, untilSent, useSource } from "./scene.ts";
import { session } from "./writers.ts";

const source = useSource("timestamp");

const items = {
  ddl: `create table items (id bigint primary key, name text, changed timestamptz not null);
    create index on items (changed, id)`,
  fields: [field("id", "bigint"), field("name", "string", true), field("changed", "timestamp")],
  key: "id",
};

const rows = (from: number, to: number, time = "now()") =>
  `insert into items select n, 'row ' || n, ${time} from generate_series(${from}, ${to}) n`;

const upTo = (n: number): number[] => Array.from({ length: n }, (_, at) => at + 1);
const idsOf = (records: readonly Sent[]): number[] =>
  records.map(({ value }) => Number(value?.["id"])).sort((a, b) => a - b);

it("sends what is there in pages, then what comes, and each row once", async () => {
  const scene = await source(items);
  // Thousands of equal timestamps, over page borders; and some older, some of the future.
  await scene.database.query(rows(1, 7_000, "timestamptz '2026-01-01 12:00Z'"));
  await scene.database.query(rows(7_001, 7_100, "timestamptz '2001-01-01 12:00Z' + n * interval '1 s'"));
  await scene.database.query(rows(7_101, 7_110, "now() + interval '1 day'"));
  const worker = await scene.start();
  await untilSent(worker, 7_110);
  await scene.database.query(rows(7_111, 7_200));
  await scene.database.query("update items set name = 'new name', changed = now() where id = 5");
  await untilSent(worker, 7_201);
  const records = await scene.records();
  expect(records).toHaveLength(7_201);
  expect(new Set(records.map(({ text }) => text)).size).toBe(7_201);
  expect(latest(records).get("5")?.["name"]).toBe("new name");
  expect(records.every(({ key, value }) => key === String(value?.["id"]))).toBe(true);
  expect(await worker.drain()).toBe(0);
});

it("does not pass over transactions that commit late, nor what savepoints of theirs wrote", async () => {
  const scene = await source(items);
  await scene.database.query(rows(1, 10));
  const worker = await scene.start();
  await untilSent(worker, 10);
  const [first, second] = await Promise.all([session(scene), session(scene)]);
  await first.query("begin");
  await first.query(rows(11, 20));
  await second.query("begin; savepoint s");
  await second.query(rows(21, 30));
  await second.query("release savepoint s");
  await scene.database.query(rows(31, 40));
  await first.query("commit");
  // All that comes before the one that is still open; what was written after it began to write waits.
  await untilSent(worker, 20);
  await scene.database.query(rows(41, 50));
  await second.query("commit");
  await untilSent(worker, 50);
  await Promise.all([first.end(), second.end()]);
  expect(idsOf(await scene.records())).toEqual(upTo(50));
});

it("knows how old the timestamps of open transactions may be, also as a user who may not see them", async () => {
  const scene = await source({ ...items, postgres: { lookbackMs: 0 } });
  const reader = await scene.server.user(scene.database.name, "reader");
  await scene.database.query("grant select on items to reader");
  await scene.database.query(rows(1, 10));
  const { source: given } = scene.config;
  const config = {
    ...scene.config,
    ...(given && { source: { ...given, postgres: { ...given.postgres, secret: reader } } }),
  };
  const before = await session(scene);
  await before.query("begin; select now()");
  const worker = await scene.start({}, config);
  await untilSent(worker, 10);
  const during = await session(scene);
  await during.query("begin; select now()");
  for (const from of [11, 21, 31]) {
    await sleep(700);
    await scene.database.query(rows(from, from + 9));
    await untilSent(worker, from + 9);
  }
  await worker.kill();
  const again = await scene.start({}, config);
  await during.query(rows(41, 50));
  await during.query("commit");
  await untilSent(again, 10);
  await before.query(rows(51, 60));
  await before.query("commit");
  await untilSent(again, 20);
  await Promise.all([before.end(), during.end()]);
  expect(idsOf(await scene.records())).toEqual(upTo(60));
});

it("takes timestamps without time zone that are hours behind the server's clock", async () => {
  const scene = await source({
    ...items,
    ddl: items.ddl.replace("timestamptz", "timestamp"),
    postgres: { lookbackMs: 0 },
  });
  const worker = await scene.start();
  const local = "now() at time zone 'America/Sao_Paulo'";
  for (const from of [1, 11, 21]) {
    await scene.database.query(rows(from, from + 9, local));
    await untilSent(worker, from + 9);
  }
  expect(idsOf(await scene.records())).toEqual(upTo(30));
});
