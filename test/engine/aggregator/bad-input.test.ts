/** What users send by mistake: none of it stops the pipeline, each is in the dead letters with its reason and place. */
import { expect, it } from "vitest";
import { makeEvents } from "./events.ts";
import { event, good, type Poison, poison } from "./poison.ts";
import { useScene } from "./scene.ts";
import { startWorker, untilDone } from "./stage.ts";

const newScene = useScene("bad");
const soon = { timeout: 120_000, interval: 100 };

it("goes to the dead letters with its reason, its place and its bytes, and everything else is counted", async () => {
  const { topic, database, deadLetters, config, wrong } = await newScene(1);
  const worker = await startWorker(config());
  const values: (string | Buffer | null)[] = [];
  for (const [index, { value }] of poison.entries())
    values.push(...makeEvents(1, 10, index * 10).map((one) => JSON.stringify(one)), value);
  // Unusual, and right: fields that nobody declared, a value with line breaks, one of 1 MB.
  values.push(event({ extra: { deep: [1] } }), JSON.stringify(good, null, 2), event({ extra: "y".repeat(1_000_000) }));
  for (const value of values) await topic.send([value], 0);
  const ends = await topic.seal();
  await untilDone(database, topic.name, ends);

  const letters = (await deadLetters.readTo(await deadLetters.seal())).slice(0, -1);
  const last = (ends.get(0) ?? 0) - 1;
  const places: (Poison & { readonly offset: string })[] = poison.map((one, index) => ({
    ...one,
    offset: String(index * 11 + 10),
  }));
  places.push({ what: "the end", value: null, reason: "Tombstone", offset: String(last) });
  expect(
    letters.map(({ headers }, index) => [
      places[index]?.what,
      headers["caudal-reason"],
      headers["caudal-topic"],
      headers["caudal-partition"],
      headers["caudal-offset"],
    ]),
  ).toEqual(places.map(({ what, reason, offset }) => [what, reason, topic.name, "0", offset]));
  for (const [index, { value }] of places.entries())
    expect(letters[index]?.value?.equals(Buffer.from(value ?? "")) ?? null).toBe(value === null ? null : true);

  const dead = new Set(places.map(({ offset }) => Number(offset)));
  expect(await wrong(ends, ({ offset }) => !dead.has(offset))).toEqual([]);
  const status = await worker.status();
  expect([status.events, status.deadLetters]).toEqual([values.length - poison.length, places.length]);
  const metrics = (await worker.get("/metrics")).text;
  expect(metrics).toMatch(/caudal_dead_letters_total\{[^}]*reason="MalformedJson"[^}]*\} 4\n/);
  expect((await worker.get("/readyz")).status).toBe(200);
});

it("that only PostgreSQL refuses is found among other records, which are committed", async () => {
  const { topic, database, deadLetters, config } = await newScene(1);
  const worker = await startWorker(config());
  // Two of them exceed the range of a double's sum, which shows only when the second meets the first in its row.
  const huge = event({ user_id: "huge", waiting_time_ms: 1.7e308 });
  await topic.send([huge]);
  await expect.poll(async () => (await worker.status()).events, soon).toBe(1);
  const before = Array.from({ length: 20 }, (_, index) => event({ user_id: `b${index}` }));
  const after = Array.from({ length: 13 }, (_, index) => event({ user_id: `a${index}` }));
  await topic.send([...before, huge, ...after]);
  const ends = await topic.seal();
  await untilDone(database, topic.name, ends);
  const letters = await deadLetters.readTo(await deadLetters.seal());
  const refused = letters.filter(({ headers }) => headers["caudal-reason"] === "RefusedByDatabase");
  expect(new Set(refused.map(({ headers }) => headers["caudal-offset"]))).toEqual(new Set(["21"]));
  expect(refused[0]?.headers["caudal-detail"]).toContain("22003");
  const [row] = await database.query<{ users: number; count: number }>(
    "select count(*)::int as users, sum(count)::int as count from user_counts",
  );
  expect(row).toEqual({ users: 34, count: 34 });
  await expect.poll(async () => (await worker.get("/readyz")).status, soon).toBe(200);
});
