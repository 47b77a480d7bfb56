/**
 * examples/customers from end to end: its fake-data program, and every stage of its two pipelines as the operator plans
 * them, on a real PostgreSQL, broker and S3 server.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { parse } from "yaml";
import { path, type StreamPipeline, type WorkloadConfig, withDefaults } from "@caudal/crds";
import { stagesOf } from "../../../pipeline/src/stages.ts";
import { buildWorkloadConfig } from "../../../pipeline/src/workload-config.ts";
import { repository } from "../../cluster/host/paths.ts";
import { poll } from "../../cluster/host/poll.ts";
import { killWorkers, startWorker } from "../aggregator/stage.ts";
import { createTopic, type Topic } from "../aggregator/topic.ts";
import { type Broker, sharedBroker } from "../broker.ts";
import { readLake } from "../outputs/lake.ts";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";
import { type S3, startS3 } from "../s3.ts";

const folder = join(repository, "examples/customers");

let broker: Broker;
let server: Postgres;
let s3: S3;
let shop: Database;
let results: Database;
let lake: string;
const topics = new Map<string, Topic>();
const programs = new Set<ChildProcess>();

beforeAll(async () => {
  [broker, server, s3] = await Promise.all([
    sharedBroker(),
    startPostgres({ settings: { wal_level: "logical" } }),
    startS3(),
  ]);
  lake = s3.bucket("lake");
  const names = ["psg-customers", "customers-stream", "psg-customers-cdc"];
  for (const name of names) topics.set(name, await createTopic(broker, name, 3));
  for (const stage of ["customers-customers", "customers-lean", "customers-current", "customers-cdc-customers"])
    topics.set(`${stage}-dlq`, await createTopic(broker, `${stage}-dlq`, 1));
});
let count = 0;
beforeEach(async () => {
  count++;
  [shop, results] = [await server.database(`shop${count}`), await server.database(`results${count}`)];
});
afterEach(async () => {
  for (const program of programs) program.kill("SIGKILL");
  await killWorkers();
});
afterAll(async () => {
  for (const topic of topics.values()) await topic.close();
  await Promise.all([broker?.stop(), server?.stop(), s3?.stop()]);
});

/** The stages of a pipeline's file, by name. */
function stages(file: string): ReadonlyMap<string, WorkloadConfig> {
  const given = parse(readFileSync(join(folder, file), "utf8")) as StreamPipeline;
  const metadata = { ...given.metadata, namespace: "shop", uid: "u1", generation: 1, resourceVersion: "1" };
  const pipeline = withDefaults({ ...given, metadata });
  const access = {
    connection: { bootstrapServers: [broker.bootstrap] },
    reason: "",
    message: "",
    user: false,
    acls: false,
  };
  return new Map(
    stagesOf(pipeline).map((stage) => {
      const planned = JSON.stringify(buildWorkloadConfig(pipeline, stage, access, undefined))
        .replaceAll(`"${path.secret("customers-source-app")}"`, JSON.stringify(shop.secret))
        .replaceAll(`"${path.secret("customers-cdc")}"`, JSON.stringify(shop.secret))
        .replaceAll(`"${path.secret("customers-lake")}"`, JSON.stringify(s3.secret))
        .replaceAll(`"${path.database}"`, JSON.stringify(results.secret))
        .replaceAll("http://customers-lake:7070", s3.endpoint)
        .replaceAll('"every":"10s"', '"every":"1s"');
      return [stage.name, JSON.parse(planned) as WorkloadConfig];
    }),
  );
}

function fakeData(...options: readonly string[]) {
  const password = readFileSync(join(shop.secret, "password"), "utf8");
  const url = `postgresql://app:${encodeURIComponent(password)}@127.0.0.1:${server.port}/${shop.name}`;
  const child = spawn(process.execPath, [join(folder, "fake-data.ts"), "-cs", url, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  programs.add(child);
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (said += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (said += text));
  return {
    said: () => said,
    end: async () => {
      child.kill("SIGTERM");
      await once(child, "exit");
      programs.delete(child);
      return child.exitCode;
    },
  };
}

const rowsOf = async (): Promise<number> => {
  const [there] = await shop.query<{ there: boolean }>("select to_regclass('public.customers') is not null as there");
  if (there?.there !== true) return 0;
  return (await shop.query<{ n: number }>("select count(*)::int as n from customers"))[0]?.n ?? 0;
};

interface Customer {
  readonly id: number;
  readonly nome: string;
  readonly telefone: string | null;
  readonly email: string | null;
  readonly nascimento: string | null;
  readonly dt_update: string;
}

/** The table, with dates as the stream has them. */
const customers = async () =>
  await shop.query<Customer & { born: string; updated: string }>(
    `select id::int, nome, telefone, email, nascimento::text, to_char(nascimento, 'YYYY-MM-DD') as born,
      to_char(date_trunc('milliseconds', dt_update) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') as updated from customers order by id`,
  );

async function records(topic: string) {
  const found = topics.get(topic) ?? expect.fail(topic);
  return (await found.readTo(await found.seal()))
    .filter(({ key }) => key !== "end")
    .map(({ key, value }) => ({ key, value: JSON.parse(value?.toString() ?? "null") as Record<string, unknown> }));
}

async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
  await poll(async () => ((await ask()) ? true : undefined), { seconds: 120, everyMs: 500, onTimeout: () => what });
}

it("all customers, new and changed, come to topic, stream, lake and table", async () => {
  const configs = stages("pipeline.yaml");
  for (const config of configs.values()) await startWorker(config);
  const program = fakeData("--interval", "0.3", "-n", "20");
  await until("200 customers", async () => (await rowsOf()) >= 200);
  expect(program.said()).toMatch(/ 20 new customers, \d+ changed/);
  expect(await program.end()).toBe(0);
  await shop.query("update customers set telefone = 'a new one', dt_update = now() where id = 7");
  const table = await customers();

  const latest = async (topic: string) => new Map((await records(topic)).map(({ key, value }) => [key, value]));
  await until("the topic has every customer as the table has", async () => {
    const sent = await latest("psg-customers");
    return table.every(({ id, telefone }) => sent.get(String(id))?.["telefone"] === telefone);
  });
  await until("the stream has them too", async () => {
    const sent = await latest("customers-stream");
    return table.every(({ id, telefone }) => sent.get(String(id))?.["telefone"] === telefone);
  });
  const stream = await latest("customers-stream");
  for (const { id, nome, telefone, email, born, updated } of table)
    expect(stream.get(String(id))).toEqual({ id, nome, telefone, email, dt_nascimento: born, dt_updt_conv: updated });
  expect(stream.get("7")?.["telefone"]).toBe("a new one");
  // Each version of a row once: no two events of a customer have the same time.
  const events = await records("psg-customers");
  const versions = new Set(events.map(({ key, value }) => `${key} ${String(value["dt_update"])}`));
  expect(versions.size).toBe(events.length);

  const query = `select id::int as id, telefone, dt_nascimento, dt_updt_conv from read_parquet('${lake}/customers/**/*.parquet', hive_partitioning = true)`;
  const inLake = async () => await readLake<Record<string, unknown>>(`${query} order by all`).catch(() => []);
  await until("the lake has every event once", async () => (await inLake()).length >= events.length);
  const expected = (await records("customers-stream")).map(({ value }) => {
    const { id, telefone, dt_nascimento, dt_updt_conv } = value;
    return JSON.stringify({ id, telefone, dt_nascimento, dt_updt_conv });
  });
  expect((await inLake()).map((row) => JSON.stringify(row)).sort()).toEqual(expected.sort());

  await until("the table of results is the table", async () => {
    const now = await results
      .query<{ id: number; telefone: string }>("select id::int, telefone from customers_now order by id")
      .catch(() => []);
    return JSON.stringify(now) === JSON.stringify(table.map(({ id, telefone }) => ({ id, telefone })));
  });
});

it("in the cdc variant inserts, updates and deletes come, each once", async () => {
  const program = fakeData("--interval", "30", "-n", "50", "--silent");
  await until("50 customers", async () => (await rowsOf()) === 50);
  const [config] = stages("cdc/pipeline.yaml").values();
  await startWorker(config ?? expect.fail("a stage"));
  const count = async () => (await records("psg-customers-cdc")).length;
  await until("the snapshot", async () => (await count()) === 50);
  await shop.query("update customers set email = 'new@example.org', dt_update = now() where id = 3");
  await shop.query("delete from customers where id = 4");
  await shop.query("insert into customers (nome) values ('Zilda')");
  await until("the changes", async () => (await count()) === 53);
  const changes = (await records("psg-customers-cdc")).filter(({ value }) => value["op"] !== "snapshot");
  const told = changes.map(({ key, value: { op, nome, email } }) => [key, op, email ?? nome]).sort();
  expect(told).toEqual([
    ["3", "update", "new@example.org"],
    ["4", "delete", null],
    ["51", "insert", "Zilda"],
  ]);
  expect(program.said()).toBe("");
  expect(await program.end()).toBe(0);
});

it("the fake-data program says what to write instead of wrong options", async () => {
  const program = fakeData("-n", "none");
  await until("it ends", async () => Promise.resolve(program.said().includes("Usage:")));
  expect(program.said()).toContain("-n none: write a whole number from 1 to 10000");
});
