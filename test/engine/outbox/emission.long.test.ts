/** Final rows from events to the topic: what a consumer with read_committed sees is the tables' closed rows, each once. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { makeEvents, randomFrom } from "../aggregator/events.ts";
import { type Scene, useScene } from "../aggregator/scene.ts";
import { startWorker, untilDone, type Worker } from "../aggregator/stage.ts";
import { createTopic, type Topic } from "../aggregator/topic.ts";

const newScene = useScene("emit", { own: true });
const soon = { timeout: 120_000, interval: 200 };
const open: Topic[] = [];
afterEach(async () => {
  for (const topic of open.splice(0)) await topic.close();
});

interface Final {
  readonly key: string | null;
  readonly value: Readonly<Record<string, unknown>> & { readonly revision: number; readonly window_start: string };
}

const finalsOf = async ({ broker }: Scene, name: string, partitions: number): Promise<Final[]> => {
  // Clients of their own: those that the test began with have seen the broker go.
  const topic = await createTopic(broker, name, partitions);
  open.push(topic);
  const ends = await topic.seal();
  expect(ends.size).toBe(partitions);
  const records = await topic.readTo(ends);
  return records.flatMap(({ key, value }) =>
    value === null ? [] : [{ key, value: JSON.parse(value.toString()) as Final["value"] }],
  );
};
/** Rows of a table whose windows are over, in the form of the records. */
const closedRows = async ({ database }: Scene, table: string, columns: string, before: string) =>
  (
    await database.query<{ row: unknown }>(
      `select row_to_json(r) as row from (select window_start, window_end, ${columns}, revision from ${table}
        where window_end <= $1::timestamptz) r`,
      [before],
    )
  ).map(({ row }) => row as Final["value"]);
/** Averages of doubles depend on the order of addition in their last digits. */
const rounded = (_: string, value: unknown) => (typeof value === "number" ? Number(value.toPrecision(12)) : value);
const text = (values: readonly object[]) => values.map((value) => JSON.stringify(value, rounded)).sort();
const lines = (seed: number, count: number, from: number) =>
  makeEvents(seed, count, from).map((event) => JSON.stringify(event));
/** An event on each partition, a day after all others: the watermark passes all of them. */
const passAll = async (topic: Topic, partitions: number): Promise<void> => {
  for (let partition = 0; partition < partitions; partition++) {
    const [event] = makeEvents(1, 1, 9_000_000 + partition);
    await topic.send([JSON.stringify({ ...event, event_ts: "2026-01-02T00:00:00Z" })], partition);
  }
};
const outputs = ["event_counts", "user_counts", "user_waiting"];
const watermark = { maxDelayMs: 20_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 };

const stageOf = async (lateEvents: "Update" | "DeadLetter") => {
  const scene = await newScene(2);
  const [byType, byUser, waiting] = scene.config().aggregator?.tables ?? [];
  if (byType === undefined || byUser === undefined || waiting === undefined) throw new TypeError("three tables");
  const finals = await createTopic(scene.broker, `${scene.topic.name}-finals`, 3);
  const hops = await createTopic(scene.broker, `${scene.topic.name}-hops`, 2);
  open.push(finals, hops);
  const emit = (topic: Topic, revisions: boolean) => ({ emit: { final: { topic: topic.name, revisions } } });
  const tables = [byType, { ...byUser, ...emit(finals, lateEvents === "Update") }, { ...waiting, ...emit(hops, true) }];
  return { scene, finals, hops, config: scene.config({ aggregator: { lateEvents, watermark, tables } }) };
};
const drained = async ({ database }: Scene): Promise<void> => {
  const left = `select (select count(*)::int from caudal.outbox) as rows,
    (select count(*)::int from caudal.claims where final >= '2026-01-01T23:59:00Z' and emitted_end = final) as sent`;
  await expect
    .poll(async () => await database.query<object>(left).catch(() => []), soon)
    .toEqual([{ rows: 0, sent: 2 }]);
};

/** Sends events while workers are killed at random, one of them stopped for long, and the broker restarted. */
const disturb = async ({ scene, config }: Awaited<ReturnType<typeof stageOf>>, seed: number): Promise<void> => {
  const { broker, topic } = scene;
  const random = randomFrom(seed);
  const workers: Worker[] = [await startWorker(config), await startWorker(config)];
  const load = (async () => {
    for (let from = 0; from < 12_000; from += 200) {
      await topic.send(lines(seed, 200, from));
      await sleep(150);
    }
  })();
  for (let kill = 0; kill < 7; kill++) {
    await sleep(200 + random() * 1_800);
    const index = Math.floor(random() * 2);
    await workers[index]?.kill();
    workers[index] = await startWorker(config);
    if (kill === 3) {
      await broker.kill();
      await broker.restart();
    }
  }
  await load;
  await passAll(topic, 2);
  const ends = await topic.seal();
  await untilDone(scene.database, topic.name, ends, 90, outputs);
  await drained(scene);
  for (const worker of workers) expect(await worker.drain()).toBe(0);
};

it("each final row is on the topic once, equal to the table's, after kills at random moments and a killed broker", async () => {
  const stage = await stageOf("DeadLetter");
  await disturb(stage, 11);
  const sent = await finalsOf(stage.scene, stage.finals.name, 3);
  const rows = await closedRows(stage.scene, "user_counts", "user_id, count, with_points, first_id", "2026-01-02");
  expect(rows.length).toBeGreaterThan(100);
  expect(text(sent.map(({ value }) => value))).toEqual(text(rows));
  expect(sent.every(({ key, value }) => key === value["user_id"] && value.revision === 0)).toBe(true);
});

it("revisions follow where late events revise, and the last record of each row is the row", async () => {
  const { scene, finals, hops, config } = await stageOf("Update");
  const { topic, database } = scene;
  await startWorker(config);
  await topic.send(lines(12, 3_000, 0));
  await passAll(topic, 2);
  await drained(scene);
  for (let from = 0; from < 600; from += 200) await topic.send(lines(13, 200, from));
  await untilDone(database, topic.name, await topic.seal(), 90, outputs);
  await drained(scene);
  for (const [name, partitions, table, columns] of [
    [finals.name, 3, "user_counts", "user_id, count, with_points, first_id"],
    [hops.name, 2, "user_waiting", "user_id, mean, least, most, points::text as points"],
  ] as const) {
    const sent = (await finalsOf(scene, name, partitions)).map(({ value }) => value);
    const last = new Map<string, Final["value"]>();
    for (const value of sent) {
      const id = JSON.stringify([value.window_start, value["user_id"]]);
      expect(value.revision).toBeGreaterThan(last.get(id)?.revision ?? -1);
      last.set(id, value);
    }
    const rows = await closedRows(scene, table, columns, "2026-01-02");
    expect(text([...last.values()])).toEqual(text(rows));
    expect(sent.some(({ revision }) => revision > 0)).toBe(true);
  }
});

it("a leader that was stopped, and another that took over, send each row once", async () => {
  const { scene, finals, config } = await stageOf("DeadLetter");
  const { topic, database } = scene;
  const leads = (worker: Worker) => worker.log().includes("keeps house for the stage");
  const workers = [await startWorker(config)];
  await expect.poll(() => workers.some(leads), soon).toBe(true);
  workers.push(await startWorker(config));
  await topic.send(lines(21, 3_000, 0));
  await expect
    .poll(
      async () => (await database.query("select from caudal.claims where emitted_end > '2026-01-01T00:01:00Z'")).length,
      soon,
    )
    .toBeGreaterThan(0);
  workers[0]?.signal("SIGSTOP");
  // As when its network is gone: the server ends its sessions, and it does not know.
  await database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'caudal%housekeeping'`,
  );
  await expect.poll(() => workers[1] !== undefined && leads(workers[1]), soon).toBe(true);
  await topic.send(lines(21, 3_000, 3_000));
  workers[0]?.signal("SIGCONT");
  await passAll(topic, 2);
  await untilDone(database, topic.name, await topic.seal(), 90, outputs);
  await drained(scene);
  const rows = await closedRows(scene, "user_counts", "user_id, count, with_points, first_id", "2026-01-02");
  expect(text((await finalsOf(scene, finals.name, 3)).map(({ value }) => value))).toEqual(text(rows));
});
