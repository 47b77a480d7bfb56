/** Timestamp mode against a real PostgreSQL and a real broker. */
import { Client } from "pg";
import { expect, it } from "vitest";
import { poll } from "../../cluster/host/poll.ts";
import { field, latest, type SourceScene, untilSent, useSource } from "./scene.ts";

const source = useSource("timestamp");

const items = {
  ddl: `create table items (id bigint primary key, name text, changed timestamptz not null);
    create index on items (changed, id)`,
  fields: [field("id", "bigint"), field("name", "string", true), field("changed", "timestamp")],
  key: "id",
};

/** A session of its own, for transactions that stay open. */
async function session({ server, database }: SourceScene): Promise<Client> {
  const client = new Client({
    host: "127.0.0.1",
    port: server.port,
    database: database.name,
    user: "app",
    password: "only on loopback",
  });
  await client.connect();
  return client;
}

const rows = (from: number, to: number, time = "now()") =>
  `insert into items select n, 'row ' || n, ${time} from generate_series(${from}, ${to}) n`;

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

it("does not pass over transactions that commit late, whatever was sent meanwhile", async () => {
  const scene = await source(items);
  await scene.database.query(rows(1, 10));
  const worker = await scene.start();
  await untilSent(worker, 10);
  const [early, late] = await Promise.all([session(scene), session(scene)]);
  // Began first, and write nothing yet: only their start is old.
  await early.query("begin; select now()");
  await late.query("begin; savepoint s");
  await late.query(rows(21, 25));
  await late.query("release savepoint s");
  await scene.database.query(rows(11, 20));
  await early.query(rows(26, 30));
  await scene.database.query(rows(31, 40));
  await poll(async () => ((await scene.status(worker)).events >= 10 ? true : undefined), {
    seconds: 5,
    onTimeout: () => "",
  });
  await early.query("commit");
  await scene.database.query(rows(41, 50));
  await late.query("commit");
  await untilSent(worker, 50);
  await Promise.all([early.end(), late.end()]);
  const ids = (await scene.records()).map(({ value }) => Number(value?.["id"]));
  expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n + 1));
});
