/** Each output holds each event that passes exactly once. Faults are in test/chaos. */
import { describe, expect, it } from "vitest";
import { makeEvents } from "../aggregator/events.ts";
import { startWorker } from "../aggregator/stage.ts";
import { differences, rowsOf, type Row, type Scene, sorted, useScene } from "./scene.ts";

const newScene = useScene("tx");

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
const tableRows = async ({ database }: Scene, table: string): Promise<readonly Row[]> =>
  sorted(await database.query(`select * from public.${table}`));

describe("each event that passes is there once", () => {
  it("in a topic and in tables, with aborted transactions upstream", async () => {
    const scene = await newScene(4);
    const config = scene.transform({
      to: [
        { name: "out", topic: { name: scene.out.name, key: "user_id", fields: [] } },
        { name: "history", table: { name: "history" } },
        { name: "latest", table: { name: "latest", key: ["event_id"] } },
      ],
    });
    const workers = [await startWorker(config), await startWorker(config)];
    await produce(scene, 1, 6_000);
    const ends = await scene.topic.seal();
    await scene.done(config, ends);
    const expected = await scene.expected(ends);
    expect(expected.length).toBeGreaterThan(1_000);
    expect(differences(rowsOf(await scene.sent()), expected)).toEqual([]);
    expect(differences(await tableRows(scene, "history"), expected)).toEqual([]);
    expect(differences(await tableRows(scene, "latest"), expected)).toEqual([]);
    const statuses = await Promise.all(workers.map(async (worker) => await worker.status()));
    expect(statuses[0]?.columns).toEqual([
      { name: "event_id", type: "uuid" },
      { name: "user_id", type: "text" },
      { name: "points", type: "integer" },
      { name: "worth", type: "double precision" },
      { name: "fast", type: "boolean" },
    ]);
    expect(statuses.reduce((sum, { events }) => sum + events, 0)).toBe(6_000);
    for (const worker of workers) expect(await worker.drain()).toBe(0);
  });
});
