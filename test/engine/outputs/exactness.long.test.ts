/** Each event is in each output exactly once: in Redis, in a bucket and on a volume. Faults are in test/chaos. */
import { globSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WorkloadConfig } from "@caudal/crds";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeEvents } from "../aggregator/events.ts";
import { startWorker } from "../aggregator/stage.ts";
import { type Redis, startRedis } from "../redis.ts";
import { type S3, startS3 } from "../s3.ts";
import { differences, type Row, type Scene, sorted, useScene } from "../transform/scene.ts";
import { untilWritten } from "../transform/places.ts";
import { readLake } from "./lake.ts";

const newScene = useScene("outputs");

let redis: Redis;
let s3: S3;
beforeAll(async () => {
  [redis, s3] = await Promise.all([startRedis(), startS3()]);
});
afterAll(async () => await Promise.all([redis.stop(), s3.stop()]));

const lines = (seed: number, count: number, from = 0) =>
  makeEvents(seed, count, from).map((event) => JSON.stringify(event));

const produce = async ({ topic }: Scene, seed: number, count: number): Promise<void> => {
  for (let from = 0; from < count; from += 250) {
    if ((from / 250) % 7 === 3) await topic.transaction(lines(seed + 1, 100, from), "abort");
    await topic.send(lines(seed, 250, from));
  }
};

/** A stage with an output of each kind. */
interface Outputs {
  readonly config: WorkloadConfig;
  /** Folders of the bucket and of the volume. */
  readonly bucket: string;
  readonly volume: string;
}

function outputsOf(scene: Scene): Outputs {
  const bucket = scene.topic.name;
  const folder = join(s3.bucket(bucket), "raw");
  mkdirSync(folder);
  const volume = mkdtempSync(join(tmpdir(), "caudal-volume-"));
  const files = { everyMs: 400, maxEvents: 2_000 };
  const path = `s3://${bucket}/raw/`;
  const config = scene.transform({
    to: [
      { name: "hot", redis: { key: `${bucket}:{event_id}`, as: "json", ttlMs: 0, secret: redis.secret } },
      { name: "lake", files: { ...files, format: "parquet", path, endpoint: s3.endpoint, secret: s3.secret } },
      { name: "disk", files: { ...files, format: "jsonl", path: `file://${volume}/` } },
    ],
  });
  return { config, bucket: folder, volume };
}

const done = async (scene: Scene, { config }: Outputs, ends: ReadonlyMap<number, number>): Promise<void> =>
  await untilWritten(config, { ...scene, redis }, ends, 120);

async function redisRows({ topic }: Scene): Promise<readonly Row[]> {
  const keys = (await redis.command("KEYS", `${topic.name}:*`)) as string[];
  const values = (await redis.command("MGET", ...keys)) as string[];
  return sorted(values.map((value) => JSON.parse(value) as Row));
}

function diskRows({ volume }: Outputs): readonly Row[] {
  const texts = globSync("date=*/*.jsonl", { cwd: volume }).map((name) => readFileSync(join(volume, name), "utf8"));
  return sorted(texts.flatMap((text) => text.trimEnd().split("\n")).map((line) => JSON.parse(line) as Row));
}

async function lakeRows({ bucket }: Outputs): Promise<readonly Row[]> {
  const query = `from read_parquet('${bucket}/date=*/*.parquet', hive_partitioning = false, filename = false)`;
  return sorted(await readLake<Row>(`select event_id::varchar as event_id, * exclude (event_id) ${query}`));
}

async function expectExact(scene: Scene, outputs: Outputs, ends: ReadonlyMap<number, number>): Promise<void> {
  const expected = await scene.expected(ends);
  expect(expected.length).toBeGreaterThan(1_000);
  expect(differences(await redisRows(scene), expected)).toEqual([]);
  expect(differences(diskRows(outputs), expected)).toEqual([]);
  expect(differences(await lakeRows(outputs), expected)).toEqual([]);
  expect(await scene.database.query("select * from caudal.files")).toEqual([]);
}

describe("each event that passes is there once", () => {
  it("with two workers, in Redis, in a bucket and on a volume", async () => {
    const scene = await newScene(4);
    const outputs = outputsOf(scene);
    const workers = [await startWorker(outputs.config), await startWorker(outputs.config)];
    await produce(scene, 1, 6_000);
    const ends = await scene.topic.seal();
    await done(scene, outputs, ends);
    await expectExact(scene, outputs, ends);
    const metrics = (await Promise.all(workers.map(async (worker) => (await worker.get("/metrics")).text))).join("\n");
    const counts = metrics.split("\n").filter((line) => line.startsWith("caudal_external_call_seconds_count{"));
    for (const labels of [
      ['target="redis"', 'operation="write"', 'outcome="ok"'],
      ['target="files"', 'operation="publish"', 'outcome="ok"'],
    ])
      expect(counts.some((line) => labels.every((label) => line.includes(label)))).toBe(true);
    for (const worker of workers) expect(await worker.drain()).toBe(0);
  });

  it("while one output is away the others go on", async () => {
    const scene = await newScene(2);
    const outputs = outputsOf(scene);
    await redis.kill();
    const worker = await startWorker(outputs.config);
    await produce(scene, 5, 3_000);
    const ends = await scene.topic.seal();
    const expected = await scene.expected(ends);
    await expect
      .poll(async () => (await lakeRows(outputs).catch(() => [])).length, { timeout: 120_000, interval: 200 })
      .toBe(expected.length);
    const reason = async () => (await worker.status()).error?.reason;
    await expect.poll(reason, { timeout: 120_000 }).toBe("RedisUnavailable");
    await redis.start();
    await done(scene, outputs, ends);
    await expectExact(scene, outputs, ends);
    expect(await worker.drain()).toBe(0);
  });

  it("rows that Redis cannot keep are dead letters, once, and the others are kept", async () => {
    const scene = await newScene(1);
    const hot = { key: `${scene.topic.name}:{user_id}`, as: "json" as const, ttlMs: 0, secret: redis.secret };
    const config = scene.transform({ where: "true", to: [{ name: "hot", redis: hot }] });
    const worker = await startWorker(config);
    const events = makeEvents(9, 600);
    await scene.topic.send(events.map((event) => JSON.stringify(event)));
    const nobody = events.filter(({ user_id }) => user_id === null).length;
    expect(nobody).toBeGreaterThan(0);
    await expect.poll(async () => (await worker.status()).deadLetters, { timeout: 120_000 }).toBe(nobody);
    const letters = await scene.deadLetters.readTo(await scene.deadLetters.seal());
    const reasons = letters.flatMap(({ headers }) => headers["caudal-reason"] ?? []);
    expect(reasons).toEqual(Array.from({ length: nobody }, () => "RefusedByOutput"));
    const users = new Set(events.flatMap(({ user_id }) => user_id ?? []));
    expect(await redisRows(scene)).toHaveLength(users.size);
    expect(await worker.drain()).toBe(0);
  });
});
