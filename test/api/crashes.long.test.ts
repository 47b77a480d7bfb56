/**
 * A process that dies at every write of a pipeline's life: made, changed, suspended, resumed, deleted, made again. Each
 * life writes one object (and then several), and the next begins with what it left. After each step all that exists is
 * what it is without any crash.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StreamPipeline } from "@caudal/crds";
import { pathOf, resources } from "../../operator/src/kube/object.ts";
import { slotsOf } from "../../operator/src/plan/slots.ts";
import { type Database, type Postgres, startPostgres } from "../engine/postgres.ts";
import { essence } from "./support/essence.ts";
import { eventually } from "./support/eventually.ts";
import { faulty } from "./support/faults.ts";
import { Lives } from "./support/lives.ts";
import { TestServer } from "./support/server.ts";
import { cdcSource, World } from "./support/world.ts";

const NAME = "app-events";

let server: TestServer;
let postgres: Postgres;
let shop: Database;
beforeAll(async () => {
  server = TestServer.shared();
  postgres = await startPostgres({ settings: { wal_level: "logical", max_replication_slots: "40" } });
  shop = await postgres.database("shop");
  await shop.query("create table customers (id int primary key, name text)");
});
afterAll(async () => await Promise.all([server.stop(), postgres.stop()]));

type Change = (spec: StreamPipeline["spec"]) => void;

interface Step {
  readonly name: string;
  /** What a person does, and what stands for the rest of the cluster. */
  readonly act: (world: World) => Promise<void>;
  readonly until: (world: World) => Promise<boolean>;
}

const isGone = async (world: World) => (await world.get(resources.streamPipeline, NAME)) === undefined;

/** Every stage has the pods that its Deployment asks for, as the kubelet would see to. */
async function runPods(world: World): Promise<void> {
  const wanted = new Map<string, string>();
  for (const { metadata, spec } of await world.list(resources.deployment)) {
    const stage = metadata.labels?.["caudal.dev/stage"] ?? "";
    if (Number(spec?.["replicas"]) > 0) wanted.set(`${NAME}-${stage}-pod`, stage);
  }
  for (const { metadata } of await world.list(resources.pod)) {
    if (wanted.delete(metadata.name)) continue;
    await server.raw("DELETE", pathOf(resources.pod, world.namespace, metadata.name), { gracePeriodSeconds: 0 });
  }
  for (const [name, stage] of wanted) await world.pod(NAME, stage, name);
}

/** Ready, or suspended, in the generation of now, and nothing is left of the one before. */
async function isSettled(world: World, ready: string, deployments: number): Promise<boolean> {
  await world.settle();
  await runPods(world);
  const { status, metadata } = await world.pipeline(NAME);
  const condition = status?.conditions?.find(({ type }) => type === "Ready");
  const [running, services] = [await world.list(resources.deployment), await world.list(resources.service)];
  const asks = running.filter(({ spec }) => Number(spec?.["replicas"]) > 0);
  return (
    status?.observedGeneration === metadata.generation &&
    condition?.reason === ready &&
    running.length === deployments &&
    services.length === deployments &&
    (await world.list(resources.configMap)).length === deployments &&
    asks.length === (ready === "Suspended" ? 0 : deployments)
  );
}

const step = (name: string, change: Change, ready = "Ready", deployments = 2): Step => ({
  name,
  act: async (world) => void (await world.apply(NAME, change)),
  until: async (world) => await isSettled(world, ready, deployments),
});

const deletion = (name: string, until: Step["until"]): Step => ({
  name,
  act: async (world) => await world.remove(resources.streamPipeline, NAME),
  until: async (world) => {
    await runPods(world);
    return (await isGone(world)) && (await until(world));
  },
});

/** Where the policy is Retain, what holds data stays and is marked; the garbage collector, which is not here, takes the rest. */
async function allReleased(world: World): Promise<boolean> {
  const held = [...(await world.children()).values()].filter(({ kind }) =>
    ["KafkaTopic", "Cluster", "Database", "DatabaseRole"].includes(kind),
  );
  return held.length > 0 && held.every(({ metadata }) => metadata.labels?.["caudal.dev/released"] === "true");
}

/** As the garbage collector would: what has an owner goes with it. */
async function collect(world: World): Promise<void> {
  for (const { kind, metadata } of (await world.children()).values()) {
    const resource = Object.values(resources).find((entry) => entry.kind === kind);
    if (resource !== undefined && metadata.ownerReferences !== undefined) await world.remove(resource, metadata.name);
  }
}

const changed: Change = (spec) => {
  spec.topics.push({ name: "extra", managed: true, partitions: 1 });
  spec.aggregators = [];
};
const suspended: Change = (spec) => {
  spec.suspend = true;
};
const deleting: Change = (spec) => {
  spec.deletionPolicy = "Delete";
};

const ownDatabase: readonly Step[] = [
  {
    ...step("create", () => undefined),
    act: async (world) => {
      await world.kafka();
      await world.appSecret(NAME);
      await world.apply(NAME);
    },
  },
  step("change", changed, "Ready", 1),
  step("change back", () => undefined),
  step("suspend", suspended, "Suspended"),
  step("resume", () => undefined),
  deletion("delete under Retain", allReleased),
  {
    ...step("create again, which takes back what was kept", deleting),
    act: async (world) => {
      await collect(world);
      await world.apply(NAME, deleting);
    },
  },
  // What an earlier generation let go of is no longer the pipeline's to delete.
  deletion("delete under Delete", async (world) => [...(await world.children()).keys()].join() === "KafkaTopic/extra"),
];

/** A shared database, a listener that authenticates, and a topic of somebody else's that is offered. */
const shared: Change = (spec) => {
  spec.kafka = { clusterRef: { name: "platform", listener: "scram" } };
  spec.database = { clusterRef: { name: "shared" } };
};
const source: Change = (spec) => {
  shared(spec);
  cdcSource(spec);
};

/** What the source's pod makes in the database. */
async function makeSlot(world: World): Promise<void> {
  for (const { name } of slotsOf(await world.pipeline(NAME))) {
    const [{ n } = { n: 0 }] = await slotsCalled(name);
    if (n > 0) continue;
    await shop.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [name]);
    await shop.query(`create publication ${name} for table customers`);
  }
}

const slotsCalled = async (name: string) =>
  await shop.query<{ n: number }>("select count(*)::int as n from pg_replication_slots where slot_name like $1", [
    name,
  ]);

/** Of the world's namespace: a slot's name begins with it. */
async function leftOf(world: World): Promise<number> {
  const [{ n } = { n: -1 }] = await slotsCalled(`%${world.namespace.replaceAll("-", "_")}%`);
  return n;
}

const sharedDatabase: readonly Step[] = [
  {
    ...step("create with clusterRef, a KafkaUser and a topic that is adopted", shared),
    act: async (world) => {
      await world.kafka();
      await world.sharedCluster();
      await world.secret("platform-cluster-ca-cert", { "ca.crt": "pem" });
      await world.secret(`${NAME}-kafka`, { password: "secret" });
      const keys = ["host", "port", "dbname", "username", "password", "sslmode"];
      await world.secret(
        "shop",
        Object.fromEntries(keys.map((key) => [key, readFileSync(join(shop.secret, key), "utf8")])),
      );
      const annotations = { "caudal.dev/adopt": "true" };
      const metadata = { name: NAME, annotations, labels: { "strimzi.io/cluster": "platform" } };
      await world.create(
        { apiVersion: resources.kafkaTopic.apiVersion, kind: "KafkaTopic", metadata, spec: { partitions: 2 } },
        resources.kafkaTopic,
      );
      await world.apply(NAME, shared);
    },
  },
  {
    ...step("add a source in cdc mode", source, "Ready", 3),
    until: async (world) => {
      if (!(await isSettled(world, "Ready", 3))) return false;
      await makeSlot(world);
      return true;
    },
  },
  {
    ...step("take the source away", shared),
    until: async (world) => (await isSettled(world, "Ready", 2)) && (await leftOf(world)) === 0,
  },
  {
    ...step("add it again, under Delete", (spec) => (source(spec), deleting(spec)), "Ready", 3),
    until: async (world) => {
      if (!(await isSettled(world, "Ready", 3))) return false;
      await makeSlot(world);
      return true;
    },
  },
  deletion("delete under Delete: the slot goes, what was adopted stays", async (world) => (await leftOf(world)) === 0),
];

const lives: [string, readonly Step[], { writes: number; alsoBefore?: boolean }][] = [
  ["with a database of its own, one object a life", ownDatabase, { writes: 1 }],
  ["with a database of its own, five objects a life", ownDatabase, { writes: 5 }],
  ["with a shared database and a slot, one object a life", sharedDatabase, { writes: 1, alsoBefore: true }],
];

describe.each(lives)("an operator that dies at every write, of a pipeline %s", (_what, steps, options) => {
  let calm: World;
  let world: World;
  let mortal: Lives;
  const writes = new Set<string>();
  beforeAll(async () => {
    [calm, world] = [await World.create(server), await World.create(server)];
    await calm.operator({
      client: faulty(server.client, {
        after: ({ verb, kind, isStatus }) => void writes.add(`${verb} ${kind}${isStatus ? " status" : ""}`),
      }),
    });
    mortal = new Lives(world, server.client, options);
  });
  afterAll(async () => await Promise.all([calm.stop(), mortal.stop().then(async () => await world.stop())]));

  test.each(steps)("$name: the same objects as without a crash", async ({ name, act, until }) => {
    const take = async (in_: World): Promise<unknown[]> => {
      await act(in_);
      await eventually(name, async () => await until(in_));
      const secret = await in_.get(resources.secret, `${NAME}-database`);
      return [...essence((await in_.children()).values(), in_.namespace), secret?.metadata.uid !== undefined];
    };
    const [expected, found] = await Promise.all([take(calm), take(world)]);
    expect(found).toEqual(expected);
  });

  test("lives ended at every kind of write that there was", () => {
    if (options.writes > 1) expect(mortal.ends.length).toBeGreaterThan(5);
    else expect(new Set(mortal.ends.map((end) => end.replace(/^\S+ /, "")))).toEqual(writes);
  });
});
