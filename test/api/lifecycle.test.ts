import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pathOf, resources } from "../../operator/src/kube/object.ts";
import { eventually } from "./support/eventually.ts";
import { TestServer } from "./support/server.ts";
import { database, World } from "./support/world.ts";

let server: TestServer;
let world: World;
beforeAll(async () => {
  server = TestServer.shared();
});
afterAll(async () => await server.stop());
beforeEach(async () => {
  world = await World.create(server);
});
afterEach(async () => await world.stop());

/** A topic of somebody else's. */
async function foreignTopic(name: string, annotations: Record<string, string> = {}): Promise<void> {
  const metadata = { name, annotations, labels: { "strimzi.io/cluster": "platform" } };
  await world.create(
    { apiVersion: resources.kafkaTopic.apiVersion, kind: "KafkaTopic", metadata, spec: { partitions: 2 } },
    resources.kafkaTopic,
  );
}

describe("an object that is not ours", () => {
  test("is refused and left alone, and the rest goes on", async () => {
    await foreignTopic("app-events");
    await world.operator();
    await world.kafka();
    await world.apply("app-events");
    const condition = await world.expectCondition("app-events", "TopicsReady", "False", "NotOwned");
    expect(condition.message).toContain("set managed: false for it in spec.topics");
    expect(condition.message).toContain('annotate it with caudal.dev/adopt: "true"');
    expect((await world.need(resources.kafkaTopic, "app-events")).spec).toEqual({ partitions: 2 });
    expect(await world.get(resources.databaseCluster, "app-events-db")).toBeDefined();
  });

  test("is taken over when it is annotated, and retained also under Delete", async () => {
    await foreignTopic("app-events", { "caudal.dev/adopt": "true" });
    await world.operator();
    await world.kafka();
    await world.apply("app-events", (spec) => {
      spec.deletionPolicy = "Delete";
    });
    await eventually("it has our partitions", async () => {
      const { spec } = await world.need(resources.kafkaTopic, "app-events");
      return spec?.["partitions"] === 6;
    });
    await world.remove(resources.streamPipeline, "app-events");
    await eventually(
      "the pipeline is gone",
      async () => (await world.get(resources.streamPipeline, "app-events")) === undefined,
    );
    const topic = await world.need(resources.kafkaTopic, "app-events");
    expect(topic.metadata.annotations).toMatchObject({ "caudal.dev/adopted": "true", "strimzi.io/managed": "false" });
    expect(await world.get(resources.kafkaTopic, "app-events-metrics-dlq")).toBeUndefined();
  });

  test("of another pipeline is named in the refusal", async () => {
    await world.operator();
    await world.kafka();
    await world.apply("first");
    await eventually(
      "first has the topic",
      async () => (await world.get(resources.kafkaTopic, "app-events")) !== undefined,
    );
    await world.apply("second", (spec) => {
      for (const aggregator of spec.aggregators ?? []) aggregator.name = "other";
    });
    const condition = await world.expectCondition("second", "TopicsReady", "False", "NotOwned");
    expect(condition.message).toContain("belongs to the pipeline first");
    expect(condition.message).toContain("set managed: false for it in spec.topics");
    expect(condition.message).not.toMatch(/delete|adopt/);
    // As it says: the topic stays first's, and the second uses it.
    const before = await world.need(resources.kafkaTopic, "app-events");
    await world.apply("second", (spec) => {
      for (const aggregator of spec.aggregators ?? []) aggregator.name = "other";
      for (const topic of spec.topics) {
        topic.managed = false;
        for (const key of ["partitions", "replicas", "config"] as const) delete topic[key];
      }
    });
    await eventually(
      "nobody is refused",
      async () => (await world.condition("second", "TopicsReady"))?.reason !== "NotOwned",
    );
    const after = await world.need(resources.kafkaTopic, "app-events");
    expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  });
});

describe("deletion", () => {
  test("under Retain needs no operator, and keeps topics and database for the next pipeline of the name", async () => {
    const operator = await world.operator();
    await world.ready("app-events");
    const before = await world.need(resources.kafkaTopic, "app-events");
    expect((await world.pipeline("app-events")).metadata.finalizers).toBeUndefined();
    await operator.stop();
    await world.remove(resources.streamPipeline, "app-events");
    expect(await world.get(resources.streamPipeline, "app-events")).toBeUndefined();

    await world.operator({ identity: "operator-2" });
    await eventually("the topic is released", async () => {
      const { metadata } = await world.need(resources.kafkaTopic, "app-events");
      return (
        metadata.labels?.["caudal.dev/released"] === "true" && metadata.annotations?.["strimzi.io/managed"] === "false"
      );
    });
    const again = await world.apply("app-events");
    await eventually("the new pipeline has it", async () => {
      const { metadata } = await world.need(resources.kafkaTopic, "app-events");
      return (
        metadata.annotations?.["caudal.dev/owner"] === again.metadata.uid &&
        metadata.annotations["strimzi.io/managed"] === undefined &&
        metadata.labels?.["caudal.dev/released"] === undefined
      );
    });
    expect((await world.need(resources.kafkaTopic, "app-events")).metadata.uid).toBe(before.metadata.uid);
    await eventually("and the database", async () => {
      const { metadata } = await world.need(resources.databaseCluster, "app-events-db");
      return metadata.annotations?.["caudal.dev/owner"] === again.metadata.uid;
    });
  });

  test("under Delete takes stages, topics and database, and ends", async () => {
    await world.operator();
    await world.ready("app-events", (spec) => {
      spec.deletionPolicy = "Delete";
    });
    expect((await world.pipeline("app-events")).metadata.finalizers).toEqual(["caudal.dev/cleanup"]);
    for (const { metadata } of await world.list(resources.pod))
      await server.raw("DELETE", pathOf(resources.pod, world.namespace, metadata.name), { gracePeriodSeconds: 0 });
    await world.remove(resources.streamPipeline, "app-events");
    await eventually(
      "the pipeline is gone",
      async () => (await world.get(resources.streamPipeline, "app-events")) === undefined,
    );
    expect([...(await world.children()).keys()]).toEqual([]);
  });

  test("under Delete waits for the pods of its stages before it takes their topics", async () => {
    await world.operator();
    await world.ready("app-events", (spec) => {
      spec.deletionPolicy = "Delete";
    });
    await world.remove(resources.streamPipeline, "app-events");
    await eventually("the Deployments are gone", async () => (await world.list(resources.deployment)).length === 0);
    expect(await world.get(resources.kafkaTopic, "app-events")).toBeDefined();
    const { message } = await world.expectCondition("app-events", "Ready", "False", "Deleting");
    expect(message).toMatch(/2 pods still run, for which it waits up to \d+ s more/);
    await world.expectCondition("app-events", "WorkloadsReady", "False", "Draining");
    for (const { metadata } of await world.list(resources.pod))
      await server.raw("DELETE", pathOf(resources.pod, world.namespace, metadata.name), { gracePeriodSeconds: 0 });
    await eventually(
      "the pipeline is gone",
      async () => (await world.get(resources.streamPipeline, "app-events")) === undefined,
    );
    expect(await world.get(resources.kafkaTopic, "app-events")).toBeUndefined();
  });

  test("ends also when the Topic Operator is gone and its finalizer stays", async () => {
    await world.operator();
    await world.kafka();
    await world.apply("app-events", (spec) => {
      spec.deletionPolicy = "Delete";
    });
    await eventually(
      "the topic exists",
      async () => (await world.get(resources.kafkaTopic, "app-events")) !== undefined,
    );
    await world.patch(resources.kafkaTopic, "app-events", { metadata: { finalizers: ["strimzi.io/topic-operator"] } });
    await world.remove(resources.streamPipeline, "app-events");
    await eventually(
      "the pipeline is gone",
      async () => (await world.get(resources.streamPipeline, "app-events")) === undefined,
    );
    expect((await world.need(resources.kafkaTopic, "app-events")).metadata.deletionTimestamp).toBeDefined();
    await world.patch(resources.kafkaTopic, "app-events", { metadata: { finalizers: null } });
  });

  test("policy changed to Retain takes the finalizer off", async () => {
    await world.operator();
    await world.apply("app-events", (spec) => {
      spec.deletionPolicy = "Delete";
    });
    await eventually("it has one", async () => (await world.pipeline("app-events")).metadata.finalizers?.length === 1);
    await world.apply("app-events");
    await eventually("it has none", async () => (await world.pipeline("app-events")).metadata.finalizers === undefined);
  });
});

describe("secrets", () => {
  const hashes = async (): Promise<Record<string, string>> =>
    Object.fromEntries(
      (await world.list(resources.deployment)).map(({ metadata, spec }) => {
        const template = spec?.["template"] as { metadata: { annotations: Record<string, string> } };
        return [
          metadata.labels?.["caudal.dev/stage"] ?? "",
          template.metadata.annotations["caudal.dev/config-hash"] ?? "",
        ];
      }),
    );

  test("that change roll the stage that uses them, and no other", async () => {
    await world.operator();
    await world.ready("app-events");
    const before = await hashes();
    await world.patch(resources.secret, "app-events-db-app", { stringData: { password: "second" } });
    await eventually("the aggregator rolls", async () => (await hashes())["metrics"] !== before["metrics"]);
    expect((await hashes())["events"]).toBe(before["events"]);
  });

  test("roll nothing when a key changes that nobody uses", async () => {
    await world.operator();
    await world.ready("app-events");
    const before = await hashes();
    await world.patch(resources.secret, "app-events-db-app", { stringData: { "jdbc-uri": "other" } });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await hashes()).toEqual(before);
  });

  test("that are missing hold back the stage that needs them, and say so", async () => {
    await world.operator();
    await world.kafka();
    await world.apply("app-events");
    await eventually("the generator exists", async () => (await world.list(resources.deployment)).length === 1);
    await world.settle();
    const condition = await world.expectCondition("app-events", "DatabaseReady", "False", "SecretNotFound");
    expect(condition.message).toContain("Secret/app-events-db-app");
    await world.authority("app-events-db");
    await world.secret("app-events-db-app", { ...database(), password: "" });
    await eventually("the aggregator exists", async () => (await world.list(resources.deployment)).length === 2);
  });

  test("that vanish do not stop what runs", async () => {
    await world.operator();
    await world.ready("app-events");
    const before = await hashes();
    await world.remove(resources.secret, "app-events-db-app");
    await world.expectCondition("app-events", "DatabaseReady", "False", "SecretNotFound");
    expect(await hashes()).toEqual(before);
    await world.secret("app-events-db-app", database());
    await world.expectCondition("app-events", "DatabaseReady", "True");
    expect(await hashes()).toEqual(before);
  });
});

describe("a shared database", () => {
  test("gets a role, a database and a Secret that is made once", async () => {
    await world.operator();
    await world.kafka();
    await world.sharedCluster();
    await world.apply("app-events", (spec) => {
      spec.database = { clusterRef: { name: "shared" } };
    });
    await eventually("both stages exist", async () => (await world.list(resources.deployment)).length === 2);
    await world.settle();
    await world.expectCondition("app-events", "DatabaseReady", "True");
    const role = await world.need(resources.databaseRole, "app-events-db");
    expect(role.spec).toMatchObject({ name: "app_events", login: true, databaseRoleReclaimPolicy: "retain" });
    expect((await world.need(resources.database, "app-events-db")).spec).toMatchObject({
      name: "app_events",
      owner: "app_events",
      databaseReclaimPolicy: "retain",
    });
    const secret = await world.need(resources.secret, "app-events-database");
    expect(secret["type"]).toBe("kubernetes.io/basic-auth");
    expect(secret.metadata.ownerReferences).toMatchObject([{ kind: "DatabaseRole", uid: role.metadata.uid }]);
    expect(Object.keys(secret["data"] as object).sort()).toEqual(["dbname", "host", "password", "port", "username"]);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect((await world.need(resources.secret, "app-events-database")).metadata.resourceVersion).toBe(
      secret.metadata.resourceVersion,
    );
  });
});

test("a listener that authenticates brings a KafkaUser with the rights of its stages and nothing else", async () => {
  await world.operator();
  await world.kafka();
  await world.appSecret("app-events");
  await world.secret("platform-cluster-ca-cert", { "ca.crt": "pem" });
  await world.apply("app-events", (spec) => {
    spec.kafka = { clusterRef: { name: "platform", listener: "scram" } };
  });
  await eventually(
    "the user exists",
    async () => (await world.get(resources.kafkaUser, "app-events-kafka")) !== undefined,
  );
  const user = await world.need(resources.kafkaUser, "app-events-kafka");
  expect(user.spec).toMatchObject({ authentication: { type: "scram-sha-512" }, authorization: { type: "simple" } });
  await world.secret("app-events-kafka", { password: "secret" });
  await eventually("both stages exist", async () => (await world.list(resources.deployment)).length === 2);
  const [map] = await world.list(resources.configMap);
  const config = JSON.parse((map?.["data"] as Record<string, string>)["config.json"] ?? "{}") as { kafka: unknown };
  expect(config.kafka).toEqual({
    bootstrapServers: [`platform-kafka-bootstrap.${world.namespace}.svc:9093`],
    tls: { ca: "/etc/caudal-kafka-ca" },
    sasl: { mechanism: "scram-sha-512", username: "app-events-kafka", secret: "/etc/caudal/kafka-user" },
  });
});
