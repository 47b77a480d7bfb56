/** Each change exactly once, while the source, the broker and the database are killed; also while the slot is made. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { poll } from "../../cluster/host/poll.ts";
import { randomFrom } from "../aggregator/events.ts";
import { field, type Sent, type SourceScene, untilSent, useSource } from "./scene.ts";
import { startWriters } from "./writers.ts";

const source = useSource("exact");

/** Every change has a number, and is noted in the same transaction in the order of its commit's key. */
const items = {
  ddl: `create table items (id int primary key, change bigint);
    create table notes (id int, change bigint, op text, n bigserial);
    create sequence changes;
    create function note() returns trigger language plpgsql as $$ begin
      if tg_op = 'DELETE' then insert into notes (id, change, op) values (old.id, null, 'delete'); return old; end if;
      if tg_op = 'UPDATE' and old.id <> new.id then insert into notes (id, change, op) values (old.id, null, 'delete'); end if;
      insert into notes (id, change, op) values (new.id, new.change, lower(tg_op)); return new; end $$;
    create trigger note after insert or update or delete on items for each row execute function note()`,
  fields: [field("id", "integer"), field("change", "bigint", true), field("op", "string")],
  key: "id",
  partitions: 4,
  postgres: { mode: "cdc", timestampColumn: undefined, operationField: "op" } as const,
};

/** Changes rows at random, in transactions of several, until it is told to end. */
function writeAtRandom(scene: SourceScene, seed: number, rows: number): { end: () => Promise<void> } {
  const random = randomFrom(seed);
  const pick = (below: number) => Math.floor(random() * below);
  return startWriters(
    scene,
    async (client) => {
      for (let n = 0; n <= pick(4); n++) {
        const id = 1 + pick(rows);
        await client.query("savepoint s");
        const dice = pick(10);
        if (dice < 5) await client.query("update items set change = nextval('changes') where id = $1", [id]);
        else if (dice < 7) await client.query("delete from items where id = $1", [id]);
        else if (dice < 8)
          await client.query(
            "update items set id = $2, change = nextval('changes') where id = $1 and not exists (select from items where id = $2)",
            [id, 1 + pick(rows)],
          );
        else await client.query("insert into items values ($1, nextval('changes')) on conflict do nothing", [id]);
        await client.query(pick(5) === 0 ? "rollback to savepoint s" : "release savepoint s");
        await sleep(pick(10));
      }
    },
    () => pick(8) === 0,
  );
}

interface Note {
  readonly id: number;
  readonly change: string | null;
  readonly op: string;
}

/**
 * What was sent of each key is the end of what was noted of it: from the snapshot's row, or from the first change that
 * the stream has, on, without one missing, twice or in another order.
 */
async function wrongKeys(scene: SourceScene): Promise<string[]> {
  const sent = Map.groupBy(
    (await scene.records()).toSorted((a, b) => a.offset - b.offset),
    ({ key }: Sent) => key,
  );
  const notes = await scene.database.query<Note>("select id, change, op from notes order by n");
  const noted = Map.groupBy(notes, ({ id }) => String(id));
  return [...new Set([...noted.keys(), ...sent.keys()])].flatMap((key) => {
    const got = (sent.get(key) ?? []).map(({ value }) =>
      [value?.["op"] === "delete" ? "delete" : "row", value?.["change"] ?? null].join(" "),
    );
    const all = (noted.get(key) ?? []).map(({ op, change }) => [op === "delete" ? "delete" : "row", change].join(" "));
    const end = got.length === 0 ? [] : all.slice(-got.length);
    // A row that was there and is not any more needs a delete; one that was gone before the source began, nothing.
    const missing = got.length === 0 && all.at(-1) !== "delete " ? [`${key}: nothing of ${all.length}`] : [];
    return [
      ...missing,
      ...(end.join() === got.join() ? [] : [`${key}: ${got.join()} is not the end of ${all.join()}`]),
    ];
  });
}

async function untilExact(scene: SourceScene): Promise<void> {
  await poll(async () => ((await wrongKeys(scene)).length === 0 ? true : undefined), {
    seconds: 90,
    everyMs: 1_000,
    onTimeout: async () => (await wrongKeys(scene)).slice(0, 5).join("\n"),
  });
}

it("each change comes once and in order, through kills of all parts, from before the slot was made", async () => {
  const scene = await source(items);
  // So many that the first source is killed in the middle of sending them.
  await scene.database.query("insert into items select n, nextval('changes') from generate_series(1, 30000) n");
  const writers = writeAtRandom(scene, 5, 400);
  const random = randomFrom(17);
  for (let kill = 0; kill < 14; kill++) {
    const worker = await scene.start();
    await sleep(kill < 4 ? 300 + random() * 500 : 300 + random() * 1_800);
    if (kill === 6) {
      await scene.server.kill();
      await scene.server.start();
    }
    if (kill === 9) await scene.broker.restart();
    if (kill % 5 === 4) await sleep(1_500);
    await worker.kill();
  }
  await scene.start();
  await sleep(1_000);
  await writers.end();
  await untilExact(scene);
  const snapshot = (await scene.records()).filter(({ value }) => value?.["op"] === "snapshot");
  expect(snapshot.length).toBeGreaterThan(29_000);
});

it("goes on in the middle of a transaction that is larger than one of Kafka's", async () => {
  const scene = await source(items);
  const first = await scene.start();
  await scene.database.query("insert into items values (1, nextval('changes'))");
  await untilSent(first, 1);
  expect(await first.drain()).toBe(0);
  await scene.database.query(`begin; insert into items select n, nextval('changes') from generate_series(2, 60000) n;
    update items set change = nextval('changes') where id % 3 = 0; commit`);
  let cut = 0;
  for (let kill = 0; kill < 5; kill++) {
    const worker = await scene.start();
    await poll(async () => ((await worker.status()).events > 0 ? true : undefined), {
      seconds: 60,
      everyMs: 2,
      onTimeout: () => worker.log(),
    });
    await worker.kill();
    cut += (await scene.records()).length < 80_000 ? 1 : 0;
  }
  // The first changes of the transaction were there, and not the last.
  expect(cut).toBeGreaterThan(2);
  await scene.start();
  await untilExact(scene);
});

it("a second process waits, and takes over when the first is gone", async () => {
  const scene = await source(items);
  const first = await scene.start();
  await scene.database.query("insert into items values (1, nextval('changes'))");
  await untilSent(first, 1);
  const second = await scene.start();
  await poll(async () => (second.log().includes("standing by") ? true : undefined), {
    seconds: 20,
    onTimeout: () => second.log(),
  });
  // Stopped, and then back: it does not know that it has been replaced.
  first.signal("SIGSTOP");
  await scene.database.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'caudal shop/%source'",
  );
  await scene.database.query("update items set change = nextval('changes')");
  await untilSent(second, 1);
  first.signal("SIGCONT");
  await scene.database.query("insert into items values (2, nextval('changes'))");
  await untilExact(scene);
  expect((await second.status()).events).toBeGreaterThan(0);
});
