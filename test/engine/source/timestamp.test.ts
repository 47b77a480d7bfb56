/** Timestamp mode against a real PostgreSQL and a real broker. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { randomFrom } from "../aggregator/events.ts";
import { poll } from "../../cluster/host/poll.ts";
import { field, latest, type Sent, untilSent, useSource } from "./scene.ts";
import { session, startWriters } from "./writers.ts";

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

it("neither misses nor repeats a row version while it, the broker and the database are killed", async () => {
  const scene = await source({ ...items, partitions: 4 });
  await scene.database.query(`create sequence versions; alter table items add version bigint`);
  const { source: given } = scene.config;
  const fields = [...items.fields, field("version", "bigint")];
  const config = { ...scene.config, ...(given && { source: { ...given, topic: { ...given.topic, fields } } }) };
  await scene.database.query(
    "insert into items select n, 'row', now() - interval '1 h', nextval('versions') from generate_series(1, 9000) n",
  );
  const random = randomFrom(11);
  const pick = (below: number) => Math.floor(random() * below);
  let next = 9_000;
  const writers = startWriters(
    scene,
    async (client) => {
      for (let n = 0; n <= pick(4); n++) {
        // Rows that are inserted once and never again, and rows that change again and again.
        await client.query("savepoint s");
        await client.query("insert into items values ($1, 'new', now(), nextval('versions'))", [++next]);
        await client.query(
          "update items set name = $2, changed = clock_timestamp(), version = nextval('versions') where id = $1",
          [1 + pick(200), `name ${pick(1_000)}`],
        );
        await sleep(pick(40));
        await client.query(pick(5) === 0 ? "rollback to savepoint s" : "release savepoint s");
      }
      await sleep(pick(20));
    },
    () => pick(8) === 0,
  );
  for (let kill = 0; kill < 14; kill++) {
    const worker = await scene.start({}, config);
    await sleep(300 + pick(1_500));
    if (kill === 4) await scene.server.kill();
    if (kill === 4) await scene.server.start();
    if (kill === 8) await scene.broker.restart();
    if (kill % 5 === 3) await sleep(1_500);
    await worker.kill();
  }
  await writers.end();
  const last = await scene.start({}, config);
  const table = await scene.database.query<{ id: string; version: string }>(
    "select id, version from items order by id",
  );
  const missing = async (): Promise<number> => {
    const sent = latest(await scene.records());
    return table.filter(({ id, version }) => String(sent.get(id)?.["version"]) !== version).length;
  };
  await poll(async () => ((await missing()) === 0 ? true : undefined), {
    seconds: 60,
    everyMs: 500,
    onTimeout: async () => `${await missing()} rows are not as in the table:\n${last.log()}`,
  });
  const records = await scene.records();
  const versions = new Map<string, number>();
  for (const { key, value } of records.toSorted((a, b) => a.offset - b.offset)) {
    const version = Number(value?.["version"]);
    expect(version).toBeGreaterThan(versions.get(key) ?? 0);
    versions.set(key, version);
  }
  expect(versions.size).toBe(table.length);
});
