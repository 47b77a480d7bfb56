/** Names of tables, schemas and columns as PostgreSQL allows them, from a table through a topic into tables. */
import { describe, expect, it } from "vitest";
import type { WorkloadConfig } from "@caudal/crds";
import { poll } from "../cluster/host/poll.ts";
import { startWorker } from "./aggregator/stage.ts";
import { field, latest, type SourceScene, untilSent, useSource } from "./source/scene.ts";

const source = useSource("names");
const soon = { timeout: 120_000, interval: 200 };

const SCHEMA = '"Sales-2026"';
const TABLE = `${SCHEMA}."Order Details"`;
/** PostgreSQL keeps 63 bytes. */
const LONG = "ç".repeat(31);
const columns = ["Order ID", "Unit Price", "kubernetes.pod_name", 'a"b', "select", "preço", LONG, "@timestamp"];
const sql = (name: string) => `"${name.replaceAll('"', '""')}"`;
const ddl = `create schema ${SCHEMA};
  create table ${TABLE} (${sql("Order ID")} int, ${sql("Unit Price")} numeric(10,2), "kubernetes.pod_name" text,
    "a""b" text, "select" boolean, "preço" double precision, ${sql(LONG)} bigint, "@timestamp" timestamptz not null default now(),
    primary key ("Order ID", "select"));
  create index on ${TABLE} ("@timestamp", "Order ID", "select");
  insert into ${TABLE} values (1, 10.50, 'web-1', 'x', true, 0.5, 7), (2, 20.00, 'web-2', 'y', false, 1.5, null);
  create table "Limits" ("Order ID" int primary key, "Most ""ever""" int);
  insert into "Limits" values (1, 100)`;
const fields = [
  field("Order ID", "integer"),
  field("Unit Price", "decimal(10,2)", true),
  field("kubernetes.pod_name", "string", true),
  field('a"b', "string", true),
  field("select", "boolean"),
  field("preço", "double", true),
  field(LONG, "bigint", true),
  field("@timestamp", "timestamp"),
];

const modes = {
  timestamp: { table: TABLE, timestampColumn: "@timestamp" },
  cdc: { table: TABLE, mode: "cdc" },
} as const;

describe.each(["timestamp", "cdc"] as const)("%s mode", (mode) => {
  it("reads a table whose names need quotes, and what changes in it", async () => {
    const scene = await source({ ddl, fields, postgres: modes[mode] });
    const { timestampColumn: _, ...postgres } = scene.config.source?.postgres ?? {};
    const config = mode === "cdc" ? { ...scene.config, source: { ...scene.config.source, postgres } } : scene.config;
    const worker = await startWorker(config as WorkloadConfig);
    await untilSent(worker, 2);
    await scene.database.query(`update ${TABLE} set "Unit Price" = 11, "@timestamp" = now() where "Order ID" = 1`);
    await untilSent(worker, 3);
    const rows = latest(await scene.records());
    expect([...rows.keys()].sort()).toEqual(['{"Order ID":1,"select":true}', '{"Order ID":2,"select":false}']);
    const { "@timestamp": changed, ...first } = rows.get('{"Order ID":1,"select":true}') ?? {};
    expect(changed).toMatch(/Z$/);
    expect(first).toEqual({
      ...{ "Order ID": 1, "Unit Price": 11, "kubernetes.pod_name": "web-1", 'a"b': "x" },
      ...{ select: true, preço: 0.5, [LONG]: 7 },
    });
    expect(await worker.drain()).toBe(0);
  });
});

it("rows of a table arrive in tables of such names, which are found again, widened and forgotten", async () => {
  const scene = await source({ ddl, fields, partitions: 1, postgres: modes.timestamp });
  const { database } = scene;
  const reader = await scene.start();
  await untilSent(reader, 2);

  const copy = '"Copies-2026"."Order Details"';
  const quoted = columns.map(sql);
  let worker = await startWorker(transformOf(scene, copy, quoted));
  const read = async () => await database.query(`select ${quoted.join(", ")} from ${copy} order by 1`);
  await expect.poll(async () => (await read().catch(() => [])).length, soon).toBe(2);
  expect(await read()).toEqual(await database.query(`select ${quoted.join(", ")} from ${TABLE} order by 1`));
  expect(await worker.drain()).toBe(0);

  const more = [...quoted, `least("preço", "Limits"."Most ""ever""") as "Less, than"`.replaceAll('"Limits"', "limits")];
  worker = await startWorker(transformOf(scene, copy, more));
  await database.query(`update ${TABLE} set "preço" = 1000, "@timestamp" = now()`);
  const capped = async () => await database.query(`select "Less, than" as less from ${copy} order by "Order ID"`);
  await expect.poll(async () => await capped().catch(() => []), soon).toEqual([{ less: 100 }, { less: 1000 }]);
  expect(await worker.drain()).toBe(0);

  const forget = async (table: string) => await database.query("select caudal.forget_table($1)", [table]);
  await database.query('create table "order details" ()');
  for (const other of ['"order details"', "Order Details", '"Copies-2026"."order details"', '"Limits"', "a.b.c", ""])
    await expect(forget(other)).rejects.toThrow("no pipeline keeps a table");
  await forget(copy);
  expect(await database.query("select to_regclass($1) as found", [copy])).toEqual([{ found: null }]);
  expect(await database.query("select table_name from caudal.claims")).toEqual([]);
  expect(await database.query("select output from caudal.progress")).toEqual([]);
  expect(await reader.drain()).toBe(0);
});

it("a source writes where the fields are, and a transform moves them on, with what is beside the values", async () => {
  const placed = [
    // A record's key is text.
    { ...field("Order ID", "string"), from: "key" },
    { ...field("Unit Price", "decimal(10,2)", true), from: '$.price."per unit"' },
    { ...field("preço", "double", true), from: "$.price.all[1]" },
    { ...field("@timestamp", "timestamp"), from: "$.at" },
    { ...field("partition", "integer"), from: "partition" },
  ];
  const own = ddl.replace('primary key ("Order ID", "select")', 'primary key ("Order ID")');
  const scene = await source({ ddl: own, fields: placed, key: "Order ID", partitions: 1, postgres: modes.timestamp });
  const reader = await scene.start();
  await untilSent(reader, 2);
  const records = await scene.records();
  expect(records.map(({ key, text }) => [key, text?.replace(/"at":"[^"]+"/, '"at":""')])).toEqual([
    ["1", '{"price":{"per unit":10.50,"all":[null,0.5]},"at":""}'],
    ["2", '{"price":{"per unit":20.00,"all":[null,1.5]},"at":""}'],
  ]);
  const config = transformOf(scene, "moved", []);
  const { transform } = config;
  if (transform === undefined) throw new RangeError("no transform");
  const worker = await startWorker({
    ...config,
    transform: {
      ...transform,
      topic: { name: scene.topic.name, fields: placed },
      where: `"Order ID"::int > 0`,
      select: ["Order ID", "Unit Price", "preço", "partition"],
    },
  });
  const rows = async () => await scene.database.query(`select * from moved order by 1`);
  await expect
    .poll(async () => await rows().catch(String), soon)
    .toEqual([
      { "Order ID": "1", "Unit Price": "10.50", preço: 0.5, partition: 0 },
      { "Order ID": "2", "Unit Price": "20.00", preço: 1.5, partition: 0 },
    ]);
  expect(await worker.drain()).toBe(0);
  expect(await reader.drain()).toBe(0);
});

it("aggregates go into tables of any name, in any schema, with windows of every kind", async () => {
  const scene = await source({ ddl, fields, partitions: 1, postgres: modes.timestamp });
  const { database } = scene;
  const reader = await scene.start();
  await untilSent(reader, 2);
  const name = "x".repeat(63);
  const windows = {
    '"Sales-2026"."Per Minute"': { tumbling: { size: "1m" } },
    [`stats.${name}`]: { hopping: { size: "5m", advance: "1m" } },
    '"O\'Brien ""sessions"""': { session: { gap: "1m" } },
  };
  const worker = await startWorker(aggregatorOf(scene, windows));
  for (const table of Object.keys(windows)) {
    const rows = async () =>
      await database.query(
        `select distinct "kubernetes.pod_name" as pod, "Sum of prices"::float8 as sum, ${sql(LONG)}::int as most
           from ${table} order by 1`,
      );
    await expect
      .poll(async () => await rows().catch(String), soon)
      .toEqual([
        { pod: "web-1", sum: 10.5, most: 7 },
        { pod: "web-2", sum: 20, most: null },
      ]);
  }
  expect(await worker.drain()).toBe(0);
  const tables = async () =>
    (
      await database.query<{ found: string }>(
        `select n.nspname || '.' || c.relname as found from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('public', 'stats', 'Sales-2026') and c.relkind in ('r', 'v')
            or n.nspname = 'caudal' and c.relname ~ '_(panes|groups)$' order by 1`,
      )
    ).map(({ found }) => found);
  expect((await tables()).length).toBe(2 + 3 + 2);
  for (const table of Object.keys(windows)) await database.query("select caudal.forget_table($1)", [table]);
  expect(await tables()).toEqual(["Sales-2026.Order Details", "public.Limits"]);
  expect(await reader.drain()).toBe(0);
});

it("a schema that cannot be made is told with what to run", async () => {
  const scene = await source({ ddl, fields, partitions: 1, postgres: modes.timestamp });
  const { database } = scene;
  const user = await scene.server.user(database.name, "narrow");
  await database.query(`create schema caudal; grant all on schema caudal to narrow`);
  const config = transformOf(scene, '"No-Such"."t"', [`"Order ID" as id`]);
  const worker = await startWorker({ ...config, database: { secret: user } });
  const message = await poll(async () => (await worker.status()).error?.message, {
    seconds: 120,
    onTimeout: () => worker.log(),
  });
  expect(message).toContain('run create schema "No-Such" and grant usage, create on it to this user');
});

function transformOf(
  { broker, database, topic, letters }: SourceScene,
  table: string,
  select: string[],
): WorkloadConfig {
  const used = select.some((text) => text.includes("limits."));
  const limits = {
    ...{ name: "limits", table: '"Limits"', match: { "Order ID": "Order ID" } },
    columns: [{ name: 'Most "ever"', type: "integer" }],
    ...{ refreshMs: 200, maxRows: 10, secret: database.secret },
  };
  return {
    version: 1,
    pipeline: { namespace: "shop", name: "names", uid: "first", generation: 1 },
    stage: { name: `copy-${topic.name}`, role: "transform" },
    kafka: { bootstrapServers: [broker.bootstrap] },
    database: { secret: database.secret },
    transform: {
      topic: { name: topic.name, timestamp: "@timestamp", fields },
      where: `"Order ID" > 0`,
      select,
      lookups: used ? [limits] : [],
      deadLetterTopic: letters.name,
      to: [
        {
          name: "copy",
          table: { name: table, ...(select.includes('"Order ID"') ? { key: ["Order ID", "select"] } : {}) },
        },
      ],
      replicas: 1,
    },
  };
}

type Tables = NonNullable<WorkloadConfig["aggregator"]>["tables"];

function aggregatorOf(
  { broker, database, topic, letters }: SourceScene,
  windows: Readonly<Record<string, Tables[number]["window"]>>,
): WorkloadConfig {
  return {
    version: 1,
    pipeline: { namespace: "shop", name: "names", uid: "first", generation: 1 },
    stage: { name: `sums-${topic.name}`, role: "aggregator" },
    kafka: { bootstrapServers: [broker.bootstrap] },
    database: { secret: database.secret },
    aggregator: {
      topic: { name: topic.name, timestamp: "@timestamp", fields },
      watermark: { maxDelayMs: 10_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 },
      lateEvents: "Update",
      deadLetterTopic: letters.name,
      tables: Object.entries(windows).map(([name, window]) => ({
        ...{ name, window, groupBy: ["kubernetes.pod_name", `"select" as "is it?"`] },
        aggregates: [
          `sum("Unit Price") as "Sum of prices"`,
          `max(${sql(LONG)}) as ${sql(LONG)}`,
          `avg("preço") as "${"m".repeat(63)}"`,
        ],
      })),
      replicas: 1,
    },
  };
}
