/** A table whose definition changes while pods of several generations live: one definition is accepted, the others wait. */
import { describe, expect, it } from "vitest";
import { lagOf } from "@caudal/crds";
import type { Database } from "../postgres.ts";
import { makeEvents, randomFrom } from "./events.ts";
import { tables } from "./expected.ts";
import { type Scene, useScene } from "./scene.ts";
import { startWorker, untilDone, type Worker } from "./stage.ts";

const newScene = useScene("definitions");
const soon = { timeout: 120_000, interval: 100 };
const lines = (seed: number, count: number, from = 0) =>
  makeEvents(seed, count, from).map((event) => JSON.stringify(event));
const reason = async (worker: Worker) => (await worker.status()).error?.reason;
const owned = async (worker: Worker) => (await worker.status()).partitions.length;
const lag = async (worker: Worker) => lagOf(await worker.status());
const ready = async (worker: Worker) => (await worker.get("/readyz")).status;
const forget = async (database: Database, name = "event_counts") =>
  await database.query("select caudal.forget_table($1)", [name]);
/** Where it was forgotten a moment ago nobody may keep it yet, which the database says. */
const forgetIfKept = async (database: Database) =>
  await forget(database).catch((error: unknown) => {
    if (!String(error).includes("no pipeline keeps a table event_counts")) throw error;
  });
const [counts, users, waiting] = tables;
type Table = NonNullable<ReturnType<Scene["config"]>["aggregator"]>["tables"][number];

/** The table with another aggregate a definition. */
const definition = (version: number): Table => ({
  ...counts,
  groupBy: [...counts.groupBy],
  aggregates: ["count(*) as count", `sum(points::bigint * ${version}) as points`],
});
const pod = async (
  { config }: Scene,
  generation: number,
  own: readonly Table[],
  lateEvents: "Update" | "DeadLetter" = "Update",
) => await startWorker(config({ pipeline: { generation }, aggregator: { tables: [...own], lateEvents } }));

/** Whether the table is one pass of the definition over the log. */
async function isOnePass({ database, topic }: Scene, ends: ReadonlyMap<number, number>, version: number) {
  const values = (await topic.readTo(ends)).flatMap(({ value }) =>
    value === null ? [] : [JSON.parse(String(value)) as { points?: number | null }],
  );
  const points = values.reduce((sum, value) => sum + (value.points ?? 0) * version, 0);
  const [row] = await database.query(
    "select sum(count)::int as events, sum(points)::float as points from event_counts",
  );
  expect(row).toEqual({ events: values.length, points });
}

describe("a pod of a definition that is refused", () => {
  it("takes no partition from those that may write, and tells what waits when they are gone", async () => {
    const scene = await newScene(2);
    const { topic, database } = scene;
    for (const partition of [0, 1]) await topic.send(lines(1, 100, 100 * partition), partition);
    const accepted = await pod(scene, 1, [definition(1)]);
    await expect.poll(async () => (await accepted.status()).events, soon).toBe(200);
    const refused = await pod(scene, 2, [definition(2)]);
    await expect.poll(async () => await reason(refused), soon).toBe("TableChanged");
    for (const partition of [0, 1]) await topic.send(lines(2, 50, 50 * partition), partition);
    await expect.poll(async () => (await accepted.status()).events, soon).toBe(300);
    expect([await owned(accepted), await owned(refused), await ready(refused)]).toEqual([2, 0, 503]);
    expect((await refused.get("/readyz")).text).toContain("event_counts");
    expect(await accepted.drain()).toBe(0);
    for (const partition of [0, 1]) await topic.send(lines(3, 40, 40 * partition), partition);
    await expect.poll(async () => await lag(refused), soon).toBe(80);
    const back = await pod(scene, 1, [definition(1)]);
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends, 60, ["event_counts"]);
    await isOnePass(scene, ends, 1);
    await expect.poll(async () => [await lag(back), await lag(refused), await owned(refused)], soon).toEqual([0, 0, 0]);
  });

  it("leaves a forgotten table to the newest, as does the one that had it", async () => {
    const scene = await newScene(2);
    const { topic, database } = scene;
    for (const partition of [0, 1]) await topic.send(lines(4, 2_000, 2_000 * partition), partition);
    const pods = [await pod(scene, 1, [definition(1)])];
    await expect.poll(async () => (await pods[0]?.status())?.events, soon).toBe(4_000);
    for (const generation of [2, 3]) {
      const next = await pod(scene, generation, [definition(generation)]);
      await expect.poll(async () => await reason(next), soon).toBe("TableChanged");
      pods.push(next);
    }
    await forget(database);
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends, 60, ["event_counts"]);
    await isOnePass(scene, ends, 3);
    const reasons = async () => await Promise.all(pods.map(reason));
    await expect.poll(reasons, soon).toEqual(["DefinitionSuperseded", "DefinitionSuperseded", undefined]);
    await expect.poll(async () => await Promise.all(pods.map(owned)), soon).toEqual([0, 0, 2]);
    // The first one is put back: a later generation writes it again, and its pod may go on once the table is forgotten.
    await pods[0]?.drain();
    const back = await pod(scene, 4, [definition(1)]);
    await expect.poll(async () => await reason(back), soon).toBe("TableChanged");
    await forget(database);
    await expect.poll(async () => await owned(back), soon).toBe(2);
    await untilDone(database, topic.name, ends, 60, ["event_counts"]);
    await isOnePass(scene, ends, 1);
  });

  it("does not stop the other tables of its stage, and its lag counts", async () => {
    const scene = await newScene(1);
    const { topic, database, config } = scene;
    const [, second, third] = config().aggregator?.tables ?? [];
    if (second === undefined || third === undefined) throw new TypeError("three tables");
    await topic.send(lines(5, 300));
    const before = await pod(scene, 1, [definition(1), second]);
    await expect.poll(async () => (await before.status()).events, soon).toBe(300);
    expect(await before.drain()).toBe(0);
    const after = await pod(scene, 2, [definition(2), second, third]);
    await topic.send(lines(5, 200, 300));
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends, 60, [users.name, waiting.name]);
    await expect.poll(async () => await reason(after), soon).toBe("TableChanged");
    expect([await ready(after), await lag(after)]).toEqual([503, 201]);
    await forget(database);
    await untilDone(database, topic.name, ends, 60, ["event_counts"]);
    await isOnePass(scene, ends, 2);
    await expect
      .poll(async () => [await ready(after), await lag(after), await reason(after)], soon)
      .toEqual([200, 0, undefined]);
  });
});

describe("a table that begins anew", () => {
  it.each([[1], [2]])(
    "is judged anew: its history is not late, nor that of another that was behind (%i tables)",
    async (count) => {
      const scene = await newScene(1);
      const { topic, database, deadLetters, config } = scene;
      const own = [definition(1), ...(config().aggregator?.tables.slice(1, count) ?? [])];
      // An hour of events in order: by the watermark of its end all but the last are late.
      const event = (second: number) =>
        JSON.stringify({
          event_id: `00000000-0000-4000-8000-${String(second).padStart(12, "0")}`,
          event_ts: new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString(),
          points: 1,
        });
      await topic.send(Array.from({ length: 3_600 }, (_, second) => event(second)));
      const worker = await pod(scene, 1, own, "DeadLetter");
      await expect.poll(async () => (await worker.status()).events, soon).toBe(3_600);
      const passed = async () =>
        (
          await database.query<{ passed: boolean }>(
            "select watermark >= '2026-01-01T00:59:00Z' as passed from caudal.watermarks",
          )
        )[0]?.passed;
      await expect.poll(passed, soon).toBe(true);
      for (const { name } of own) await forget(database, name);
      const ends = await topic.seal();
      await untilDone(
        database,
        topic.name,
        ends,
        60,
        own.map(({ name }) => name),
      );
      await isOnePass(scene, ends, 1);
      const letters = await deadLetters.readTo(await deadLetters.seal());
      expect(letters.filter(({ headers }) => headers["caudal-reason"] === "LateEvent")).toEqual([]);
      expect((await worker.status()).lateEvents).toBe(0);
    },
  );
});

it.each([[11]])(
  "ends with the accepted definition, whatever is changed, refused, forgotten and killed (seed %i)",
  async (seed) => {
    const random = randomFrom(seed);
    const pick = (count: number) => Math.floor(random() * count);
    const scene = await newScene(2);
    const { topic, database } = scene;
    let generation = 1;
    let version = 1;
    let sent = 0;
    const pods = [await pod(scene, generation, [definition(version)])];
    const send = async () => await topic.send(lines(seed, 200, (sent += 200)), pick(2));
    await send();
    for (let step = 0; step < 8; step++) {
      switch (pick(4)) {
        case 0:
          generation++;
          version = 1 + pick(3);
          pods.push(await pod(scene, generation, [definition(version)]));
          break;
        case 1:
          // The newest one has asked for its table by then: what was asked for before does not come after it.
          await expect
            .poll(
              async () => (await database.query("select generation::int from caudal.definitions").catch(() => []))[0],
              soon,
            )
            .toEqual({ generation });
          await forgetIfKept(database);
          break;
        case 2:
          if (pods.length > 1) await pods.splice(pick(pods.length - 1), 1)[0]?.kill();
          break;
        default:
          await send();
      }
    }
    await expect
      .poll(
        async () => (await database.query("select generation::int from caudal.definitions").catch(() => []))[0],
        soon,
      )
      .toEqual({ generation });
    await forgetIfKept(database);
    const ends = await topic.seal();
    await untilDone(database, topic.name, ends, 90, ["event_counts"]);
    await isOnePass(scene, ends, version);
  },
  240_000,
);
