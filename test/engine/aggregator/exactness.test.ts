/** The tables are those of one pass over the log; also under faults, of which `test/chaos` has the others. */
import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { startCommitCutter } from "./commit-cutter.ts";
import { makeEvents } from "./events.ts";
import { type Scene, useScene } from "./scene.ts";
import { startWorker, untilDone, type Worker } from "./stage.ts";

const newScene = useScene("exact");

const lines = (seed: number, count: number, from = 0) =>
  makeEvents(seed, count, from).map((event) => JSON.stringify(event));

/** Events in small sends; every seventh send is a transaction that is aborted, every eleventh one that is committed. */
const produce = async ({ topic }: Scene, seed: number, count: number): Promise<void> => {
  const size = 250;
  for (let from = 0; from < count; from += size) {
    const values = lines(seed, size, from);
    const turn = from / size;
    if (turn % 7 === 3) await topic.transaction(lines(seed + 1, 100, from), "abort");
    if (turn % 11 === 5) await topic.transaction(values, "commit");
    else await topic.send(values);
  }
};
const owns = async (worker: Worker, partitions: number): Promise<void> => {
  await expect.poll(async () => (await worker.status()).partitions.length, { timeout: 120_000 }).toBe(partitions);
};

describe("tables are equal to one pass over the log", () => {
  it("with two workers, NULL groups, sums of nothing but NULL, and aborted transactions", async () => {
    const scene = await newScene(4);
    const { topic, database, config, wrong } = scene;
    const workers = [await startWorker(config()), await startWorker(config())];
    for (const worker of workers) await owns(worker, 2);
    await produce(scene, 1, 6_000);
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends);
    expect(await wrong(ends)).toEqual([]);
    const [row] = await database.query<{ nobody: string; nulls: string }>(
      `select (select count(*) from user_waiting where user_id = 'u7' and points is null and mean is null) as nobody,
        (select count(*) from event_counts where event_type is null) as nulls`,
    );
    expect(Number(row?.nobody)).toBeGreaterThan(0);
    expect(Number(row?.nulls)).toBeGreaterThan(0);
    for (const worker of workers) expect((await worker.status()).events).toBeGreaterThan(0);
    for (const worker of workers) expect(await worker.drain()).toBe(0);
  });

  it("after connections that were cut before and after COMMIT", async () => {
    const { server, topic, database, config, wrong } = await newScene(2);
    let commits = 0;
    const verdicts = ["pass", "before", "pass", "after"] as const;
    const cutter = await startCommitCutter(server.port, () => verdicts[commits++ % verdicts.length] ?? "pass");
    const secret = mkdtempSync(join(tmpdir(), "caudal-secret-"));
    cpSync(database.secret, secret, { recursive: true });
    writeFileSync(join(secret, "port"), String(cutter.port));
    const worker = await startWorker(config({ secret }));
    for (let turn = 0; turn < 60 && Math.min(cutter.cuts.before, cutter.cuts.after) < 3; turn++) {
      await topic.send(lines(5, 250, turn * 250));
      await sleep(300);
    }
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends);
    expect(await wrong(ends)).toEqual([]);
    expect(cutter.cuts.before).toBeGreaterThanOrEqual(3);
    expect(cutter.cuts.after).toBeGreaterThanOrEqual(3);
    expect(await worker.drain()).toBe(0);
    await cutter.close();
  });
});
