/** A bad API server: whatever it does, nothing is deleted or released, what is not seen is told, and all comes back. */
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeObject, type Resource, resources } from "../../operator/src/kube/object.ts";
import type { Operator } from "../../operator/src/operator.ts";
import { BadServer, type Fault, type Verb } from "./support/bad-server.ts";
import { eventually } from "./support/eventually.ts";
import { TestServer } from "./support/server.ts";
import { World } from "./support/world.ts";

/** Short limits, so that what takes minutes takes seconds; idle watches are then replaced by lists all the time. */
const impatient = { unseenAfterMs: 4_000, watchSilenceMs: 1_500, watchRetryMs: 800, discoverEveryMs: 300 };

let server: TestServer;
let bad: BadServer;
beforeAll(async () => {
  server = TestServer.shared();
  bad = await BadServer.before(server.config);
});
afterAll(async () => {
  await bad.stop();
  await server.stop();
});

const readyz = async (operator: Operator): Promise<{ status: number; text: string }> => {
  const answer = await fetch(`http://127.0.0.1:${operator.port}/readyz`);
  return { status: answer.status, text: await answer.text() };
};

/** Identity and labels of all that exists: a release or a deletion shows in it. */
const identities = async (world: World): Promise<unknown[]> =>
  [...(await world.children())].map(([key, { metadata }]: [string, KubeObject]) => [
    key,
    metadata.uid,
    metadata.deletionTimestamp,
    metadata.labels?.["caudal.dev/released"],
  ]);

/** The kinds that are read, each with the condition that is made from it. */
const reads: readonly [Resource, string][] = [
  [resources.streamPipeline, "Ready"],
  [resources.deployment, "WorkloadsReady"],
  [resources.configMap, "WorkloadsReady"],
  [resources.service, "WorkloadsReady"],
  [resources.podDisruptionBudget, "WorkloadsReady"],
  [resources.pod, "WorkloadsReady"],
  [resources.kafka, "TopicsReady"],
  [resources.kafkaTopic, "TopicsReady"],
  [resources.kafkaUser, "TopicsReady"],
  [resources.databaseCluster, "DatabaseReady"],
  [resources.database, "DatabaseReady"],
  [resources.databaseRole, "DatabaseReady"],
];

describe("kinds that cannot be listed or watched", () => {
  let world: World;
  let operator: Operator;
  beforeAll(async () => {
    world = await World.create(server);
    operator = await world.operator({ client: bad.client(), ...impatient });
    await world.ready("app-events");
  });
  afterAll(async () => {
    bad.heal();
    await world.stop();
  });

  const faults: Fault[] = [403, 404, 429, "silence", "truncated", "html", "trickle"];
  test.each(faults)("%s: each is told as not seen, nothing is touched, and all of it comes back", async (fault) => {
    const before = await identities(world);
    bad.spoil({ fault, verbs: ["list", "watch"], plurals: reads.map(([{ plural }]) => plural) });
    for (const [{ kind }, type] of reads)
      await eventually(`${type} says that ${kind} is not seen`, async () => {
        const { status, reason, message } = (await world.condition("app-events", type)) ?? {};
        if (status === "Unknown" && reason === "NotSeen" && message?.includes(`${kind} is not seen`) === true)
          return true;
        throw new TypeError(`${status ?? ""} ${reason ?? ""} ${message ?? ""}`);
      });
    await world.expectCondition("app-events", "Ready", "Unknown", "NotSeen");
    const { status, text } = await readyz(operator);
    expect(status).toBe(503);
    for (const [{ kind }] of reads) expect(text).toContain(`${kind} in namespace ${world.namespace} is not seen`);
    expect(await identities(world)).toEqual(before);
    bad.heal();
    await world.expectCondition("app-events", "Ready", "True");
    await eventually("the operator is ready", async () => (await readyz(operator)).status === 200);
    expect(await identities(world)).toEqual(before);
  });

  const watchFaults: Fault[] = [403, 429, "silence", "cut", "ends", "expired"];
  test.each(watchFaults)("%s to watches alone: what changes is noticed all the same", async (fault) => {
    bad.spoil({ fault, verbs: ["watch"] });
    const name = await serviceName(world);
    const { uid } = (await world.need(resources.service, name)).metadata;
    await world.remove(resources.service, name);
    await eventually("the service is made again", async () =>
      (await world.list(resources.service)).some(({ metadata }) => metadata.name === name && metadata.uid !== uid),
    );
    await world.expectCondition("app-events", "Ready", "True");
    bad.heal();
  });

  test.each<Fault>([404, 500, "html", "silence"])(
    "%s to discovery releases nothing and stops nothing",
    async (fault) => {
      const before = await identities(world);
      const spoilt = bad.spoilt;
      bad.spoil({ fault, verbs: ["discover"] });
      // A 404 far longer than a kind may be away, and in quiet, so that watches have been silent meanwhile.
      const times = fault === 404 ? 60 : 12;
      await eventually(`it was asked ${times} times`, () => bad.spoilt > spoilt + times);
      await world.patch(resources.kafkaTopic, "app-events", { spec: { partitions: 7 } });
      await eventually(
        "a change is put right",
        async () => (await world.need(resources.kafkaTopic, "app-events")).spec?.["partitions"] === 6,
      );
      await world.settle();
      expect(await identities(world)).toEqual(before);
      bad.heal();
      await world.expectCondition("app-events", "Ready", "True");
    },
  );
});

async function serviceName(world: World): Promise<string> {
  const [first] = await world.list(resources.service);
  return first?.metadata.name ?? expect.fail("no service");
}

describe("definitions that are away for a moment", () => {
  test.each([
    ["KafkaUser", "kafkausers"],
    ["KafkaTopic", "kafkatopics"],
    ["Kafka", "kafkas"],
    ["Cluster", "clusters"],
  ])("%s: nothing is released or deleted, also by an operator that begins then", async (_kind, plural) => {
    const world = await World.create(server);
    await world.operator({ client: bad.client(), ...impatient });
    await world.ready("app-events");
    const before = await identities(world);
    const group = plural === "clusters" ? "postgresql.cnpg.io" : "kafka.strimzi.io";
    bad.spoil({ fault: 404, plurals: [plural] }, { fault: 404, verbs: ["discover"], plurals: [group] });
    await eventually("it is told", async () => (await world.condition("app-events", "Ready"))?.status !== "True");
    await world.stop();
    await world.operator({ client: bad.client(), identity: "operator-2", ...impatient });
    await eventually("the new one tells it", async () => {
      const { metadata } = await world.need(resources.lease, "caudal-operator");
      const ready = await world.condition("app-events", "Ready");
      return metadata.name !== "" && ready?.status !== "True";
    });
    await world.patch(resources.service, await serviceName(world), { metadata: { labels: { touched: "yes" } } });
    expect(await identities(world)).toEqual(before);
    bad.heal();
    await world.expectCondition("app-events", "Ready", "True");
    expect(await identities(world)).toEqual(before);
    await world.stop();
  });
});

describe("calls that fail", () => {
  const verbs: readonly Verb[] = ["get", "create", "patch", "delete"];
  const faults: Fault[] = [404, 500, "silence", "truncated"];
  test.each(faults)("%s to every read, write and deletion of its kinds is told, and got over", async (fault) => {
    const world = await World.create(server);
    await world.operator({ client: bad.client(500), ...impatient });
    await world.ready("app-events");
    const { uid } = (await world.need(resources.kafkaTopic, "app-events")).metadata;
    const plurals = reads.filter(([{ kind }]) => kind !== "StreamPipeline").map(([{ plural }]) => plural);
    bad.spoil({ fault, verbs, plurals });
    await world.apply("app-events", (spec) => {
      spec.topics.push({ name: "extra", managed: true, partitions: 1 });
      spec.aggregators = [];
    });
    await eventually(
      "it is told",
      async () => (await world.condition("app-events", "TopicsReady"))?.status === "False",
    );
    bad.heal();
    await eventually("the second generation is in place", async () => {
      await world.settle();
      const { status, metadata } = await world.pipeline("app-events");
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      return status?.observedGeneration === metadata.generation && ready?.status === "True";
    });
    const topic = await world.need(resources.kafkaTopic, "app-events");
    expect([topic.metadata.uid, topic.metadata.labels?.["caudal.dev/released"]]).toEqual([uid, undefined]);
    await world.stop();
  });

  test.each<Fault>([404, 500, "html", "silence"])(
    "%s while a pipeline is deleted never ends it with something left behind",
    async (fault) => {
      const world = await World.create(server);
      await world.operator({ client: bad.client(500), ...impatient });
      await world.kafka();
      await world.apply("app-events", (spec) => {
        spec.deletionPolicy = "Delete";
      });
      await eventually("the cluster exists", async () => (await world.list(resources.databaseCluster)).length === 1);
      const spoilt = bad.spoilt;
      bad.spoil({ fault, verbs: ["list", "watch", "get", "delete"], plurals: ["kafkatopics", "clusters", "pods"] });
      await world.remove(resources.streamPipeline, "app-events");
      await eventually("it was tried", () => bad.spoilt > spoilt + 10);
      expect(await world.get(resources.streamPipeline, "app-events")).toBeDefined();
      bad.heal();
      await eventually(
        "the pipeline is gone",
        async () => (await world.get(resources.streamPipeline, "app-events")) === undefined,
      );
      expect([...(await world.children()).keys()]).toEqual([]);
      await world.stop();
    },
  );
});

test("a pipeline that is deleted while it is reconciled is no failed reconcile", async () => {
  const world = await World.create(server);
  const lines: { level: number; msg: string; error?: string }[] = [];
  const log = pino({ level: "debug" }, { write: (line) => lines.push(JSON.parse(line) as (typeof lines)[0]) });
  await world.operator({ client: bad.client(), log });
  await world.ready("app-events");
  // The operator does not hear of the deletion, and writes what it sees of Kafka.
  bad.spoil({ fault: "silence", verbs: ["watch"], plurals: ["streampipelines"] });
  await world.remove(resources.streamPipeline, "app-events");
  await world.remove(resources.kafka, "platform");
  await eventually("the write meets nothing", () => lines.some(({ msg }) => msg.startsWith("it was deleted while")));
  expect(lines.filter(({ level, msg }) => level >= 40 && msg.startsWith("reconcile failed"))).toEqual([]);
  bad.heal();
  await world.stop();
});

test("one namespace that may not be read costs itself alone, and both say so", async () => {
  const [one, other] = [await World.create(server), await World.create(server)];
  bad.spoil({ fault: 403, namespace: other.namespace, verbs: ["list", "watch"], plurals: ["kafkatopics"] });
  const operator = await one.operator({
    client: bad.client(),
    namespaces: [one.namespace, other.namespace],
    ...impatient,
  });
  await other.apply("app-events");
  await one.ready("app-events");
  const condition = await other.expectCondition("app-events", "TopicsReady", "Unknown", "NotSeen");
  expect(condition.message).toContain(`KafkaTopic is not seen in namespace ${other.namespace}`);
  expect(condition.message).toContain(`get, list and watch of kafkatopics in namespace ${other.namespace}`);
  const { status, text } = await readyz(operator);
  expect(status).toBe(200);
  expect(text).toContain(`KafkaTopic in namespace ${other.namespace}: its first list has not been read`);
  const metrics = await (await fetch(`http://127.0.0.1:${operator.port}/metrics`)).text();
  expect(metrics).toContain('caudal_operator_unseen_namespaces{kind="KafkaTopic"} 1');
  bad.heal();
  await eventually("its topic exists", async () => (await other.get(resources.kafkaTopic, "app-events")) !== undefined);
  await one.stop();
});
