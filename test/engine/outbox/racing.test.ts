/** Replicas that race for the same rows, marks and partitions: their ordinary life is nobody's illness. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { makeEvents } from "../aggregator/events.ts";
import { useScene } from "../aggregator/scene.ts";
import { startWorker, untilDone, type Worker } from "../aggregator/stage.ts";
import { createTopic } from "../aggregator/topic.ts";
import { useTopics } from "../transform/topics.ts";

const newScene = useScene("racing");
const { keep } = useTopics();

/** Reasons that a worker's status shows, as often as it can be asked, until told to stop. */
async function watchErrors(worker: Worker, until: AbortSignal): Promise<readonly string[]> {
  const seen = new Set<string>();
  while (!until.aborted) {
    const { error } = await worker.status();
    if (error !== undefined) seen.add(`${error.reason}: ${error.message}`);
    await sleep(20);
  }
  return [...seen];
}

it("three that begin at once, send final rows and commit to the same windows tell of no error", async () => {
  const scene = await newScene(3);
  const finals = keep(await createTopic(scene.broker, `${scene.topic.name}-finals`, 3));
  const [byType, ...others] = scene.config().aggregator?.tables ?? [];
  if (byType === undefined) throw new TypeError("a table");
  const emit = { final: { topic: finals.name, revisions: true } };
  const watermark = { maxDelayMs: 1_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 };
  const config = scene.config({
    aggregator: { tables: [{ ...byType, emit }, ...others], watermark, replicas: 3 },
  });
  const workers = await Promise.all([1, 2, 3].map(async () => await startWorker(config)));
  const over = new AbortController();
  const watching = workers.map(async (worker) => await watchErrors(worker, over.signal));
  for (let from = 0; from < 24_000; from += 300)
    for (const partition of [0, 1, 2])
      await scene.topic.send(
        makeEvents(9, 100, from + partition * 100).map((event) => JSON.stringify(event)),
        partition,
      );
  await untilDone(scene.database, scene.topic.name, await scene.topic.seal());
  over.abort();
  expect((await Promise.all(watching)).flat()).toEqual([]);
});
