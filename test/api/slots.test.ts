/** Replication slots go with the stage, and with the pipeline: on a real API server and a real PostgreSQL. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { StreamPipeline } from "@caudal/crds";
import { pathOf, resources } from "../../operator/src/kube/object.ts";
import { slotsOf } from "../../operator/src/plan/slots.ts";
import { type Database, type Postgres, startPostgres } from "../engine/postgres.ts";
import { eventually } from "./support/eventually.ts";
import { TestServer } from "./support/server.ts";
import { cdcSource, World } from "./support/world.ts";

let server: TestServer;
let postgres: Postgres;
let database: Database;
let world: World;
beforeAll(async () => {
  server = TestServer.shared();
  postgres = await startPostgres({ settings: { wal_level: "logical" } });
  database = await postgres.database("shop");
  await database.query("create table customers (id int primary key, name text)");
});
afterAll(async () => await Promise.all([server.stop(), postgres.stop()]));
beforeEach(async () => {
  world = await World.create(server);
});
afterEach(async () => await world.stop());

async function secret(): Promise<void> {
  const keys = ["host", "port", "dbname", "username", "password", "sslmode"];
  const stringData = Object.fromEntries(keys.map((key) => [key, readFileSync(join(database.secret, key), "utf8")]));
  await world.create({ apiVersion: "v1", kind: "Secret", metadata: { name: "shop" }, stringData }, resources.secret);
}

/** What the stage's pod would have made. */
async function makeSlot(pipeline: StreamPipeline): Promise<string> {
  const [slot] = slotsOf(pipeline);
  const name = slot?.name ?? expect.fail("no slot");
  await database.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [name]);
  await database.query(`create publication ${name} for table customers`);
  return name;
}

async function leftOf(name: string): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    "select (select count(*) from pg_replication_slots where slot_name = $1)::int + (select count(*) from pg_publication where pubname = $1)::int as n",
    [name],
  );
  return row?.n ?? -1;
}

const recordOf = async () =>
  (await world.list(resources.configMap)).find((map) => map.metadata.name.includes("customers"));
const isGone = async () => (await world.get(resources.streamPipeline, "app-events")) === undefined;
/** The same, or an error that says how the deletion stands. */
const hasGone = async () => {
  const left = await world.get(resources.streamPipeline, "app-events");
  if (left !== undefined) throw new TypeError(JSON.stringify(left.status));
  return true;
};

test("slot and publication go with the pipeline", async () => {
  await secret();
  await world.operator();
  await world.kafka();
  await world.apply("app-events", cdcSource);
  await eventually("the stage is planned", async () => (await recordOf()) !== undefined);
  const pipeline = await world.pipeline("app-events");
  expect(pipeline.metadata.finalizers).toEqual(["caudal.dev/cleanup"]);
  const name = await makeSlot(pipeline);
  await world.remove(resources.streamPipeline, "app-events");
  await eventually("the pipeline is gone", hasGone);
  expect(await leftOf(name)).toBe(0);
  expect(await world.get(resources.kafkaTopic, "psg-customers")).toBeDefined();
});

test("slot and publication go with their stage, and the finalizer with them", async () => {
  await secret();
  await world.operator();
  await world.kafka();
  await world.apply("app-events", cdcSource);
  await eventually("the stage is planned", async () => (await recordOf()) !== undefined);
  const name = await makeSlot(await world.pipeline("app-events"));
  await world.apply("app-events", (spec) => {
    cdcSource(spec);
    spec.sources = [];
  });
  await eventually("the slot is gone", async () => (await leftOf(name)) === 0);
  await eventually("its record is gone", async () => (await recordOf()) === undefined);
  await eventually(
    "nothing is left to clean up",
    async () => (await world.pipeline("app-events")).metadata.finalizers === undefined,
  );
});

test("a slot that cannot be removed is told of, and kept on record until it can", async () => {
  await secret();
  const operator = await world.operator();
  await world.kafka();
  await world.apply("app-events", cdcSource);
  await eventually("the stage is planned", async () => (await recordOf()) !== undefined);
  const name = await makeSlot(await world.pipeline("app-events"));
  // Another operator, which has never seen the login.
  await operator.stop();
  await world.remove(resources.secret, "shop");
  await world.apply("app-events", (spec) => {
    cdcSource(spec);
    spec.sources = [];
  });
  await world.operator({ identity: "operator-2" });
  const condition = await world.expectCondition("app-events", "WorkloadsReady", "False", "SlotNotRemoved");
  expect(condition.message).toContain(`pg_drop_replication_slot('${name}')`);
  await secret();
  await eventually("the slot is gone", async () => (await leftOf(name)) === 0);
});

test("a slot goes also when its Secret went first, as in a namespace that ends", async () => {
  await secret();
  await world.operator();
  await world.kafka();
  await world.apply("app-events", cdcSource);
  await eventually("the stage is planned", async () => (await recordOf()) !== undefined);
  const name = await makeSlot(await world.pipeline("app-events"));
  await world.remove(resources.secret, "shop");
  await world.remove(resources.streamPipeline, "app-events");
  await eventually("the pipeline is gone", hasGone);
  expect(await leftOf(name)).toBe(0);
});

test("a password that is wrong is tried again when it has changed, however long ago the deletion was asked for", async () => {
  await secret();
  const operator = await world.operator();
  await world.kafka();
  await world.apply("app-events", cdcSource);
  await eventually("the stage is planned", async () => (await recordOf()) !== undefined);
  const name = await makeSlot(await world.pipeline("app-events"));
  await operator.stop();
  await world.patch(resources.secret, "shop", { stringData: { dbname: "nowhere" } });
  await world.remove(resources.streamPipeline, "app-events");
  await world.operator({ identity: "operator-2", slotsLimitMs: 60_000 });
  await eventually("it was tried", async () => (await eventsOf(world.namespace)).includes("SlotNotRemoved"));
  expect(await isGone()).toBe(false);
  await eventually("the condition says how long it waits", async () => {
    const { message } = await world.expectCondition("app-events", "Ready", "False", "Deleting");
    expect(message).toContain(`the replication slot ${name}`);
    return /waits up to \d+ s more/.test(message);
  });
  await world.patch(resources.secret, "shop", { stringData: { dbname: database.name } });
  await eventually("the pipeline is gone", hasGone);
  expect(await leftOf(name)).toBe(0);
});

test("a deletion goes on without a database that is gone, and what stays is told beside the operator", async () => {
  await secret();
  const operator = await world.operator({ slotsLimitMs: 1_500 });
  await world.kafka();
  await world.apply("app-events", cdcSource);
  await eventually("the stage is planned", async () => (await recordOf()) !== undefined);
  await postgres.kill();
  await world.remove(resources.streamPipeline, "app-events");
  await eventually("the pipeline is gone", hasGone);
  expect([...(await world.children()).keys()].some((child) => child.startsWith("ConfigMap/"))).toBe(false);
  expect(await eventsOf(world.namespace)).toContain("SlotLeft");
  const metrics = await (await fetch(`http://127.0.0.1:${operator.port}/metrics`)).text();
  expect(metrics).toContain(`caudal_slots_left_total{namespace="${world.namespace}",pipeline="app-events"} 1`);
});

async function eventsOf(namespace: string): Promise<string[]> {
  const { body } = await server.raw("GET", pathOf(resources.event, namespace));
  return (body["items"] as { reason: string }[]).map(({ reason }) => reason);
}
