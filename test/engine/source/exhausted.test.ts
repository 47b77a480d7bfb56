/** A server that has too few slots or senders for one more source: it is told what to do, and that helps. */
import { expect, it } from "vitest";
import type { Worker } from "../aggregator/stage.ts";
import { field, untilSent, useSource } from "./scene.ts";

const source = useSource("few", { settings: { max_replication_slots: "2", max_wal_senders: "1" } });
const items = {
  ddl: "create table items (id int primary key, name text); insert into items values (1, 'a')",
  fields: [field("id", "integer"), field("name", "string", true)],
  key: "id",
  partitions: 1,
  postgres: { mode: "cdc", timestampColumn: undefined },
} as const;
const soon = { timeout: 120_000, interval: 200 };
const errorOf = async (worker: Worker) => (await worker.status()).error ?? { reason: "", message: "" };

it("all slots are taken: the one that nobody needs is removed", async () => {
  const scene = await source({ ...items, fields: [...items.fields] });
  for (const name of ["other", "another"])
    await scene.database.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [name]);
  const worker = await scene.start();
  await expect
    .poll(async () => await errorOf(worker), soon)
    .toMatchObject({
      reason: "DatabaseExhausted",
      message: expect.stringMatching(
        /^CREATE_REPLICATION_SLOT .*remove a slot that nobody needs .*pg_replication_slots.* or raise max_replication_slots/,
      ) as string,
    });
  await scene.database.query("select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active");
  await untilSent(worker, 1);
  expect(await worker.drain()).toBe(0);
  await scene.database.query("select pg_drop_replication_slot(slot_name) from pg_replication_slots");
});

it("all senders are taken: the one that nobody needs ends", async () => {
  const [first, second] = [
    await source({ ...items, fields: [...items.fields] }),
    await source({ ...items, fields: [...items.fields] }),
  ];
  const earlier = await first.start();
  await untilSent(earlier, 1);
  const worker = await second.start();
  await expect
    .poll(async () => await errorOf(worker), soon)
    .toMatchObject({
      reason: "DatabaseExhausted",
      message: expect.stringMatching(
        /^connect for replication.*end a connection that nobody needs .*pg_stat_replication.* or raise max_wal_senders/,
      ) as string,
    });
  expect(await earlier.drain()).toBe(0);
  await untilSent(worker, 1);
  expect(await worker.drain()).toBe(0);
});
