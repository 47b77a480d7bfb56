/** Pipelines that meet, come again, grow, and stages that have to stop. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Database } from "../postgres.ts";
import { makeEvents } from "./events.ts";
import { tables } from "./expected.ts";
import { useScene } from "./scene.ts";
import { startWorker, untilDone, type Worker } from "./stage.ts";

const newScene = useScene("changes");

const lines = (seed: number, count: number, from = 0) =>
  makeEvents(seed, count, from).map((event) => JSON.stringify(event));
const reason = async (worker: Worker) => (await worker.status()).error?.reason;
const ready = async (worker: Worker) => (await worker.get("/readyz")).status;
const soon = { timeout: 120_000, interval: 100 };
const event = (id: number, second: number, fields: object = {}) =>
  JSON.stringify({
    event_id: `00000000-0000-4000-8000-${String(id).padStart(12, "0")}`,
    event_ts: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
    ...fields,
  });
const counts = async (database: Database) =>
  await database.query<{ at: string; count: number }>(
    "select to_char(window_start, 'HH24:MI') as at, sum(count)::int as count from event_counts group by 1 order by 1",
  );

describe("a table", () => {
  it("of one pipeline is refused to another, which says so, lives and goes on when it may", async () => {
    const { topic, database, config } = await newScene(1);
    await topic.send(lines(1, 100));
    const first = await startWorker(config());
    await expect.poll(async () => await ready(first), soon).toBe(200);
    const second = await startWorker(config({ pipeline: { name: "other", uid: "other" } }));
    await expect.poll(async () => await reason(second), soon).toBe("TableClaimed");
    expect((await second.status()).error?.message).toMatch(/written by stage metrics-\S+ of pipeline shop\/events/);
    expect([await ready(second), (await second.get("/livez")).status]).toEqual([503, 200]);
    await first.drain();
    for (const { name } of tables) await database.query("select caudal.forget_table($1)", [name]);
    await expect.poll(async () => await ready(second), soon).toBe(200);
  });

  it("goes on where it was when the pipeline is created again under Retain", async () => {
    const { topic, database, config, wrong } = await newScene(2);
    await topic.send(lines(2, 1_000));
    const first = await startWorker(config());
    await expect.poll(async () => (await first.status()).events, soon).toBe(1_000);
    const again = await startWorker(config({ pipeline: { uid: "second" } }));
    await expect.poll(async () => await reason(again), soon).toBe("TableClaimed");
    expect(await first.drain()).toBe(0);
    await topic.send(lines(2, 500, 1_000));
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends);
    expect(await wrong(ends)).toEqual([]);
    expect((await again.status()).events).toBe(500);
    const old = await startWorker(config());
    await expect.poll(async () => await reason(old), soon).toBe("PipelineReplaced");
  });

  it("that is added catches up from the log's start while the others go on, and joins them", async () => {
    const { topic, database, config, wrong } = await newScene(2);
    const [one, two, three] = config().aggregator?.tables ?? [];
    if (one === undefined || two === undefined || three === undefined) throw new TypeError("three tables");
    await topic.send(lines(3, 4_000));
    const before = await startWorker(config({ aggregator: { tables: [one, two] } }));
    await expect.poll(async () => (await before.status()).events, soon).toBe(4_000);
    expect(await before.drain()).toBe(0);
    const after = await startWorker(config());
    await topic.send(lines(3, 2_000, 4_000));
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends);
    expect(await wrong(ends)).toEqual([]);
    expect(after.log()).toContain("has caught up with the others");
    // Tombstones of seal(): each is sent once, by the foremost lane.
    expect((await after.status()).deadLetters).toBe(2);
    await expect.poll(async () => await ready(after), soon).toBe(200);
  });

  it("whose definition has changed stops the stage until a person decides", async () => {
    const { topic, config } = await newScene(1);
    await topic.send(lines(4, 10));
    const before = await startWorker(config());
    await expect.poll(async () => (await before.status()).events, soon).toBe(10);
    await before.drain();
    const [one] = config().aggregator?.tables ?? [];
    if (one === undefined) throw new TypeError("a table");
    const changed = [{ ...one, aggregates: ["count(*) as count", "max(points) as points"] }];
    const after = await startWorker(config({ aggregator: { tables: changed } }));
    await expect.poll(async () => await reason(after), soon).toBe("TableChanged");
    expect((await after.status()).error?.message).toContain("aggregate points was ");
  });
});

describe("partitions", () => {
  it("that are added while it runs are read from their start", async () => {
    const { topic, database, config, wrong } = await newScene(1);
    const worker = await startWorker(config());
    await topic.send(lines(5, 500));
    await expect.poll(async () => (await worker.status()).events, soon).toBe(500);
    await topic.addPartitions(3);
    for (const partition of [1, 2]) await topic.send(lines(5, 300, 500 * partition), partition);
    const ends = await topic.seal();
    expect(ends.size).toBe(3);
    await untilDone(database, topic.name, ends);
    expect(await wrong(ends)).toEqual([]);
  });

  it("that are fewer than the replicas leave a replica idle, and ready", async () => {
    const { config } = await newScene(1);
    const workers = [await startWorker(config()), await startWorker(config())];
    const owned = async () =>
      (await Promise.all(workers.map(async (worker) => (await worker.status()).partitions.length))).sort();
    await expect.poll(owned, soon).toEqual([0, 1]);
    for (const worker of workers) await expect.poll(async () => await ready(worker), soon).toBe(200);
  });

  it("whose records retention removed before they were read stop the stage with the place", async () => {
    const { broker, topic, database, config } = await newScene(1);
    await topic.send(lines(6, 100));
    const before = await startWorker(config());
    await expect.poll(async () => (await before.status()).events, soon).toBe(100);
    await before.drain();
    await topic.send(lines(6, 100, 100));
    const request = { version: 1, partitions: [{ topic: topic.name, partition: 0, offset: 150 }] };
    const file = join(mkdtempSync(join(tmpdir(), "caudal-delete-")), "offsets.json");
    writeFileSync(file, JSON.stringify(request));
    await broker.tool("org.apache.kafka.tools.DeleteRecordsCommand", [
      ...["--bootstrap-server", broker.bootstrap, "--offset-json-file", file],
    ]);
    const after = await startWorker(config());
    await expect.poll(async () => await reason(after), soon).toBe("OffsetOutOfRange");
    expect((await after.status()).error?.message).toContain("50 offsets");
    expect((await after.get("/livez")).status).toBe(200);
    // As it says: the tables begin anew with what is left.
    expect((await after.status()).error?.message).toContain("select caudal.forget_table('name')");
    for (const { name } of tables) await database.query("select caudal.forget_table($1)", [name]);
    await expect.poll(async () => (await after.status()).events, soon).toBe(50);
    await expect.poll(async () => await ready(after), soon).toBe(200);
  });

  it("of a topic that was deleted and made again stop the stage", async () => {
    const { topic, config } = await newScene(1);
    await topic.send(lines(7, 10));
    const worker = await startWorker(config());
    await expect.poll(async () => (await worker.status()).events, soon).toBe(10);
    await topic.admin.deleteTopics({ topics: [topic.name] });
    const again = { topics: [{ topic: topic.name, numPartitions: 1 }], waitForLeaders: false };
    await expect.poll(async () => await topic.admin.createTopics(again), soon).toBe(true);
    await expect.poll(async () => await reason(worker), soon).toBe("TopicRecreated");
  });
});

describe("late events", () => {
  const watermark = { maxDelayMs: 1_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 };
  const lateAfter = async (policy: "Update" | "DeadLetter" | "Drop") => {
    const scene = await newScene(1);
    const { topic, database, config, deadLetters } = scene;
    const worker = await startWorker(config({ aggregator: { lateEvents: policy, watermark } }));
    await topic.send([event(1, 10), event(2, 20), event(3, 200)]);
    const passed = async () =>
      (
        await database.query<{ passed: boolean }>(
          "select max(watermark) >= '2026-01-01T00:03:19Z' as passed from caudal.watermarks",
        )
      )[0]?.passed;
    await expect.poll(async () => (await worker.status()).events, soon).toBe(3);
    await expect.poll(passed, soon).toBe(true);
    await expect
      .poll(async () => (await worker.get("/metrics")).text, soon)
      .toMatch(/caudal_watermark_timestamp_seconds\{.*\} 1767225799/);
    await topic.send([event(4, 30), event(5, 199)]);
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends);
    const status = await worker.status();
    const letters = await deadLetters.readTo(await deadLetters.seal());
    return {
      counts: await counts(database),
      late: status.lateEvents,
      letters: letters
        .filter(({ value }) => value !== null)
        .map(({ headers }) => [headers["caudal-reason"], headers["caudal-offset"]]),
    };
  };
  const kept = [
    { at: "00:00", count: 2 },
    { at: "00:03", count: 2 },
  ];

  it("revise their row under Update", async () => {
    const revised = [{ at: "00:00", count: 3 }, kept[1]];
    expect(await lateAfter("Update")).toEqual({ counts: revised, late: 1, letters: [] });
  });

  it("are left out and sent to the dead letters under DeadLetter: rows and letters are the log", async () => {
    expect(await lateAfter("DeadLetter")).toEqual({ counts: kept, late: 1, letters: [["LateEvent", "3"]] });
  });

  it("are left out and counted under Drop", async () => {
    expect(await lateAfter("Drop")).toEqual({ counts: kept, late: 1, letters: [] });
  });

  it("wait for a partition without events until it is idle, and no longer", async () => {
    const idleTimeoutMs = 5_000;
    const { topic, database, config } = await newScene(2);
    const started = Date.now();
    await startWorker(config({ aggregator: { watermark: { ...watermark, idleTimeoutMs } } }));
    await topic.send([event(1, 100)], 0);
    const passed = async () =>
      (
        await database
          .query<{ at: Date | null }>("select max(watermark) as at from caudal.watermarks")
          .catch((): { at: Date | null }[] => [])
      )[0]?.at;
    // Partition 1 becomes idle; partition 0 would too, if nothing kept it active.
    let second = 100;
    await expect
      .poll(async () => {
        await topic.send([event(++second, second)], 0);
        return await passed();
      }, soon)
      .toBeInstanceOf(Date);
    expect(Date.now() - started).toBeGreaterThan(idleTimeoutMs);
  });
});
