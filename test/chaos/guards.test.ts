/** Each guard is there for a reason: with it the tables are right, and with only it taken out they are not. */
import { cpSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Connection } from "../../workloads/src/postgres/connection.ts";
import { compilePlan } from "../../pipeline/src/sql/compile.ts";
import { startCommitCutter } from "../engine/aggregator/commit-cutter.ts";
import { actualTables, differences, expectedTables } from "../engine/aggregator/expected.ts";
import { type Scene, useScene } from "../engine/aggregator/scene.ts";
import { committedEvents, untilDone, type Worker } from "../engine/aggregator/stage.ts";
import { createTopic } from "../engine/aggregator/topic.ts";
import { lines, owns, start, until, withAndWithout } from "./guarding.ts";
import type { Mutant } from "./src/mutants.ts";
import { guardsOfStages } from "./stage-guards.ts";

const newScene = useScene("guard", { own: true, settings: { wal_level: "logical" } });
guardsOfStages(newScene);

const committed = async ({ database, topic }: Scene, count: number, worker?: Worker): Promise<void> => {
  await until(`${count} committed`, async () => (await committedEvents(database, topic.name)) >= count, worker);
};
const reason = async (worker: Worker) => (await worker.status()).error?.reason;

/** A session of the database that holds the rows of these queries, for which workers then wait. */
const lockRows = async (scene: Scene, ...queries: readonly string[]) => {
  const connection = await Connection.open({ secret: scene.database.secret, applicationName: "a test's lock" });
  const run = async (text: string, values: readonly unknown[] = []) => await connection.query("test", { text, values });
  await run("begin");
  for (const query of queries) await run(`${query} for update`);
  return {
    run,
    /** Until so many workers wait for it with a commit. */
    awaited: async (workers: number) =>
      await until(`${workers} commits wait`, async () => {
        const rows = await scene.database.query(
          "select from pg_stat_activity where wait_event_type = 'Lock' and application_name like 'caudal %' and datname = current_database()",
        );
        return rows.length >= workers;
      }),
    release: async () => {
      await run("commit");
      await connection.close();
    },
  };
};

it("compare-and-set: a worker that was stopped for longer than its session counts nothing twice", async () => {
  const scenario = async (mutants: readonly Mutant[]) => {
    const scene = await newScene(4);
    const { topic, database, config, wrong } = scene;
    const zombie = await start(config(), mutants);
    await owns(zombie, 4);
    await topic.send(lines(9, 1_000));
    await committed(scene, 1_000, zombie);
    // It waits for an answer of the broker, which will lie in its socket, with records that are counted meanwhile.
    zombie.signal("SIGSTOP");
    await topic.send(lines(9, 1_000, 1_000));
    const ends = await topic.seal();
    const other = await start(config(), mutants);
    await untilDone(database, topic.name, ends);
    zombie.signal("SIGCONT");
    await owns(zombie, 2);
    await owns(other, 2);
    await untilDone(database, topic.name, ends);
    return await wrong(ends);
  };
  const [guarded, unguarded] = await withAndWithout("compare-and-set", scenario, ["short-session"]);
  expect(guarded).toEqual([]);
  expect(unguarded).not.toEqual([]);
});

it("plan hash: a worker of an old definition writes nothing into the table that was swapped in", async () => {
  const scenario = async (mutants: readonly Mutant[]) => {
    const scene = await newScene(1);
    const { topic, database, config } = scene;
    const tables = config().aggregator?.tables.map((table) =>
      table.name === "event_counts" ? { ...table, where: "event_type is distinct from 'view'" } : table,
    );
    const changed = config({ aggregator: { tables: tables ?? [] } });
    const plan = changed.aggregator === undefined ? undefined : await compilePlan(changed.aggregator);
    const hash = plan?.tables.find(({ name }) => name === "event_counts")?.hash;
    const old = await start(config(), mutants);
    await topic.send(lines(1, 500));
    await committed(scene, 500, old);
    const swap = await lockRows(scene, "select from caudal.progress order by partition, output");
    await topic.send(lines(1, 200, 500));
    await swap.awaited(1);
    await swap.run("delete from public.event_counts where event_type = 'view'");
    await swap.run("update caudal.progress set plan = $1 where output = 'event_counts'", [hash]);
    await swap.run("update caudal.claims set plan = $1 where table_name = 'event_counts'", [hash]);
    await swap.release();
    await until(
      "refused, or committed",
      async () => (await reason(old)) === "TableChanged" || (await committedEvents(database, topic.name)) >= 700,
      old,
    );
    await old.drain();
    await start(changed, []);
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends);
    const expected = await expectedTables(await topic.readTo(ends));
    const counts = expected["event_counts"]?.filter((row) => row["event_type"] !== "view") ?? [];
    return differences(await actualTables(database), { ...expected, event_counts: counts });
  };
  const [guarded, unguarded] = await withAndWithout("plan-hash", scenario);
  expect(guarded).toEqual([]);
  expect(unguarded).not.toEqual([]);
});

it("topic id: offsets of a topic that is gone are not used in the one that has its name", async () => {
  const scenario = async (mutants: readonly Mutant[]) => {
    const scene = await newScene(1);
    const { topic, broker, database, config } = scene;
    const first = await start(config(), mutants);
    await topic.send(lines(2, 10));
    await committed(scene, 10, first);
    await first.drain();
    const before = await topic.readTo(new Map([[0, 10]]));
    await topic.admin.deleteTopics({ topics: [topic.name] });
    const request = { topics: [{ topic: topic.name, numPartitions: 1 }], waitForLeaders: false };
    await until("made again", async () => await topic.admin.createTopics(request));
    const again = await createTopic(broker, topic.name, 1);
    await again.send(lines(3, 20));
    const after = await again.readTo(new Map([[0, 20]]));
    await again.close();
    const second = await start(config(), mutants);
    await until(
      "refused, or committed",
      async () => (await reason(second)) === "TopicRecreated" || (await committedEvents(database, topic.name)) >= 20,
      second,
    );
    const actual = await actualTables(database);
    return {
      likeTheOld: differences(actual, await expectedTables(before)).length === 0,
      likeTheNew: differences(actual, await expectedTables(after)).length === 0,
      likeBoth: differences(actual, await expectedTables([...before, ...after])).length === 0,
    };
  };
  const [guarded, unguarded] = await withAndWithout("topic-id", scenario);
  expect(guarded).toEqual({ likeTheOld: true, likeTheNew: false, likeBoth: false });
  expect(unguarded).toEqual({ likeTheOld: false, likeTheNew: false, likeBoth: false });
});

it("leader epoch: a log that lost records after they were read is not read on as if it had them", async () => {
  const read = async (mutants: readonly Mutant[]) => {
    const scene = await newScene(1);
    const worker = await start(scene.config(), mutants);
    await scene.topic.send(lines(4, 50));
    await scene.topic.send(lines(4, 50, 50));
    await committed(scene, 100, worker);
    await worker.drain();
    return { scene, mutants };
  };
  const readOn = async ({ scene, mutants }: Awaited<ReturnType<typeof read>>) => {
    const { topic, database, config, wrong } = scene;
    await topic.send(lines(5, 60), 0);
    const worker = await start(config(), mutants);
    await until(
      "refused, or committed",
      async () => (await reason(worker)) === "LogTruncated" || (await committedEvents(database, topic.name)) >= 110,
      worker,
    );
    return { reason: await reason(worker), wrong: await wrong(new Map([[0, 110]])) };
  };
  const both = await Promise.all([read([]), read(["leader-epoch"])]);
  const { broker } = both[0].scene;
  // As after an unclean election: the new leader had not got the second batch.
  await broker.kill();
  for (const { scene } of both) cutLog(join(broker.data, `${scene.topic.name}-0`, "00000000000000000000.log"), 50);
  await broker.restart();
  const [guarded, unguarded] = await Promise.all(both.map(readOn));
  expect(guarded?.reason).toBe("LogTruncated");
  expect(unguarded?.reason).toBeUndefined();
  expect(unguarded?.wrong).not.toEqual([]);
});

/** Removes the batches from an offset on. A batch begins with its offset (int64) and its length after that (int32). */
function cutLog(file: string, offset: number): void {
  const bytes = readFileSync(file);
  let at = 0;
  while (at < bytes.length && Number(bytes.readBigInt64BE(at)) < offset) at += 12 + bytes.readInt32BE(at + 8);
  truncateSync(file, at);
}

it("drain: a worker that is asked to end hands its partitions over at once", async () => {
  const scenario = async (mutants: readonly Mutant[]) => {
    const { config } = await newScene(2);
    const first = await start(config(), mutants);
    const second = await start(config(), mutants);
    await owns(first, 1);
    await owns(second, 1);
    const began = performance.now();
    await first.drain();
    await owns(second, 2);
    return performance.now() - began;
  };
  const [guarded, unguarded] = await withAndWithout("drain", scenario, ["short-session"]);
  // A session of 6 s, whose last heartbeat was up to a second before.
  expect(unguarded).toBeGreaterThan(4_900);
  expect(guarded).toBeLessThan(4_900);
});

it("lock order: two workers that write the same rows never wait for each other in a circle", async () => {
  const scenario = async (mutants: readonly Mutant[]) => {
    const scene = await newScene(2);
    const { topic, database, config, wrong } = scene;
    // The table with the most rows first: whoever has written it all has nobody beside it in the others.
    const [one, ...others] = config().aggregator?.tables ?? [];
    const turned = config({ aggregator: { tables: one === undefined ? others : [...others, one] } });
    const workers = [await start(turned, mutants), await start(turned, mutants)];
    for (const worker of workers) await owns(worker, 1);
    await topic.send(lines(6, 1_000));
    await committed(scene, 1_000);
    for (let round = 1; round < 6; round++) {
      // Both stop somewhere in the middle, one of them at a row that the other one has.
      const lock = await lockRows(scene, "select from public.user_counts where user_id = 'u5'");
      await topic.send(lines(6, 1_000, round * 1_000));
      await lock.awaited(2);
      await lock.release();
      await committed(scene, (round + 1) * 1_000);
    }
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends);
    const conflicts = workers.map((worker) => worker.log().split("the transaction met another one").length - 1);
    return { conflicts: conflicts.reduce((sum, count) => sum + count), wrong: await wrong(ends) };
  };
  const [guarded, unguarded] = await withAndWithout("lock-order", scenario);
  expect(guarded).toEqual({ conflicts: 0, wrong: [] });
  expect(unguarded.conflicts).toBeGreaterThan(0);
  // What PostgreSQL ends because of it is done again: slow, and still right.
  expect(unguarded.wrong).toEqual([]);
});

it("unknown commit: a COMMIT whose answer was lost is asked for, not believed", async () => {
  const scenario = async (mutants: readonly Mutant[]) => {
    const scene = await newScene(1);
    const { server, topic, database, config, wrong } = scene;
    let cut = false;
    const cutter = await startCommitCutter(server.port, () => {
      const verdict = cut ? "before" : "pass";
      cut = false;
      return verdict;
    });
    const secret = mkdtempSync(join(tmpdir(), "caudal-secret-"));
    cpSync(database.secret, secret, { recursive: true });
    writeFileSync(join(secret, "port"), String(cutter.port));
    const worker = await start(config({ secret }), mutants);
    await topic.send(lines(7, 100));
    await committed(scene, 100, worker);
    cut = true;
    await topic.send(lines(7, 100, 100));
    await until("told as counted", async () => (await worker.status()).events === 200, worker);
    const differing = await wrong(new Map([[0, 200]]));
    await worker.kill();
    await cutter.close();
    return { cuts: cutter.cuts.before, differing };
  };
  const [guarded, unguarded] = await withAndWithout("unknown-commit", scenario);
  expect(guarded).toEqual({ cuts: 1, differing: [] });
  expect(unguarded.cuts).toBe(1);
  expect(unguarded.differing).not.toEqual([]);
});

it("read_committed: what an aborted transaction wrote is not counted", async () => {
  const scenario = async (mutants: readonly Mutant[]) => {
    const { topic, database, config, wrong } = await newScene(2);
    await start(config(), mutants);
    await topic.send(lines(8, 100));
    await topic.transaction(lines(9, 100), "abort");
    await topic.transaction(lines(8, 100, 100), "commit");
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends);
    return await wrong(ends);
  };
  const [guarded, unguarded] = await withAndWithout("read-committed", scenario);
  expect(guarded).toEqual([]);
  expect(unguarded).not.toEqual([]);
});

/** An event of so many seconds after the beginning. */
const at = (second: number) =>
  JSON.stringify({
    event_id: `00000000-0000-4000-8000-${String(second).padStart(12, "0")}`,
    event_type: "view",
    event_ts: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
  });
const watermarkPassed = async ({ database }: Scene, second: number): Promise<boolean> => {
  const [row] = await database.query<{ passed: boolean }>(
    "select coalesce(max(watermark) >= timestamptz '2026-01-01T00:00:00Z' + $1 * interval '1 second', false) as passed from caudal.watermarks",
    [second],
  );
  return row?.passed === true;
};

it("idleness: the watermark waits for a partition whose owner is silent, so that its events are not late", async () => {
  const scenario = async (mutants: readonly Mutant[]) => {
    const scene = await newScene(2);
    const { topic, database, config, wrong } = scene;
    const watermark = { maxDelayMs: 1_000, idleTimeoutMs: 4_000, maxAheadMs: 300_000 };
    const drop = config({ aggregator: { lateEvents: "Drop", watermark } });
    const workers = [await start(drop, mutants), await start(drop, mutants)];
    for (const worker of workers) await owns(worker, 1);
    const owners = await Promise.all(workers.map(async (worker) => (await worker.status()).partitions[0]?.partition));
    const silent = workers[owners.indexOf(1)];
    for (const partition of [0, 1]) await topic.send([at(10)], partition);
    await until("both counted", async () => {
      const [row] = await database.query<{ n: number }>(
        "select count(distinct partition)::int as n from caudal.progress where next_offset = 1",
      );
      return row?.n === 2;
    });
    silent?.signal("SIGSTOP");
    // Longer than the idle time, and not so long that somebody else gets the partition.
    for (let second = 600; second < 630 && !(await watermarkPassed(scene, 300)); second++) {
      await topic.send([at(second)], 0);
      await sleep(200);
    }
    await topic.send([at(20)], 1);
    silent?.signal("SIGCONT");
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends);
    return await wrong(ends);
  };
  const [guarded, unguarded] = await withAndWithout("idleness", scenario);
  expect(guarded).toEqual([]);
  expect(unguarded).not.toEqual([]);
});

it("stored judgement: whoever reads an event finds it late or not alike, so that it is in its row or in the dead letters", async () => {
  const scenario = async (mutants: readonly Mutant[]) => {
    const scene = await newScene(2);
    const { topic, deadLetters, database, config, wrong } = scene;
    const watermark = { maxDelayMs: 1_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 };
    const bury = config({ aggregator: { lateEvents: "DeadLetter", watermark } });
    const workers = [await start(bury, mutants), await start(bury, mutants)];
    for (const worker of workers) await owns(worker, 1);
    const owners = await Promise.all(workers.map(async (worker) => (await worker.status()).partitions[0]?.partition));
    const [first, second] = [workers[owners.indexOf(0)], workers[owners.indexOf(1)]];
    if (first === undefined || second === undefined) throw new TypeError("each has a partition");
    await topic.send([at(600)], 0);
    await topic.send([at(10)], 1);
    await until("the watermark is at the second partition", async () => await watermarkPassed(scene, 9));
    // Stored in a transaction of its own, which is not to be taken for the commit below.
    if (!mutants.includes("stored-judgement"))
      await until("what comes is judged by it", async () => {
        const later = "judged_by is null or judged_by < (select max(watermark) from caudal.watermarks)";
        return (await database.query(`select from caudal.progress where ${later}`)).length === 0;
      });
    // The first has judged an event, which is not late, and its commit waits; then it is stopped.
    const lock = await lockRows(scene, "select from caudal.progress where partition = 0 order by output");
    await topic.send([at(20)], 0);
    await lock.awaited(1);
    first.signal("SIGSTOP");
    // Meanwhile the watermark passes the event, and the second reads it too.
    await topic.send([at(600)], 1);
    await until("the watermark has moved on", async () => await watermarkPassed(scene, 599), second);
    await owns(second, 2);
    await lock.awaited(2);
    await lock.release();
    first.signal("SIGCONT");
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends);
    const letters = await deadLetters.readTo(await deadLetters.seal());
    const late = letters
      .filter(({ headers }) => headers["caudal-reason"] === "LateEvent")
      .map(({ headers }) => `${headers["caudal-partition"]}/${headers["caudal-offset"]}`);
    return { late, wrong: await wrong(ends, ({ partition, offset }) => !late.includes(`${partition}/${offset}`)) };
  };
  const [guarded, unguarded] = await withAndWithout("stored-judgement", scenario, ["short-session"]);
  expect(guarded).toEqual({ late: [], wrong: [] });
  expect(unguarded.late).toEqual(["0/1"]);
  expect(unguarded.wrong).not.toEqual([]);
});
