/** Within a pod's limit of memory, whatever the topic holds: a worker that takes more is killed by the kernel. */
import { afterEach, expect, it } from "vitest";
import { limitMemory, type MemoryLimit } from "../memory-limit.ts";
import { makeEvents } from "./events.ts";
import { useScene } from "./scene.ts";
import { killWorkers, startWorker, untilDone, type Worker } from "./stage.ts";

const MIB = 1024 * 1024;
const LIMIT = 512 * MIB;
const newScene = useScene("memory");
/** As in workloads/Dockerfile. */
const node = ["--external-memory-accounted-in-global-limit"];
let limit: MemoryLimit | undefined;

afterEach(async () => {
  await killWorkers();
  limit?.remove();
  limit = undefined;
});

async function startLimited(name: string, config: Parameters<typeof startWorker>[0]): Promise<Worker> {
  limit = limitMemory(name, LIMIT);
  return await startWorker(config, { node, through: limit.command });
}

it("hundreds of thousands of groups in every table fit", async () => {
  const { topic, database, config } = await newScene(4);
  const groups = 160_000;
  for (let from = 0; from < groups; from += 20_000) {
    const events = makeEvents(from, 20_000, from).map((event, index) => ({
      ...event,
      event_type: "view",
      user_id: `user-${from + index}`,
    }));
    await topic.send(events.map((event) => JSON.stringify(event)));
  }
  const ends = await topic.seal();
  const worker = await startLimited("groups", config());
  await untilDone(database, topic.name, ends, 120);
  const [counted] = await database.query<{ groups: string; events: string }>(
    "select count(distinct user_id) as groups, sum(count) as events from user_counts",
  );
  expect(counted).toEqual({ groups: String(groups), events: String(groups) });
  expect(await worker.drain()).toBe(0);
});

it("events of a megabyte fit, good ones and dead letters", async () => {
  const { topic, database, config, wrong } = await newScene(4);
  const padding = "x".repeat(900_000);
  const events = makeEvents(1, 120);
  for (const [index, event] of events.entries()) {
    const noise = padding.slice(index) + Array.from({ length: 2_000 }, () => Math.random().toString(36)).join("");
    const text = JSON.stringify({ ...event, noise });
    await topic.send([index % 4 === 0 ? `${text}}` : text]);
  }
  const ends = await topic.seal();
  const worker = await startLimited("large", config());
  await untilDone(database, topic.name, ends, 120);
  // With the record without a value that ends each of the four partitions.
  expect((await worker.status()).deadLetters).toBe(34);
  expect(await wrong(ends, ({ value }) => value?.toString().endsWith("}}") !== true)).toEqual([]);
  expect(await worker.drain()).toBe(0);
});

it("batches that unpack to a thousand times their length fit", async () => {
  const { topic, database, config, wrong } = await newScene(2);
  const blank = " ".repeat(500_000);
  // Some 30 KB on the wire each, 20 MB in memory: a fetch would hold dozens of them.
  for (let from = 0; from < 1_200; from += 80) {
    const events = makeEvents(from, 80, from);
    await topic.send(events.map((event) => `${JSON.stringify(event)}${blank}`));
  }
  const ends = await topic.seal();
  const worker = await startLimited("packed", config());
  await untilDone(database, topic.name, ends, 120);
  expect(await wrong(ends)).toEqual([]);
  expect(await worker.drain()).toBe(0);
});
