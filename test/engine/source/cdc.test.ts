/** Cdc mode against a real PostgreSQL and a real broker. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { poll } from "../../cluster/host/poll.ts";
import type { Worker } from "../aggregator/stage.ts";
import { field, type Sent, type SourceScene, untilSent, useSource } from "./scene.ts";

const source = useSource("cdc");

const cdc = { mode: "cdc", timestampColumn: undefined } as const;
const items = {
  ddl: "create table items (id int primary key, name text)",
  fields: [field("id", "integer"), field("name", "string", true), field("op", "string")],
  key: "id",
  postgres: { ...cdc, operationField: "op" },
};

const told = (records: readonly Sent[]): string[] =>
  records
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ key, value }) => `${key} ${value === null ? "-" : `${String(value["op"])} ${String(value["name"])}`}`);

async function failure(scene: SourceScene, worker: Worker): Promise<string> {
  await poll(async () => ((await scene.status(worker)).state === "Failed" ? true : undefined), {
    seconds: 60,
    onTimeout: () => `it did not fail:\n${worker.log()}`,
  });
  const { error } = await scene.status(worker);
  expect((await worker.exited).code).toBe(4);
  return `${error?.reason}: ${error?.message}`;
}

function changed(scene: SourceScene, postgres: object): SourceScene["config"] {
  const { source: given } = scene.config;
  return { ...scene.config, ...(given && { source: { ...given, postgres: { ...given.postgres, ...postgres } } }) };
}

it("sends what was there, and then each change as it is committed", async () => {
  const scene = await source({ ...items, partitions: 1 });
  await scene.database.query("insert into items select n, 'old ' || n from generate_series(1, 3) n");
  const worker = await scene.start();
  await untilSent(worker, 3);
  await scene.database
    .query(`begin; insert into items values (4, 'four'); savepoint s; insert into items values (5, 'no');
    rollback to savepoint s; insert into items values (6, null); commit`);
  await scene.database.query("begin; insert into items values (7, 'never'); rollback");
  await scene.database.query("update items set name = 'new' where id in (1, 4)");
  await scene.database.query("delete from items where id = 2");
  await scene.database.query("update items set id = 30 where id = 3");
  await untilSent(worker, 10);
  expect(told(await scene.records())).toEqual([
    ...["1 snapshot old 1", "2 snapshot old 2", "3 snapshot old 3"],
    ...[
      "4 insert four",
      "6 insert null",
      "1 update new",
      "4 update new",
      "2 delete null",
      "3 delete null",
      "30 update old 3",
    ],
  ]);
  expect(await worker.drain()).toBe(0);
  // What is done while it is away comes when it is back, and nothing else.
  await scene.database.query("insert into items values (8, 'away')");
  const again = await scene.start();
  await untilSent(again, 1);
  expect(told(await scene.records()).slice(10)).toEqual(["8 insert away"]);
});

it("writes a delete as a record without value where no field says what was done", async () => {
  const scene = await source({ ...items, partitions: 1, fields: items.fields.slice(0, 2), postgres: cdc });
  const worker = await scene.start();
  await poll(async () => ((await slotOf(scene)) === undefined ? undefined : true), {
    seconds: 30,
    onTimeout: () => worker.log(),
  });
  await scene.database.query("insert into items values (1, 'a'), (2, 'b')");
  await scene.database.query("delete from items where id = 1");
  await untilSent(worker, 3);
  expect((await scene.records()).map(({ key, text }) => [key, text])).toEqual([
    ["1", '{"id":1,"name":"a"}'],
    ["2", '{"id":2,"name":"b"}'],
    ["1", null],
  ]);
});

async function slotOf({ database, config }: SourceScene) {
  const [slot] = await database.query<{ retained: number; flushed: string }>(
    `select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 as retained, confirmed_flush_lsn::text as flushed
      from pg_replication_slots where slot_name = $1`,
    [config.source?.postgres.slot],
  );
  return slot;
}

it.each(["default", "full"])(
  "sends large values that an update did not touch (replica identity %s)",
  async (identity) => {
    const scene = await source({
      ...items,
      ddl: `create table items (id int primary key, name text, large text); alter table items alter large set storage external;
      alter table items replica identity ${identity}`,
      fields: [
        field("id", "integer"),
        field("name", "string", true),
        field("large", "string", true),
        field("op", "string"),
      ],
    });
    const large = "x".repeat(20_000);
    await scene.database.query("insert into items values (1, 'a', $1), (2, 'b', $1)", [large]);
    const worker = await scene.start();
    await untilSent(worker, 2);
    await scene.database.query("update items set name = 'changed' where id = 1");
    await untilSent(worker, 3);
    const update = (await scene.records()).find(({ value }) => value?.["op"] === "update");
    expect(update?.value).toEqual({ id: 1, name: "changed", large, op: "update" });
  },
);

it("goes on through changes of the table that leave its fields, and stops at others", async () => {
  const scene = await source({ ...items, ddl: "create table items (id int primary key, name varchar(10), extra int)" });
  await scene.database.query("insert into items values (0, 'zero', 1)");
  const worker = await scene.start();
  await untilSent(worker, 1);
  await scene.database.query("insert into items values (1, 'one', 1)");
  await scene.database.query("alter table items add more text default 'm', drop extra, alter name type text");
  await scene.database.query("insert into items values (2, 'longer than ten')");
  await untilSent(worker, 3);
  expect(told(await scene.records()).sort()).toEqual(["0 snapshot zero", "1 insert one", "2 insert longer than ten"]);
  await scene.database.query("alter table items rename name to title");
  await scene.database.query("insert into items values (3, 'three')");
  expect(await failure(scene, worker)).toContain("SourceMismatch: public.items has no column name");
});

it("stops at a TRUNCATE, and goes on behind it when told to", async () => {
  const scene = await source(items);
  await scene.database.query("insert into items values (1, 'one')");
  const worker = await scene.start();
  await untilSent(worker, 1);
  await scene.database.query(
    "insert into items values (2, 'two'); truncate items; insert into items values (3, 'three')",
  );
  expect(await failure(scene, worker)).toContain("TableTruncated: public.items was truncated");
  const again = await scene.start({}, changed(scene, { onTruncate: "Ignore" }));
  await poll(async () => ((await scene.records()).length === 3 ? true : undefined), {
    seconds: 30,
    onTimeout: () => again.log(),
  });
  expect(told(await scene.records()).sort()).toEqual(["1 snapshot one", "2 insert two", "3 insert three"]);
  expect((await again.get("/metrics")).text).toMatch(/caudal_source_truncates_total\{[^}]*\} 1/);
});

it("says so when its slot is lost, and begins anew when told to", async () => {
  const scene = await source({ ...items, partitions: 1 });
  await scene.database.query("insert into items values (1, 'one'), (2, 'two')");
  const worker = await scene.start();
  await untilSent(worker, 2);
  expect(await worker.drain()).toBe(0);
  await scene.database.query("select pg_drop_replication_slot($1)", [scene.config.source?.postgres.slot]);
  await scene.database.query("delete from items where id = 1; update items set name = 'changed' where id = 2");
  const lost = await failure(scene, await scene.start());
  expect(lost).toContain("SlotLost: the replication slot caudal_cdc");
  expect(lost).toContain("raise postgres.resync (now 0)");
  const again = await scene.start({}, changed(scene, { resync: 1 }));
  await untilSent(again, 1);
  await scene.database.query("insert into items values (3, 'three')");
  await untilSent(again, 2);
  expect(told(await scene.records())).toEqual([
    "1 snapshot one",
    "2 snapshot two",
    "2 snapshot changed",
    "3 insert three",
  ]);
});

it("begins anew by itself when its pipeline was deleted, with the slot, and made again", async () => {
  const scene = await source({ ...items, partitions: 1 });
  await scene.database.query("insert into items values (1, 'one')");
  const worker = await scene.start();
  await untilSent(worker, 1);
  await worker.drain();
  await scene.database.query("select pg_drop_replication_slot($1)", [scene.config.source?.postgres.slot]);
  const again = await scene.start({}, { ...scene.config, pipeline: { ...scene.config.pipeline, uid: "second" } });
  await untilSent(again, 1);
  expect(told(await scene.records())).toEqual(["1 snapshot one", "1 snapshot one"]);
});

it("lets the server forget the log that other tables fill", async () => {
  const scene = await source(items);
  await scene.database.query("create table others (n int, filler text)");
  await scene.database.query("insert into items values (1, 'one')");
  const worker = await scene.start();
  await untilSent(worker, 1);
  await scene.database.query(
    "insert into others select n, repeat('x', 500) from generate_series(1, 40000) n; checkpoint",
  );
  await poll(async () => (Number((await slotOf(scene))?.retained) < 4 << 20 ? true : undefined), {
    seconds: 60,
    everyMs: 500,
    onTimeout: async () => `it still keeps ${(await slotOf(scene))?.retained} bytes`,
  });
  await poll(
    async () =>
      /caudal_source_behind_bytes\{[^}]*\} \d{1,5}\n/.test((await worker.get("/metrics")).text) ? true : undefined,
    {
      seconds: 20,
      onTimeout: () => "the metrics do not say so",
    },
  );
});

it.each([
  ["a user who may not replicate", "select 1", "ReplicationNotAllowed: the user weak0 may not replicate"],
  [
    "a table that is somebody else's",
    "alter role weak1 replication",
    "ReplicationNotAllowed: the publication caudal_cdc",
  ],
])("stops at %s, and says what to run", async (_case, grant, message) => {
  const name = grant === "select 1" ? "weak0" : "weak1";
  const scene = await source(items);
  const secret = await scene.server.user(scene.database.name, name);
  await scene.database.query(`grant select on items to ${name}`);
  await scene.database.query(grant);
  expect(await failure(scene, await scene.start({}, changed(scene, { secret })))).toContain(message);
});

it("does not publish a table whose updates would fail for it", async () => {
  const ddl = "create table items (id int not null, name text); create unique index on items (id)";
  const scene = await source({ ...items, ddl, postgres: { ...items.postgres, keyColumns: ["id"] } as object });
  expect(await failure(scene, await scene.start())).toContain(
    "SourceMismatch: changes of public.items do not say id, which identify a row: alter table public.items replica identity full",
  );
  await scene.database.query("insert into items values (1, 'one'); update items set name = 'two'");
});

it("gives the slot up before it fills the database's disk, when Kafka takes nothing", async () => {
  const scene = await source({ ...items, postgres: { ...items.postgres, maxRetainedWalBytes: 4 << 20 } });
  await scene.database.query("insert into items values (1, 'one')");
  const worker = await scene.start();
  await untilSent(worker, 1);
  scene.broker.freeze();
  try {
    await scene.database.query("insert into items select n, repeat('x', 500) from generate_series(2, 30000) n");
    await sleep(20_000);
    expect(await slotOf(scene)).toBeDefined();
    await poll(async () => ((await slotOf(scene)) === undefined ? true : undefined), {
      seconds: 120,
      everyMs: 500,
      onTimeout: () => worker.log(),
    });
  } finally {
    scene.broker.thaw();
  }
  expect(worker.log()).toContain("the slot was given up to save the database's disk");
  expect(await failure(scene, worker)).toContain("SlotLost");
});
