/** The outbox's way to its topic: each row once, whatever becomes of those who send it. */
import { partitionOf } from "@caudal/workloads/kafka/core/murmur2";
import { BatchEncoder } from "@caudal/workloads/kafka/batch-encoder";
import type { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { Producer } from "@caudal/workloads/kafka/producer";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Relay } from "../../../workloads/src/outbox/relay.ts";
import { Connection } from "../../../workloads/src/postgres/connection.ts";
import { readOutbox, trimOutbox } from "../../../workloads/src/postgres/outbox.ts";
import { migrate } from "../../../workloads/src/postgres/schema.ts";
import { type Broker, startBroker } from "../broker.ts";
import { createReadyTopic, metrics, newCluster, readToEnd, untilGroups } from "../kafka/fixtures.ts";
import { type Database, type Postgres, startPostgres } from "../postgres.ts";

let broker: Broker;
let server: Postgres;
let cluster: KafkaCluster;
let database: Database;
let topic: string;
let count = 0;
const open: { close(): Promise<void> }[] = [];
const owner = { pipeline: "shop/events", stage: "metrics", uid: "first" };

beforeAll(async () => {
  [broker, server] = await Promise.all([startBroker(), startPostgres()]);
  cluster = newCluster(broker.bootstrap);
  await untilGroups(cluster);
});
afterAll(async () => {
  await cluster?.close();
  await Promise.all([broker?.stop(), server?.stop()]);
});
beforeEach(async () => {
  topic = `finals${++count}`;
  database = await server.database(`relay_${count}`);
  await createReadyTopic(cluster, { name: topic, partitions: 3 });
  await migrate(await connect());
});
afterEach(async () => {
  for (const used of open.splice(0)) await used.close();
});

async function connect(): Promise<Connection> {
  const opened = await Connection.open({ secret: database.secret, applicationName: "relay" });
  open.push(opened);
  return opened;
}
/** A relay as a process of its own would have one. */
function newRelay(): Relay {
  const own = newCluster(broker.bootstrap);
  open.push(own);
  return new Relay({
    ...{ cluster: own, owner, metrics, id: `outbox.${topic}`, sourceTopic: topic },
    topics: new Map([["counts", topic]]),
    signal: new AbortController().signal,
  });
}
async function put(from: number, to: number, table = "counts"): Promise<void> {
  await database.query(
    `insert into caudal.outbox (pipeline, stage, table_name, key, value)
      select $1, $2, $3, 'k' || s.n % 7, s.n::text from generate_series($4::int, $5::int) s(n) order by s.n`,
    [owner.pipeline, owner.stage, table, from, to],
  );
}
/** What is on the topic when it has as many records: Kafka's commit returns before readers see what it holds. */
async function sent(count: number): Promise<{ readonly all: number[]; readonly inOrder: boolean }> {
  const read = async () => (await readToEnd(cluster, topic)).rows;
  await expect.poll(async () => (await read()).length, { timeout: 120_000 }).toBeGreaterThanOrEqual(count);
  const rows = await read();
  const inOrder = [0, 1, 2].every((partition) => {
    const values = rows.filter((row) => row.partition === partition).map(({ line }) => Number(line));
    return values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0));
  });
  return { all: rows.map(({ line }) => Number(line)).sort((a, b) => a - b), inOrder };
}
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);
/** A connection on which one kind of call fails, as if the process had died before it. */
function dyingBefore(connection: Connection, call: string): Connection {
  return new Proxy(connection, {
    get: (target, name) => {
      if (name === "query")
        return async (what: string, statement: { text: string }) => {
          if (what === call) throw new Error("killed");
          return await target.query(what, statement);
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

describe("rows of the outbox", () => {
  it("come to the topic once, in order for each key, and leave the outbox", async () => {
    const [relay, connection] = [newRelay(), await connect()];
    await put(1, 4_000);
    while (await relay.turn(connection));
    await put(4_001, 4_100);
    while (await relay.turn(connection));
    expect(await sent(4_100)).toEqual({ all: upTo(4_100), inOrder: true });
    expect(await database.query("select from caudal.outbox")).toEqual([]);
    const key = Buffer.from("k1");
    const { rows } = await readToEnd(cluster, topic);
    expect(rows.find(({ line }) => line === "1")?.partition).toBe(partitionOf(key, 3));
  });

  it("of a table that sends nothing any more are passed over", async () => {
    const [relay, connection] = [newRelay(), await connect()];
    await put(1, 3, "other");
    await put(4, 5);
    while (await relay.turn(connection));
    expect((await sent(2)).all).toEqual([4, 5]);
    expect(await database.query("select from caudal.outbox")).toEqual([]);
  });

  it("of another database are not taken for those that were sent", async () => {
    const [relay, connection] = [newRelay(), await connect()];
    await put(1, 10);
    while (await relay.turn(connection));
    database = await server.database(`relay_${count}_again`);
    const other = await connect();
    await migrate(other);
    await put(11, 12);
    const next = newRelay();
    while (await next.turn(other));
    expect((await sent(12)).all).toEqual(upTo(12));
  });
});

describe("a relay that died when Kafka had its records and the outbox still had the rows", () => {
  it("sends none of them again when it comes back", async () => {
    const connection = await connect();
    for (let turn = 0; turn < 5; turn++) {
      await put(turn * 100 + 1, turn * 100 + 100);
      await expect(newRelay().turn(dyingBefore(connection, "trim outbox"))).rejects.toThrow("killed");
    }
    const last = newRelay();
    while (await last.turn(connection));
    expect(await sent(500)).toEqual({ all: upTo(500), inOrder: true });
  });

  it("would send them again without the place in the transaction", async () => {
    const connection = await connect();
    const producer = new Producer(cluster, { metrics, onProblem: () => undefined });
    const send = async (dying: boolean): Promise<void> => {
      const rows = await readOutbox(connection, owner, 0, 1_000);
      const batch = new BatchEncoder();
      for (const { key, value } of rows) batch.append(Date.now(), key, value);
      await producer.send(topic, new Map([[0, batch]]));
      if (!dying) await trimOutbox(connection, owner, rows.at(-1)?.seq ?? 0);
    };
    await put(1, 10);
    await send(true);
    await send(false);
    expect((await sent(20)).all).toEqual(upTo(10).flatMap((n) => [n, n]));
  });
});

it("two relays that both believe to lead send each row once", async () => {
  const relays = [newRelay(), newRelay()];
  const connections = [await connect(), await connect()];
  let running = true;
  let fenced = 0;
  const runs = relays.map(async (relay, index) => {
    const connection = connections[index];
    while (running && connection !== undefined) {
      try {
        if (!(await relay.turn(connection))) await new Promise((resolve) => setTimeout(resolve, 5));
      } catch (error) {
        if (error instanceof Error && "reason" in error && error.reason === "ProducerFenced") fenced++;
      }
    }
  });
  for (let turn = 0; turn < 60; turn++) {
    await put(turn * 50 + 1, turn * 50 + 50);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await expect
    .poll(async () => (await database.query("select from caudal.outbox")).length, { timeout: 120_000 })
    .toBe(0);
  running = false;
  await Promise.all(runs);
  expect(await sent(3_000)).toEqual({ all: upTo(3_000), inOrder: true });
  expect(fenced).toBeGreaterThan(0);
});

it("rows wait while the broker is away, and go on when it is back", async () => {
  const connection = await connect();
  const relay = newRelay();
  await put(1, 100);
  while (await relay.turn(connection));
  await broker.kill();
  await put(101, 200);
  await expect(relay.turn(connection)).rejects.toMatchObject({ reason: "KafkaUnavailable" });
  await broker.restart();
  const turn = async () => await relay.turn(connection).catch((error: unknown) => String(error));
  await expect.poll(turn, { timeout: 120_000 }).toBe(false);
  expect(await sent(200)).toEqual({ all: upTo(200), inOrder: true });
});
