/** A topic is deleted and made again: every output waits or begins anew, none skips a record, and a person's word goes on. */
import { globSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readLostTopics, type WorkloadConfig } from "@caudal/crds";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeEvents } from "../aggregator/events.ts";
import { actualTables, differences as tableDifferences, expectedTables } from "../aggregator/expected.ts";
import { startWorker, untilDone, type Worker } from "../aggregator/stage.ts";
import { createTopic, type Topic } from "../aggregator/topic.ts";
import { type Redis, startRedis } from "../redis.ts";
import { untilWritten } from "../transform/places.ts";
import { differences, type Row, rowsOf, type Scene, sorted, useScene } from "../transform/scene.ts";
import { useTopics } from "../transform/topics.ts";

const newScene = useScene("lost-topic");
const { keep } = useTopics();
const soon = { timeout: 120_000, interval: 100 };

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => await redis.stop());

const lines = (count: number, from: number) => makeEvents(8, count, from).map((event) => JSON.stringify(event));
const reason = async (worker: Worker) => (await worker.status()).error?.reason;
const topicId = async (worker: Worker) => (await worker.status()).reads?.topicId;

/** Longer than the topic before it: its first records are the ones that would be left out. */
async function replaced({ broker, topic }: Scene): Promise<Topic> {
  await topic.admin.deleteTopics({ topics: [topic.name] });
  const request = { topics: [{ topic: topic.name, numPartitions: 1 }], waitForLeaders: false };
  await expect.poll(async () => await topic.admin.createTopics(request), soon).toBe(true);
  const again = keep(await createTopic(broker, topic.name, 1));
  await again.send(lines(200, 100), 0);
  return again;
}

function everyOutput(scene: Scene, folder: string): WorkloadConfig {
  return scene.transform({
    to: [
      { name: "rows", table: { name: "rows" } },
      { name: "disk", files: { everyMs: 200, maxEvents: 500, format: "jsonl", path: `file://${folder}/` } },
      { name: "hot", redis: { key: "hot:{event_id}", as: "json", ttlMs: 0, secret: redis.secret } },
      { name: "out", topic: { name: scene.out.name, key: "user_id", fields: [] } },
    ],
  });
}

const tableRows = async ({ database }: Scene): Promise<readonly Row[]> =>
  sorted((await database.query<{ row: Row }>("select to_jsonb(t) as row from rows t")).map(({ row }) => row));
const diskRows = (folder: string): readonly Row[] =>
  sorted(
    globSync("date=*/*.jsonl", { cwd: folder })
      .flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n"))
      .map((line) => JSON.parse(line) as Row),
  );

/** What a stage's error says is to be written, as the operator reads it. */
async function advisedIn(worker: Worker, topic: string): Promise<readonly string[]> {
  const message = (await worker.status()).error?.message ?? "";
  const written = /acknowledge-lost-topics: "([^"]+)"/.exec(message)?.[1];
  return readLostTopics(written).get(topic) ?? [];
}

it("outputs that keep their place elsewhere wait for a person, and then each has every record of both topics once", async () => {
  const scene = await newScene(1);
  const folder = mkdtempSync(join(tmpdir(), "caudal-lost-topic-"));
  const config = everyOutput(scene, folder);
  await scene.topic.send(lines(100, 0), 0);
  const first = new Map([[0, 100]]);
  const worker = await startWorker(config);
  await untilWritten(config, { ...scene, redis }, first);
  const before = await scene.expected(first);
  const old = await topicId(worker);
  expect(old).toHaveLength(22);
  const again = await replaced(scene);
  await expect.poll(async () => await reason(worker), soon).toBe("TopicRecreated");
  await expect.poll(async () => await topicId(worker), soon).not.toBe(old);
  expect((await worker.status()).replaced).toMatchObject({
    topic: again.name,
    topicId: old,
    places: [{ endOffset: 100 }],
  });
  // Kafka forgets the place of an output to a topic together with the topic, so that one begins by itself.
  const [out] = config.transform?.to.slice(-1) ?? [];
  if (out === undefined || config.transform === undefined) throw new TypeError("an output");
  const alone = { ...config, transform: { ...config.transform, to: [out] } };
  const ends = await again.seal();
  await untilWritten(alone, { ...scene, topic: again }, ends);
  expect(differences(await tableRows(scene), before)).toEqual([]);
  expect(differences(diskRows(folder), before)).toEqual([]);
  const lostTopics = await advisedIn(worker, again.name);
  expect(lostTopics).toEqual([old]);
  expect(await worker.drain()).toBe(0);

  const told = await startWorker({ ...config, lostTopics: [...lostTopics] });
  await untilWritten(config, { ...scene, topic: again, redis }, ends);
  const both = sorted([...before, ...(await scene.expected(ends))]);
  for (const actual of [await tableRows(scene), diskRows(folder), rowsOf(await scene.sent())])
    expect(differences(actual, both)).toEqual([]);
  const keys = both.map(async ({ event_id: id }) => await redis.command("EXISTS", `hot:${String(id)}`));
  expect(new Set(await Promise.all(keys))).toEqual(new Set([1]));
  await expect.poll(async () => (await told.get("/readyz")).status, soon).toBe(200);
  // Said once more, it means nothing any more.
  await told.drain();
  await startWorker({ ...config, lostTopics: [...lostTopics] });
  await again.send(lines(20, 300), 0);
  await untilWritten(config, { ...scene, topic: again, redis }, await again.seal());
  expect(await tableRows(scene)).toHaveLength(before.length + (await scene.expected(await again.seal())).length);
});

it("an aggregator waits, and then its tables are one pass over both topics", async () => {
  const scene = await newScene(1);
  await scene.topic.send(lines(100, 0), 0);
  const worker = await startWorker(scene.config());
  const first = new Map([[0, 100]]);
  await untilDone(scene.database, scene.topic.name, first);
  const before = await scene.topic.readTo(first);
  const again = await replaced(scene);
  await expect.poll(async () => await reason(worker), soon).toBe("TopicRecreated");
  const said = async () => (await worker.status()).error?.message;
  await expect.poll(said, soon).toContain(`${again.name}/0 up to offset 100`);
  const lostTopics = await advisedIn(worker, again.name);
  const ends = await again.seal();
  const after = await again.readTo(ends);
  expect(tableDifferences(await actualTables(scene.database), await expectedTables(before))).toEqual([]);
  await worker.drain();
  await startWorker({ ...scene.config(), lostTopics: [...lostTopics] });
  await untilDone(scene.database, again.name, ends);
  expect(tableDifferences(await actualTables(scene.database), await expectedTables([...before, ...after]))).toEqual([]);
});
