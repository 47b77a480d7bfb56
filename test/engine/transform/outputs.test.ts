/** What each output does with what it is given: records as they were, tables as they are, and what neither takes. */
import { expect, it } from "vitest";
import { makeEvents } from "../aggregator/events.ts";
import { startWorker } from "../aggregator/stage.ts";
import { kafkajs } from "../kafka/fixtures.ts";
import { rowsOf, type Scene, useScene } from "./scene.ts";

const newScene = useScene("out");
const soon = { timeout: 120_000, interval: 100 };
const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const event = (n: number, more: object = {}): string =>
  JSON.stringify({ event_id: id(n), user_id: "u", event_type: "view", event_ts: "2026-01-01T00:00:00Z", ...more });
const letters = async ({ deadLetters }: Scene) =>
  (await deadLetters.readTo(await deadLetters.seal()))
    .filter(({ headers }) => headers["caudal-reason"] !== undefined)
    .map(({ headers }) => `${headers["caudal-offset"] ?? ""} ${headers["caudal-reason"] ?? ""}`);

it("events without a select go on byte for byte, with their keys, headers and times", async () => {
  const scene = await newScene(2);
  const config = scene.transform({
    to: [{ name: "out", topic: { name: scene.out.name, fields: [] } }],
    where: "event_type = 'view'",
  });
  delete config.transform?.select;
  const worker = await startWorker(config);
  const odd = `{ "undeclared": [1, {"x": "}"}], "event_id":"${id(1)}",\n "event_ts": 1767225600123, "user_id": "\\u00e9", "event_type":"view" }`;
  await scene.topic.send([
    { value: odd, headers: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", more: "x" } },
  ]);
  await scene.topic.send([event(2), event(3, { event_type: "search" })]);
  const ends = await scene.topic.seal();
  await scene.done(config, ends);
  const sent = await scene.sent();
  const source = (await scene.topic.readTo(ends)).filter(({ value }) => value !== null && !value.includes("search"));
  const shown = (records: typeof sent) =>
    records.map(({ key, value, headers }) => JSON.stringify([key, value?.toString(), headers])).sort();
  expect(shown(sent)).toEqual(shown(source));
  expect(sent.find(({ headers }) => headers["more"] === "x")?.value?.toString()).toBe(odd);
  expect(await worker.drain()).toBe(0);
});

it("records that are no events are told once, whatever the number of outputs", async () => {
  const scene = await newScene(1);
  const config = scene.transform({
    select: ["event_id", "1000 / points as share"],
    where: "true",
    to: [
      { name: "history", table: { name: "history" } },
      { name: "out", topic: { name: scene.out.name, fields: [] } },
    ],
  });
  const worker = await startWorker(config);
  await scene.topic.send([event(0, { points: 10 }), "{oops", event(1, { points: "x" }), event(2, { points: 5 })], 0);
  const ends = await scene.topic.seal();
  await scene.done(config, ends);
  expect(await letters(scene)).toEqual(["1 MalformedJson", "2 WrongType", "4 Tombstone"]);
  expect(rowsOf(await scene.sent()).map(({ share }) => share)).toEqual([100, 200]);
  expect((await scene.database.query("select share from history order by share")).map(({ share }) => share)).toEqual([
    100, 200,
  ]);
  expect((await worker.status()).deadLetters).toBe(3);
});

it("a row that the table refuses is found among others, and stands in the way of no other output", async () => {
  const scene = await newScene(1);
  const config = scene.transform({
    where: "true",
    to: [
      { name: "out", topic: { name: scene.out.name, fields: [] } },
      { name: "latest", table: { name: "latest", key: ["user_id"] } },
    ],
  });
  await startWorker(config);
  const users = [..."abcdefgh"].map((user, n) => event(n, { user_id: user === "e" ? null : user }));
  await scene.topic.send(users, 0);
  const ends = await scene.topic.seal();
  await scene.done(config, ends);
  expect(await letters(scene)).toEqual(expect.arrayContaining(["4 RefusedByDatabase"]));
  expect((await letters(scene)).filter((letter) => letter.includes("RefusedByDatabase")).length).toBe(1);
  const rows = await scene.database.query("select user_id from latest order by 1");
  expect(rows.map(({ user_id: user }) => user)).toEqual([..."abcdfgh"]);
  expect((await scene.sent()).length).toBe(8);
});

it("a record that the topic does not take is found among others", async () => {
  const scene = await newScene(1, 1, { "max.message.bytes": "20000" });
  const config = scene.transform({ where: "true", select: ["event_id", "user_id"] });
  await startWorker(config);
  const events = Array.from({ length: 300 }, (_, n) => event(n, { user_id: "x".repeat(n === 100 ? 30_000 : 300) }));
  await scene.topic.send(events, 0);
  const ends = await scene.topic.seal();
  await scene.done(config, ends);
  expect(await letters(scene)).toEqual(expect.arrayContaining(["100 RecordTooLarge"]));
  expect(rowsOf(await scene.sent()).map((row) => row["event_id"])).toEqual(
    Array.from({ length: 300 }, (_, n) => id(n)).filter((_, n) => n !== 100),
  );
});

it("a table gets the last event of each key, a column that the select has got, and no column of another type", async () => {
  const scene = await newScene(1);
  const table = { name: "latest", table: { name: "latest", key: ["user_id"] } };
  const first = scene.transform({ where: "true", select: ["user_id", "points"], to: [table] });
  const worker = await startWorker(first);
  await scene.topic.send([event(0, { points: 1 }), event(1, { points: 2 }), event(2, { user_id: "v", points: 3 })], 0);
  const latest = async () => await scene.database.query("select * from latest order by user_id");
  await expect.poll(latest, soon).toEqual([
    { user_id: "u", points: 2 },
    { user_id: "v", points: 3 },
  ]);
  expect(await worker.drain()).toBe(0);
  const wider = await startWorker(
    scene.transform({ where: "true", select: ["user_id", "points", "event_type as kind"], to: [table] }),
  );
  await scene.topic.send([event(3, { points: 9 })], 0);
  await expect.poll(latest, soon).toEqual([
    { user_id: "u", points: 9, kind: "view" },
    { user_id: "v", points: 3, kind: null },
  ]);
  expect(await wider.drain()).toBe(0);
  const other = await startWorker(
    scene.transform({ where: "true", select: ["user_id", "points::varchar as points"], to: [table] }),
  );
  await expect
    .poll(async () => (await other.status()).error?.message, soon)
    .toMatch(/column points is of type integer, and the select gives text: write \(…\)::integer in the select/);
  expect((await other.status()).error?.reason).toBe("TableChanged");
});

it("a table that was there is used where rows fit, kept when it is forgotten, and refused where they do not", async () => {
  const scene = await newScene(1);
  await scene.database.query(
    "create table public.audit (id bigserial, event_id uuid not null, points bigint, note text)",
  );
  await scene.database.query("create table public.strict (event_id uuid not null, origin text not null)");
  const of = (table: string) =>
    scene.transform({ where: "true", select: ["event_id", "points"], to: [{ name: "t", table: { name: table } }] });
  const worker = await startWorker(of("audit"));
  await scene.topic.send(
    makeEvents(5, 40).map((one) => JSON.stringify(one)),
    0,
  );
  const count = async () => (await scene.database.query("select count(*)::int as n from audit"))[0]?.["n"];
  await expect.poll(count, soon).toBe(40);
  expect(await worker.drain()).toBe(0);
  await scene.database.query("select caudal.forget_table('audit')");
  expect(await count()).toBe(40);
  const refused = await startWorker(of("strict"));
  await expect
    .poll(async () => (await refused.status()).error?.message, soon)
    .toMatch(/table strict exists, and no pipeline made it.*origin may not be NULL, and the select has no such column/);
});

it("a transaction that its producer leaves open is named as long as it holds records back", async () => {
  const scene = await newScene(1);
  const worker = await startWorker(scene.transform({ where: "true", select: ["event_id", "user_id"] }));
  await scene.topic.send([event(0)], 0);
  const idempotent = { idempotent: true, maxInFlightRequests: 1 };
  const producer = kafkajs(scene.broker.bootstrap).producer({
    ...idempotent,
    transactionalId: `${scene.topic.name}-gone`,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  const topic = scene.topic.name;
  await transaction.send({ topic, messages: [{ value: event(1), partition: 0 }] });
  await scene.topic.send([event(2)], 0);
  const partition = async () => (await worker.status()).partitions[0];
  await expect.poll(partition, soon).toMatchObject({
    ...{ nextOffset: 1, endOffset: 1, undecided: { offset: 1, records: 2, since: expect.any(Number) as number } },
  });
  await expect
    .poll(async () => (await worker.get("/metrics")).text, soon)
    .toMatch(/^caudal_undecided_seconds\{[^}]*\} [1-9]/m);
  // As the message in the pipeline's status says.
  const where = ["--topic", topic, "--partition", "0", "--start-offset", "1"];
  const server = ["--bootstrap-server", scene.broker.bootstrap];
  await scene.broker.tool("org.apache.kafka.tools.TransactionsCommand", [...server, "abort", ...where]);
  await expect.poll(async () => (await partition())?.undecided, soon).toBeUndefined();
  const sent = async () => rowsOf(await scene.sent()).map((row) => row["event_id"]);
  await expect.poll(sent, soon).toEqual([id(0), id(2)]);
  await producer.disconnect();
});
