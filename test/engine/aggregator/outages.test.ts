/** What is outside goes away and comes back: the worker lives, says so, and goes on by itself. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeEvents } from "./events.ts";
import { useScene } from "./scene.ts";
import { startWorker, untilDone, type Worker } from "./stage.ts";
import { createTopic } from "./topic.ts";

const newScene = useScene("outage", { own: true });
const soon = { timeout: 120_000, interval: 100 };
const lines = (seed: number, count: number, from = 0) =>
  makeEvents(seed, count, from).map((event) => JSON.stringify(event));
const probes = async (worker: Worker) => {
  const [live, ready] = await Promise.all([worker.get("/livez"), worker.get("/readyz")]);
  return [live.status, ready.status, (await worker.status()).error?.reason];
};

it("an outage of the database makes it unready, not dead, and loses nothing", async () => {
  const { server, topic, database, config, wrong } = await newScene(2);
  const worker = await startWorker(config());
  await topic.send(lines(1, 500));
  await expect.poll(async () => (await worker.status()).events, soon).toBe(500);
  await server.kill();
  await topic.send(lines(1, 500, 500));
  await expect.poll(async () => await probes(worker), soon).toEqual([200, 503, "DatabaseUnavailable"]);
  await server.start();
  await expect.poll(async () => await probes(worker), soon).toEqual([200, 200, undefined]);
  const ends = await topic.seal();
  await untilDone(database, topic.name, ends);
  expect(await wrong(ends)).toEqual([]);
});

it("an outage of the broker does too", async () => {
  const { broker, topic, database, config, wrong } = await newScene(2);
  const worker = await startWorker(config());
  await topic.send(lines(2, 500));
  await expect.poll(async () => (await worker.status()).events, soon).toBe(500);
  await broker.kill();
  await expect.poll(async () => await probes(worker), soon).toEqual([200, 503, "KafkaUnavailable"]);
  await broker.restart();
  await expect.poll(async () => await probes(worker), soon).toEqual([200, 200, undefined]);
  await topic.send(lines(2, 500, 500));
  const ends = await topic.seal();
  await untilDone(database, topic.name, ends);
  expect(await wrong(ends)).toEqual([]);
});

it("records wait for a dead-letter topic that is missing, and none is left out", async () => {
  const { broker, topic, database, config } = await newScene(1);
  const deadLetterTopic = `${topic.name}-later`;
  const worker = await startWorker(config({ aggregator: { deadLetterTopic } }));
  await topic.send(["{oops", ...lines(3, 5)]);
  await expect.poll(async () => await probes(worker), soon).toEqual([200, 503, "TopicMissing"]);
  expect(await database.query("select * from event_counts")).toEqual([]);
  const later = await createTopic(broker, deadLetterTopic, 1);
  await expect.poll(async () => (await worker.status()).events, soon).toBe(5);
  const letters = await later.readTo(await later.seal());
  expect(letters[0]?.headers["caudal-reason"]).toBe("MalformedJson");
  await later.close();
});

it("a password that was rotated is read again without a restart", async () => {
  const { topic, database, config } = await newScene(1);
  const file = join(database.secret, "password");
  writeFileSync(file, "not yet");
  const worker = await startWorker(config());
  await expect.poll(async () => await probes(worker), soon).toEqual([200, 503, "DatabaseRefused"]);
  const said = (await worker.status()).error?.message ?? "";
  expect(said).toContain("password authentication failed");
  expect(said).toMatch(new RegExp(`connect to database \\S+ at \\S+:\\d+ as user \\S+ \\(${database.secret}\\)`));
  expect(said).toContain("correct username and password there");
  expect(said).not.toContain("not yet");
  writeFileSync(file, "only on loopback");
  await topic.send(lines(4, 5));
  await expect.poll(async () => (await worker.status()).events, soon).toBe(5);
});

it("SIGTERM commits what is in hand and leaves the group, so that another worker goes on at once", async () => {
  const { topic, database, config, wrong } = await newScene(2);
  const first = await startWorker(config());
  await expect.poll(async () => (await first.status()).partitions.length, soon).toBe(2);
  const load = topic.send(lines(5, 5_000));
  expect(await first.drain()).toBe(0);
  await load;
  const began = performance.now();
  const second = await startWorker(config());
  await expect.poll(async () => (await second.status()).partitions.length, soon).toBe(2);
  // A member that had not left would hold its partitions until its session ends, 15 s.
  expect(performance.now() - began).toBeLessThan(10_000);
  const ends = await topic.seal();
  await untilDone(database, topic.name, ends);
  expect(await wrong(ends)).toEqual([]);
});
