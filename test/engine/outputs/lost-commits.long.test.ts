/** An earlier copy of a server's data is put back, while workers are idle and busy: nothing stays lost, and it is told. */
import { globSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkloadConfig } from "@caudal/crds";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeEvents } from "../aggregator/events.ts";
import { startWorker, untilDone, type Worker } from "../aggregator/stage.ts";
import { type Redis, startRedis } from "../redis.ts";
import { untilWritten } from "../transform/places.ts";
import { differences, type Row, rowsOf, type Scene, sorted, useScene } from "../transform/scene.ts";

const newScene = useScene("lost");
const soon = { timeout: 120_000, interval: 100 };

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => await redis.stop());

const lines = (count: number, from: number) => makeEvents(5, count, from).map((event) => JSON.stringify(event));
const send = async ({ topic }: Scene, count: number, from: number): Promise<void> => {
  for (const partition of [0, 1]) await topic.send(lines(count / 2, from + (partition * count) / 2), partition);
};
/** What a stage says was lost: offsets by output and partition. */
const lost = async (worker: Worker) => {
  const told = (await worker.status()).lost ?? [];
  return new Map(told.map(({ output, partition, offsets }) => [`${output} ${partition}`, offsets]));
};
const sum = (values: Iterable<number>) => [...values].reduce((all, value) => all + value, 0);

/** Sends while the server's data goes back. @returns offset behind all that was sent */
async function throughLoss(scene: Scene, putBack: () => Promise<void>, busy: boolean, from: number): Promise<number> {
  let next = from;
  let over = !busy;
  const sending = (async () => {
    while (!over) {
      await send(scene, 200, next);
      next += 200;
    }
  })();
  await putBack();
  over = true;
  await sending;
  return next;
}

function everyOutput(scene: Scene, folder: string): WorkloadConfig {
  return scene.transform({
    to: [
      { name: "rows", table: { name: "rows" } },
      { name: "keyed", table: { name: "keyed", key: ["event_id"] } },
      { name: "disk", files: { everyMs: 200, maxEvents: 500, format: "jsonl", path: `file://${folder}/` } },
      { name: "out", topic: { name: scene.out.name, key: "user_id", fields: [] } },
    ],
  });
}

const tableRows = async ({ database }: Scene, table: string): Promise<readonly Row[]> =>
  sorted((await database.query<{ row: Row }>(`select to_jsonb(t) as row from ${table} t`)).map(({ row }) => row));
const diskRows = (folder: string): readonly Row[] =>
  sorted(
    globSync("date=*/*.jsonl", { cwd: folder })
      .flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n"))
      .map((line) => JSON.parse(line) as Row),
  );

describe.each([
  ["idle", false],
  ["busy", true],
] as const)("PostgreSQL loses commits while a stage is %s", (_, busy) => {
  it("every output of a transform has each event once, and those that lost some say how many", async () => {
    const scene = await newScene(2);
    const folder = mkdtempSync(join(tmpdir(), "caudal-lost-"));
    const config = everyOutput(scene, folder);
    const worker = await startWorker(config);
    await send(scene, 2_000, 0);
    const first = new Map([0, 1].map((partition) => [partition, 1_000]));
    await untilWritten(config, scene, first);
    const putBack = await scene.server.save();
    await send(scene, 3_000, 2_000);
    await untilWritten(config, scene, new Map([0, 1].map((partition) => [partition, 2_500])));
    await throughLoss(scene, putBack, busy, 5_000);
    if (!busy) {
      // Without another event: what was lost is read again.
      await untilWritten(config, scene, new Map([0, 1].map((partition) => [partition, 2_500])));
      for (const output of ["rows", "keyed", "disk"])
        for (const partition of [0, 1])
          await expect.poll(async () => (await lost(worker)).get(`${output} ${partition}`), soon).toBe(1_500);
    }
    const ends = await scene.topic.seal();
    await untilWritten(config, scene, ends);
    const expected = await scene.expected(ends);
    const rows = [await tableRows(scene, "rows"), await tableRows(scene, "keyed"), diskRows(folder)];
    for (const actual of [...rows, rowsOf(await scene.sent())]) expect(differences(actual, expected)).toEqual([]);
    const told = await lost(worker);
    expect([...told.keys()].sort()).toEqual(["disk 0", "disk 1", "keyed 0", "keyed 1", "rows 0", "rows 1"]);
    expect(sum(told.values())).toBeGreaterThanOrEqual(6 * 1_500);
    expect((await worker.get("/metrics")).text).toMatch(/caudal_commits_lost_total\{output="rows",[^}]*\} [1-9]/);
  });

  it("an aggregator's tables are one pass over the log, and it says how much was lost", async () => {
    const scene = await newScene(2);
    const worker = await startWorker(scene.config());
    await send(scene, 2_000, 0);
    await untilDone(scene.database, scene.topic.name, new Map([0, 1].map((partition) => [partition, 1_000])));
    const putBack = await scene.server.save();
    await send(scene, 3_000, 2_000);
    const all = new Map([0, 1].map((partition) => [partition, 2_500]));
    await untilDone(scene.database, scene.topic.name, all);
    await throughLoss(scene, putBack, busy, 5_000);
    if (!busy) await untilDone(scene.database, scene.topic.name, all);
    const ends = await scene.topic.seal();
    await untilDone(scene.database, scene.topic.name, ends);
    expect(await scene.wrong(ends)).toEqual([]);
    const told = await lost(worker);
    for (const table of ["event_counts", "user_sessions"])
      for (const partition of [0, 1]) expect(told.get(`${table} ${partition}`)).toBeGreaterThanOrEqual(1_500);
  });
});

it("a Redis that goes back is brought up to date without a new event, and it is told", async () => {
  const scene = await newScene(1);
  const name = scene.topic.name;
  const hot = { key: `${name}:{event_id}`, as: "json" as const, ttlMs: 0, secret: redis.secret };
  const config = scene.transform({ to: [{ name: "hot", redis: hot }] });
  const worker = await startWorker(config);
  await scene.topic.send(lines(1_000, 0));
  await untilWritten(config, { ...scene, redis }, new Map([[0, 1_000]]));
  const keys = async () => (await redis.command("KEYS", `*${name}:*-*-*`)) as string[];
  const before = await keys();
  // As a replica that lacked all of it: its keys are gone, and progress is where it was then.
  const [progress] = (await redis.command("KEYS", `*${name}:0`)) as string[];
  await redis.command("DEL", ...before);
  await redis.command("HSET", progress ?? "", "next", "0", "epoch", "-1");
  await expect.poll(async () => (await keys()).length, soon).toBe(before.length);
  expect(before.length).toBeGreaterThan(100);
  await expect.poll(async () => (await lost(worker)).get("hot 0"), soon).toBe(1_000);
});
