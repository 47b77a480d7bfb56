/** Cdc mode against a real PostgreSQL and a real broker. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { poll } from "../../cluster/host/poll.ts";
import { type Postgres, startPostgres } from "../postgres.ts";
import { dropSlot, invalidateSlot } from "./lose-slot.ts";
import { failure, field, latest, type Sent, type SourceScene, untilSent, useSource } from "./scene.ts";

const source = useSource("cdc", { own: true });

const cdc = { mode: "cdc", timestampColumn: undefined } as const;
const items = {
  ddl: "create table items (id int primary key, name text)",
  fields: [field("id", "integer"), field("name", "string", true), field("op", "string")],
  key: "id",
  postgres: { ...cdc, operationField: "op" },
};

/** What needs the other mode beside it, for what takes time in both. */
const timed = {
  ddl: "create table items (id int primary key, name text, changed timestamptz not null default clock_timestamp())",
  fields: [field("id", "integer"), field("name", "string", true), field("changed", "timestamp")],
  key: "id",
};

const told = (records: readonly Sent[]): string[] =>
  records
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ key, value }) => `${key} ${value === null ? "-" : `${String(value["op"])} ${String(value["name"])}`}`);

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
    seconds: 120,
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

it("never mixes a large value of one row with the rest of another that has its key", async () => {
  const large = (letter: string) => letter.repeat(20_000);
  const scene = await source({
    ...items,
    partitions: 1,
    ddl: "create table items (id int primary key, name text, large text); alter table items alter large set storage external",
    fields: [
      field("id", "integer"),
      field("name", "string", true),
      field("large", "string", true),
      field("op", "string"),
    ],
  });
  const query = async (text: string) => await scene.database.query(text);
  await query(`insert into items select n, 'old', repeat('o', 20000) from generate_series(1, 3) n`);
  const worker = await scene.start();
  await untilSent(worker, 3);
  expect(await worker.drain()).toBe(0);
  await query("update items set name = 'updated'");
  await query("delete from items where id = 1; insert into items values (1, 'anew', repeat('n', 20000))");
  await query("update items set large = repeat('l', 20000) where id = 2");
  const again = await scene.start();
  await untilSent(again, 5);
  const rows = (await scene.records()).map(({ value }) => value).slice(3);
  const states = rows.map((value) => [value?.["id"], value?.["op"], value?.["name"], String(value?.["large"])[0]]);
  // Row 1 was another by then, and what became of it follows; row 2 as it became, and row 3, are states that they had.
  expect(states).toEqual([
    [2, "update", "updated", "l"],
    [3, "update", "updated", "o"],
    [1, "delete", null, "n"],
    [1, "insert", "anew", "n"],
    [2, "update", "updated", "l"],
  ]);
  expect(rows[3]?.["large"]).toBe(large("n"));
  expect((await again.get("/metrics")).text).toMatch(/caudal_source_superseded_total\{[^}]*\} 1/);
});

it("follows rows through partitions, and stops at a TRUNCATE of one of them", async () => {
  const scene = await source({
    ...items,
    partitions: 1,
    ddl: `create table items (id int primary key, name text) partition by range (id);
      create table low partition of items for values from (0) to (10);
      create table high (name text, id int not null); alter table items attach partition high for values from (10) to (20)`,
  });
  await scene.database.query("insert into items values (1, 'one'), (11, 'eleven')");
  const worker = await scene.start();
  await untilSent(worker, 2);
  await scene.database.query("update items set name = 'changed' where id = 11");
  await scene.database.query("update items set id = 12 where id = 1");
  await scene.database.query("create table more partition of items for values from (20) to (30)");
  await scene.database.query("insert into items values (21, 'more')");
  await untilSent(worker, 6);
  expect(told(await scene.records())).toEqual([
    "1 snapshot one",
    "11 snapshot eleven",
    "11 update changed",
    "1 delete null",
    "12 insert one",
    "21 insert more",
  ]);
  await scene.database.query("truncate high");
  expect(await failure(scene, worker)).toContain("TableTruncated: public.items (or a partition of it) was truncated");
});

it("lets go of a server that is told to stop when its sessions have ended, and waits for it", async () => {
  const own = await startPostgres({ settings: { wal_level: "logical" } });
  try {
    const database = await own.database("hibernates");
    await database.query(`${items.ddl}; insert into items values (1, 'one')`);
    const scene = await source(items);
    const worker = await scene.start({}, changed(scene, { secret: database.secret }));
    await untilSent(worker, 1);
    await own.restart("SIGTERM");
    await database.query("insert into items values (2, 'two')");
    await untilSent(worker, 2);
    expect(worker.log()).toContain("the server is shutting down");
  } finally {
    await own.stop();
  }
});

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
    seconds: 120,
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
  await invalidateSlot(scene.database, scene.config.source?.postgres.slot);
  await scene.database.query("delete from items where id = 1; update items set name = 'changed' where id = 2");
  const lost = await failure(scene, await scene.start());
  expect(lost).toContain("SlotLost: the server has removed log that the replication slot caudal_cdc");
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
  await dropSlot(scene.database, scene.config.source?.postgres.slot);
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
    seconds: 120,
    everyMs: 500,
    onTimeout: async () => `it still keeps ${(await slotOf(scene))?.retained} bytes`,
  });
  const slot = async () => (await scene.status(worker)).slot;
  await poll(async () => (Number((await slot())?.behind) < 100_000 ? true : undefined), {
    seconds: 120,
    onTimeout: async () => `its status says ${JSON.stringify(await slot())}`,
  });
  expect(await slot()).toMatchObject({ wal: "reserved", retained: expect.any(Number) as number });
  expect((await worker.get("/metrics")).text).toMatch(/caudal_source_behind_bytes\{[^}]*\} \d{1,5}\n/);
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
    'SourceMismatch: changes of public.items do not say id, which identify a row: alter table "public"."items" replica identity full',
  );
  await scene.database.query("insert into items values (1, 'one'); update items set name = 'two'");
});

it("after a minute names what holds it back, and gives the slot up before the database's disk is full", async () => {
  const polled = await source(timed);
  const scene = await source({ ...items, postgres: { ...items.postgres, maxRetainedWalBytes: 4 << 20 } });
  await scene.database.query("insert into items values (1, 'one')");
  const [poller, worker] = await Promise.all([polled.start(), scene.start()]);
  await untilSent(worker, 1);
  // Slots are made when all transactions have ended that were open then, also those of other databases.
  const { database } = polled;
  await database.query("begin; insert into items (id, name) values (1, 'held'); prepare transaction 'held'");
  scene.broker.freeze();
  try {
    await scene.database.query("insert into items select n, repeat('x', 500) from generate_series(2, 30000) n");
    const told = async () => (await scene.status(worker)).error?.message ?? "";
    await poll(async () => ((await told()).includes("more than half of maxRetainedWal (4 MiB)") ? true : undefined), {
      seconds: 120,
      onTimeout: async () => `it says ${await told()}`,
    });
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
  const error = async () => (await polled.status(poller)).error;
  await expect.poll(error, { timeout: 120_000 }).toMatchObject({
    reason: "SourceHeldBack",
    message: expect.stringContaining("written since: a prepared transaction; end it, or use mode: cdc") as string,
  });
  await database.query("commit prepared 'held'");
  await untilSent(poller, 1);
  await expect.poll(error, { timeout: 120_000 }).toBeUndefined();
});

/** Where clients find the database, as a Service that points to another pod. */
function moveTo(standby: Postgres, { database }: SourceScene): void {
  writeFileSync(join(database.secret, "port"), String(standby.port));
}

it("goes on after a failover in both modes, or says that the standby has no slot", async () => {
  const polled = await source(timed);
  const streamed = await source({ ...items, partitions: 1 });
  const { server } = streamed;
  const [version] = await streamed.database.query<{ version: string }>(
    "select current_setting('server_version_num') as version",
  );
  // Before PostgreSQL 17 standbys have no slots.
  const keeps = Number(version?.version) >= 170_000;
  const standby = await startPostgres({
    follows: server,
    settings: {
      wal_level: "logical",
      max_prepared_transactions: "4",
      max_replication_slots: "50",
      ...(keeps ? { sync_replication_slots: "on" } : {}),
    },
  });
  try {
    for (const { database } of [polled, streamed])
      await database.query("insert into items (id, name) select n, 'row ' || n from generate_series(1, 4) n");
    const [poller, streamer] = await Promise.all([polled.start(), streamed.start()]);
    await Promise.all([untilSent(poller, 4), untilSent(streamer, 4)]);
    await caughtUp(streamed, standby, keeps);
    await server.kill();
    await standby.promote();
    for (const scene of [polled, streamed]) {
      moveTo(standby, scene);
      const { query } = await standby.database(scene.database.name);
      await query("insert into items (id, name) values (5, 'after')");
    }
    await poll(async () => (latest(await polled.records()).size === 5 ? true : undefined), {
      seconds: 120,
      onTimeout: () => poller.log(),
    });
    const all = ["1 snapshot row 1", "2 snapshot row 2", "3 snapshot row 3", "4 snapshot row 4"];
    if (keeps) {
      await untilSent(streamer, 5);
      expect(told(await streamed.records())).toEqual([...all, "5 insert after"]);
      return;
    }
    expect(await failure(streamed, streamer)).toContain("or not there after a failover");
    const again = await streamed.start({}, changed(streamed, { resync: 1 }));
    await untilSent(again, 5);
    expect(told(await streamed.records())).toEqual([...all, ...all, "5 snapshot after"]);
  } finally {
    await standby.stop();
    await server.start();
    await streamed.database.query("select pg_drop_replication_slot('standby')");
  }
});

/** Waits until the standby has all that the primary has, with the slot where it can have it. */
async function caughtUp({ database, config }: SourceScene, standby: Postgres, withSlot: boolean): Promise<void> {
  const [end] = await database.query<{ lsn: string }>("select pg_current_wal_lsn()::text as lsn");
  const { query } = await standby.database("postgres");
  const at = async () =>
    (
      await query<{ there: boolean; slots: number }>(
        `select pg_last_wal_replay_lsn() >= $1::pg_lsn as there,
          (select count(*)::int from pg_replication_slots where slot_name = $2 and not temporary) as slots`,
        [end?.lsn, config.source?.postgres.slot],
      )
    )[0];
  await poll(
    async () => {
      const now = await at();
      return now?.there === true && (!withSlot || now.slots === 1) ? true : undefined;
    },
    { seconds: 120, everyMs: 100, onTimeout: async () => `the standby has ${JSON.stringify(await at())}` },
  );
}
