/** A table of PostgreSQL beside the events: decided by what it says, again when it changes, and never by what it should not. */
import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startWorker } from "../aggregator/stage.ts";
import { rowsOf, type Scene, useScene } from "./scene.ts";

const newScene = useScene("lookup");
const soon = { timeout: 120_000, interval: 200 };

const limits = {
  ...{ name: "limits", table: "public.account_limits", match: { account: "user_id" } },
  columns: [{ name: "most", type: "integer" }],
  ...{ refreshMs: 200, maxRows: 3 },
};
const configOf = (scene: Scene) =>
  scene.transform({
    where: "event_type = 'pay'",
    select: ["event_id", "points <= limits.most as fine", "limits is null as unknown"],
    lookups: [{ ...limits, secret: scene.database.secret }],
    to: [{ name: "out", topic: { name: scene.out.name, fields: [] } }],
  });
let count = 0;
const pay = (user_id: string | null, points: number) =>
  JSON.stringify({
    event_id: `00000000-0000-4000-8000-${String(++count).padStart(12, "0")}`,
    ...{ user_id, points, event_type: "pay", event_ts: "2026-01-01T00:00:00Z" },
  });

it("decides by the row that belongs to the event, and by the new one when it has changed", async () => {
  const scene = await newScene(1, 1);
  const { database, topic } = scene;
  await database.query("create table public.account_limits (account text primary key, most bigint)");
  await database.query("insert into public.account_limits values ('a', 100), ('b', 200)");
  const worker = await startWorker(configOf(scene));
  const config = configOf(scene);
  await topic.send([pay("a", 150), pay("b", 150), pay("nobody", 1), pay(null, 1)], 0);
  await expect.poll(async () => (await worker.status()).events, soon).toBe(4);
  await database.query("update public.account_limits set most = 500 where account = 'a'");
  const fine = async (): Promise<unknown> => {
    await topic.send([pay("a", 450)], 0);
    const sent = rowsOf(await scene.sent());
    return sent.at(-1)?.["fine"];
  };
  await expect.poll(fine, soon).toBe(true);
  const ends = await topic.seal();
  await scene.done(config, ends);
  const rows = rowsOf(await scene.sent());
  expect(rows.slice(0, 4).map(({ fine: decided, unknown }) => [decided, unknown])).toEqual([
    ...[
      [false, false],
      [true, false],
      [null, true],
      [null, true],
    ],
  ]);
  expect(rows.length).toBe(count);
  expect(await worker.drain()).toBe(0);
});

it("says what to do when the table has too many rows, or several for one event, and goes on when it is put right", async () => {
  const scene = await newScene(1, 1);
  const { database, topic } = scene;
  const worker = await startWorker(configOf(scene));
  const error = async (): Promise<string> => (await worker.status()).error?.message ?? "";
  await topic.send([pay("a", 1)], 0);
  await expect.poll(error, soon).toMatch(/account_limits.*does not exist/);
  await database.query("create table public.account_limits (account text, most bigint)");
  await database.query("insert into public.account_limits select 'x' || i, i from generate_series(1, 4) i");
  await expect.poll(error, soon).toMatch(/more than 3 rows: raise maxRows/);
  await database.query("delete from public.account_limits where account > 'x1'");
  await database.query("insert into public.account_limits values ('a', 1), ('a', 2)");
  await expect.poll(error, soon).toMatch(/several rows of table public.account_limits have account = a/);
  await database.query("delete from public.account_limits where most = 2");
  await scene.done(configOf(scene), await topic.seal());
  expect(rowsOf(await scene.sent()).map(({ fine }) => fine)).toEqual([true]);
  await expect.poll(async () => (await worker.get("/readyz")).status, soon).toBe(200);
});

it("names its table, database and Secret when it may not read, and goes on when the advice is followed", async () => {
  const scene = await newScene(1, 1);
  const { database, topic } = scene;
  await database.query("create table public.account_limits (account text primary key, most bigint)");
  await database.query("insert into public.account_limits values ('a', 1)");
  const secret = mkdtempSync(join(tmpdir(), "caudal-lookup-"));
  cpSync(database.secret, secret, { recursive: true });
  const role = `reader_${topic.name.replaceAll("-", "_")}`;
  await database.query(`create role ${role} login password 'right'`);
  writeFileSync(join(secret, "username"), role);
  writeFileSync(join(secret, "password"), "wrong");
  const config = scene.transform({
    where: "event_type = 'pay'",
    select: ["event_id", "points <= limits.most as fine"],
    lookups: [{ ...limits, secret }],
    to: [{ name: "out", topic: { name: scene.out.name, fields: [] } }],
  });
  const worker = await startWorker(config);
  const error = async (): Promise<string> => (await worker.status()).error?.message ?? "";
  await topic.send([pay("a", 1)], 0);
  await expect.poll(error, soon).toContain(`lookup limits: table public.account_limits cannot be read with ${secret}`);
  expect(await error()).toMatch(
    new RegExp(`database \\S+ at \\S+ as user ${role}.*correct username and password there`),
  );
  writeFileSync(join(secret, "password"), "right");
  await expect
    .poll(error, soon)
    .toContain(`permission denied for table account_limits (SQLSTATE 42501): grant select on`);
  await database.query(`grant select on public.account_limits to ${role}`);
  await scene.done(config, await topic.seal());
  expect(rowsOf(await scene.sent()).map(({ fine }) => fine)).toEqual([true]);
});
