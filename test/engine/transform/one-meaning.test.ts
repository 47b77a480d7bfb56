/** One event has one meaning in every output and in every stage, however its keys are spelt and how often they come. */
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { TransformConfig, WorkloadConfig } from "@caudal/crds";
import { startWorker } from "../aggregator/stage.ts";
import { readLake } from "../outputs/lake.ts";
import { type Redis, startRedis } from "../redis.ts";
import { untilWritten } from "./places.ts";
import { type Scene, useScene } from "./scene.ts";

const newScene = useScene("meaning");
let redis: Redis;
let folder: string;
beforeAll(async () => {
  redis = await startRedis();
  folder = mkdtempSync(join(tmpdir(), "caudal-meaning-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await redis.stop();
});

const fields = [
  { name: "id", type: "string", nullable: false },
  { name: "amount", type: "decimal(18,2)", nullable: true },
  { name: "note", type: "string", nullable: true },
  { name: "doc", type: "json", nullable: true },
];

interface Checked {
  readonly amount: string;
  readonly note: string | null;
  readonly doc: string | null;
}

/** Events, and what a reader of JSON who takes the last of each key has of them: undefined where the check refuses. */
const events: readonly (readonly [string, Checked | undefined])[] = [
  // The check would pass the first amount, and the reader of the topic would book the second.
  ['{"id":"t1","amount":10,"amount":1000000,"note":"x"}', undefined],
  ['{"id":"t2","amount":1000000,"amount":10,"note":"x"}', { amount: "10.00", note: "x", doc: null }],
  ['{"id":"t3","amount":1000000,"am\\u006funt":20,"note":"x"}', { amount: "20.00", note: "x", doc: null }],
  ['{"id":"t4","am\\u006funt":20,"amount":2000000,"note":"x"}', undefined],
  ['{"id":"x","amount":5,"id":"t5","note":"a","note":null}', { amount: "5.00", note: null, doc: null }],
  ['{"id":"t6","amount":6,"doc":{"a":1.50,"a":2.50}}', { amount: "6.00", note: null, doc: '{"a":2.50}' }],
  ['{"id":"t7","amount":7,"doc":1,"doc":[{"b":1,"b":0.10}]}', { amount: "7.00", note: null, doc: '[{"b":0.10}]' }],
  ['{"id":"t8","amount":8,"other":1,"other":2,"note":"\\ufeffy"}', { amount: "8.00", note: "\ufeffy", doc: null }],
  ['{"amount":null,"amount":9,"id":"t9"}', { amount: "9.00", note: null, doc: null }],
];
const passing = events.flatMap(([, expected], index) =>
  expected === undefined ? [] : [{ id: `t${index + 1}`, ...expected }],
);

const configOf = (scene: Scene, name: string, change: Partial<TransformConfig>): WorkloadConfig => {
  const config = scene.transform({
    topic: { name: scene.topic.name, fields },
    where: "amount <= 100",
    ...change,
  });
  return { ...config, stage: { name, role: "transform" } };
};

/** A number with the two digits that the column has, as every output but the topic writes it. */
const money = (value: unknown): string => Number(value).toFixed(2);
const byId = <T extends { readonly id: unknown }>(rows: readonly T[]): readonly T[] =>
  [...rows].sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
/** JSON as it is, but for the white space that PostgreSQL and readers of files put in their own way. */
const compact = (value: unknown): unknown => (typeof value === "string" ? value.replace(/([:,])\s+/g, "$1") : value);

it("that an event has a key twice is seen by no output", async () => {
  const scene = await newScene(1);
  const to: TransformConfig["to"] = [
    { name: "out", topic: { name: scene.out.name, key: "id", fields: [] } },
    { name: "history", table: { name: "history" } },
    { name: "latest", table: { name: "latest", key: ["id"] } },
    { name: "hash", redis: { key: "h:{id}", as: "hash", ttlMs: 0, secret: redis.secret } },
    { name: "text", redis: { key: "j:{id}", as: "json", ttlMs: 0, secret: redis.secret } },
    { name: "lines", files: { path: `file://${folder}/lines/`, format: "jsonl", everyMs: 200, maxEvents: 1000 } },
    { name: "parquet", files: { path: `file://${folder}/parquet/`, format: "parquet", everyMs: 200, maxEvents: 1000 } },
  ];
  const config = configOf(scene, "checked", { select: ["id", "amount", "note", "doc"], to });
  const worker = await startWorker(config);
  await scene.topic.send(
    events.map(([text]) => text),
    0,
  );
  const ends = await scene.topic.seal();
  await untilWritten(config, { ...scene, redis }, ends);

  const records = (await scene.sent()).map(({ key, value }) => ({ key, text: String(value) }));
  expect(records.map(({ key }) => key).sort()).toEqual(passing.map(({ id }) => id));
  for (const { text } of records) expect(Object.keys(JSON.parse(text) as object)).toHaveLength(4);
  const ofTopic = records.map(({ text }) => {
    const row = JSON.parse(text) as { id: string; amount: number; note: unknown };
    const doc = /"doc":(.*)\}$/.exec(text)?.[1];
    return { id: row.id, amount: money(row.amount), note: row.note, doc: doc === "null" ? null : doc };
  });
  expect(byId(ofTopic)).toEqual(passing);
  for (const table of ["history", "latest"]) {
    const rows = await scene.database.query<{ id: string; doc: unknown }>(
      `select id, amount::text, note, doc::text from ${table}`,
    );
    expect(byId(rows.map((row) => ({ ...row, doc: compact(row.doc) })))).toEqual(passing);
  }
  for (const { id, ...expected } of passing) {
    const flat = (await redis.command("HGETALL", `h:${id}`)) as string[];
    const hash = Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]]] : [])));
    expect({ note: null, doc: null, ...hash }).toEqual({ id, ...expected });
    const text = String(await redis.command("GET", `j:${id}`));
    expect(records.map((record) => record.text)).toContain(text);
  }
  for (const refused of ["t1", "t4"]) expect(await redis.command("EXISTS", `h:${refused}`, `j:${refused}`)).toBe(0);
  // DuckDB's own reader of JSON rounds numbers: lines are compared as they are.
  const lines = globSync(`${folder}/lines/**/*.jsonl`).flatMap((file) => readFileSync(file, "utf8").trim().split("\n"));
  expect(lines.sort()).toEqual(records.map(({ text }) => text).sort());
  // DuckDB's client takes a leading U+FEFF away: it stands behind a mark.
  const rows = await readLake<{ id: string; note: string | null }>(
    `select id, amount::varchar as amount, '|' || note as note, doc::varchar as doc from read_parquet('${folder}/parquet/**/*.parquet')`,
  );
  expect(byId(rows.map((row) => ({ ...row, note: row.note?.slice(1) ?? null })))).toEqual(passing);
  expect((await worker.status()).deadLetters).toBe(1); // the tombstone at the end
  expect(await worker.drain()).toBe(0);
});

it("what goes on untouched means to others what the check has read, and the next stage sums that", async () => {
  const scene = await newScene(1);
  const config = configOf(scene, "untouched", { to: [{ name: "out", topic: { name: scene.out.name, fields: [] } }] });
  delete config.transform?.select;
  const worker = await startWorker(config);
  await scene.topic.send(
    events.map(([text]) => text),
    0,
  );
  await untilWritten(config, scene, await scene.topic.seal());
  const texts = (await scene.sent()).map(({ value }) => String(value));
  const last = texts.map((text) => JSON.parse(text) as { id: string; amount: number; note?: string });
  expect(last.map(({ id, amount }) => ({ id, amount: money(amount) })).sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
    passing.map(({ id, amount }) => ({ id, amount })),
  );
  // A reader who takes the first of each key has the same.
  for (const text of texts) {
    const keys = [...text.matchAll(/"(\w+)":/g)].map(([, key]) => key);
    expect(keys).toEqual([...new Set(keys)]);
  }
  expect(await worker.drain()).toBe(0);

  const sums = await startWorker(
    scene.config({
      topic: scene.out.name,
      aggregator: {
        topic: { name: scene.out.name, fields },
        deadLetterTopic: scene.deadLetters.name,
        tables: [
          {
            name: "sums",
            window: { tumbling: { size: "1m" } },
            groupBy: ["note"],
            aggregates: ["sum(amount) as total", "count(*) as n"],
          },
        ],
      },
    }),
  );
  const total = passing.reduce((sum, { amount }) => sum + Number(amount), 0);
  const found = async () =>
    (await scene.database.query("select sum(total)::text as total, sum(n)::int as n from sums"))[0];
  await expect.poll(found, { timeout: 60_000, interval: 200 }).toEqual({ total: money(total), n: passing.length });
  expect(await sums.drain()).toBe(0);
});
