import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestNamespace, condition, until } from "./cluster.ts";
import { asAdmin, canLogIn, kafkaAt, send } from "./kafka-client.ts";
import type { Trust } from "./kafka-client.ts";

const broker = "strimzi.io/cluster=contract,strimzi.io/broker-role=true";
const finalizer = "strimzi.io/topic-operator";
/** Real operators pull images, and look at referenced secrets every two minutes only. */
const startSeconds = 600;
const periodSeconds = 200;

const topic = (name: string, rest: string, metadata = "") => `
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: ${name}, labels: {strimzi.io/cluster: contract}${metadata}}
spec: ${rest}`;
const user = (name: string, rest: string) => `
apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata: {name: ${name}, labels: {strimzi.io/cluster: contract}}
spec: ${rest}`;
const secret = (name: string, password: string) => `
apiVersion: v1
kind: Secret
metadata: {name: ${name}}
stringData: {password: "${password}"}`;

let namespace: TestNamespace;
let plain = 0;
let scram = 0;
let safe = 0;

const partitionsOf = async (name: string) =>
  asAdmin(kafkaAt(plain), async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    return topics[0]?.partitions.length;
  });
const topicNames = async () => asAdmin(kafkaAt(plain), (admin) => admin.listTopics());
const configOf = async (name: string, key: string) =>
  asAdmin(kafkaAt(plain), async (admin) => {
    const { resources } = await admin.describeConfigs({
      resources: [{ type: 2, name, configNames: [key] }],
      includeSynonyms: false,
    });
    return resources[0]?.configEntries[0]?.configValue;
  });

beforeAll(async () => {
  namespace = await TestNamespace.create("strimzi");
  await namespace.apply(topic("early", "{partitions: 2, replicas: 1}"));
  await namespace.apply(user("early-user", "{authentication: {type: scram-sha-512}}"));
  await namespace.apply(`
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: contract}
spec:
  kafka:
    listeners:
      - {name: plain, port: 9092, type: internal, tls: false}
      - {name: scram, port: 9093, type: internal, tls: false, authentication: {type: scram-sha-512}}
      - {name: safe, port: 9094, type: internal, tls: true, authentication: {type: scram-sha-512}}
    authorization: {type: simple, superUsers: [ANONYMOUS]}
    config:
      auto.create.topics.enable: false
      default.replication.factor: 1
      min.insync.replicas: 1
      offsets.topic.replication.factor: 1
      transaction.state.log.replication.factor: 1
      transaction.state.log.min.isr: 1
  entityOperator: {topicOperator: {}, userOperator: {}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: dual, labels: {strimzi.io/cluster: contract}}
spec:
  replicas: 1
  roles: [controller, broker]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi, kraftMetadata: shared, deleteClaim: true}]}
  resources: {requests: {cpu: 50m, memory: 512Mi}, limits: {memory: 1Gi}}`);
  await namespace.whenReady("Kafka", "contract", startSeconds);
  plain = await namespace.forward(broker, 9092);
  scram = await namespace.forward(broker, 9093);
  safe = await namespace.forward(broker, 9094);
});

afterAll(async () => {
  await namespace.remove(["KafkaTopic", "KafkaUser", "KafkaNodePool", "Kafka"]);
});

describe("a Kafka", () => {
  test("that is ready says where its listeners are, and which cluster it is", async () => {
    const kafka = await namespace.whenReady("Kafka", "contract");
    const host = `contract-kafka-bootstrap.${namespace.name}.svc`;
    expect(condition(kafka, "NotReady")).toBeUndefined();
    expect(kafka.status?.["listeners"]).toMatchObject([
      { name: "plain", bootstrapServers: `${host}:9092`, addresses: [{ host, port: 9092 }] },
      { name: "scram", bootstrapServers: `${host}:9093`, addresses: [{ host, port: 9093 }] },
      { name: "safe", bootstrapServers: `${host}:9094`, certificates: [expect.stringContaining("BEGIN CERTIFICATE")] },
    ]);
    const { clusterId } = await asAdmin(kafkaAt(plain), (admin) => admin.describeCluster());
    expect(kafka.status?.["clusterId"]).toBe(clusterId);
  });

  test("without a node pool is NotReady, by a condition that is True in place of Ready", async () => {
    await namespace.apply(`
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: poolless}
spec: {kafka: {listeners: [{name: plain, port: 9092, type: internal, tls: false}]}}`);
    const says = (object: Parameters<typeof condition>[0]) =>
      condition(object, "NotReady")?.reason === "InvalidConfigurationException";
    const kafka = await namespace.when("Kafka", "poolless", "NotReady", says);
    expect(condition(kafka, "NotReady")?.status).toBe("True");
    expect(condition(kafka, "Ready")).toBeUndefined();
    await namespace.delete("Kafka", "poolless");
    await namespace.whenGone("Kafka", "poolless");
  });
});

describe("a KafkaTopic", () => {
  test("made before its Kafka becomes ready afterwards, with its name, its id and a finalizer", async () => {
    const ready = await namespace.whenReady("KafkaTopic", "early");
    expect(ready.status).toMatchObject({ topicName: "early", topicId: expect.stringMatching(/^[\w-]{22}$/) });
    expect(ready.metadata.finalizers).toContain(finalizer);
    expect(await partitionsOf("early")).toBe(2);
  });

  test("of a Kafka that is not there gets no status", async () => {
    await namespace.apply(topic("marker", "{}"));
    await namespace.apply(topic("nowhere", "{}").replace("cluster: contract", "cluster: nowhere"));
    await namespace.whenReady("KafkaTopic", "marker");
    const nowhere = await namespace.get("KafkaTopic", "nowhere");
    expect(nowhere?.status).toBeUndefined();
    expect(nowhere?.metadata.finalizers).toBeUndefined();
  });

  test("may have a name of its own in Kafka", async () => {
    await namespace.apply(topic("slug", "{topicName: Events_of.2026}"));
    const ready = await namespace.whenReady("KafkaTopic", "slug");
    expect(ready.status?.["topicName"]).toBe("Events_of.2026");
    expect(await topicNames()).toContain("Events_of.2026");
  });

  test("grows, but fewer partitions are NotSupported and leave the topic as it is", async () => {
    await namespace.apply(topic("grows", "{partitions: 1}"));
    await namespace.whenReady("KafkaTopic", "grows");
    await namespace.apply(topic("grows", "{partitions: 4}"));
    await namespace.whenReady("KafkaTopic", "grows");
    await until("four partitions", async () => ((await partitionsOf("grows")) === 4 ? true : undefined));
    await namespace.apply(topic("grows", "{partitions: 3}"));
    const refused = await namespace.when("KafkaTopic", "grows", "refused", notSupported);
    expect(refused.status?.observedGeneration).toBe(refused.metadata.generation);
    expect(condition(refused, "Ready")?.status).toBe("False");
    expect(await partitionsOf("grows")).toBe(4);
    await namespace.apply(topic("grows", "{partitions: 4}"));
    await namespace.whenReady("KafkaTopic", "grows");
  });

  test("cannot change its topicName, which is NotSupported and keeps the old name in status", async () => {
    await namespace.apply(topic("renamed", "{topicName: before}"));
    await namespace.whenReady("KafkaTopic", "renamed");
    await namespace.apply(topic("renamed", "{topicName: after}"));
    const refused = await namespace.when("KafkaTopic", "renamed", "refused", notSupported);
    expect(refused.status?.["topicName"]).toBe("before");
    expect(await topicNames()).not.toContain("after");
    await namespace.apply(topic("renamed", "{topicName: before}"));
    await namespace.whenReady("KafkaTopic", "renamed");
  });

  test("cannot change its replication factor, which is NotSupported", async () => {
    await namespace.apply(topic("replicated", "{replicas: 1}"));
    await namespace.whenReady("KafkaTopic", "replicated");
    await namespace.apply(topic("replicated", "{replicas: 2}"));
    await namespace.when("KafkaTopic", "replicated", "refused", notSupported);
    await namespace.apply(topic("replicated", "{replicas: 1}"));
    await namespace.whenReady("KafkaTopic", "replicated");
  });

  test("sets, changes and takes back the topic's settings", async () => {
    await namespace.apply(topic("configured", "{config: {retention.ms: 60000, max.message.bytes: 2000000}}"));
    await namespace.whenReady("KafkaTopic", "configured");
    expect(await configOf("configured", "retention.ms")).toBe("60000");
    const standard = await configOf("early", "retention.ms");
    await namespace.apply(topic("configured", "{config: {max.message.bytes: 3000000}}"));
    await namespace.whenReady("KafkaTopic", "configured");
    expect(await configOf("configured", "max.message.bytes")).toBe("3000000");
    expect(await configOf("configured", "retention.ms")).toBe(standard);
  });

  test("with a setting that Kafka does not know is not ready, with reason KafkaError", async () => {
    await namespace.apply(topic("misspelt", '{config: {retention.mss: "1"}}'));
    const failed = await namespace.when(
      "KafkaTopic",
      "misspelt",
      "refused",
      (object) => condition(object, "Ready")?.status === "False",
    );
    expect(condition(failed, "Ready")).toMatchObject({
      reason: "KafkaError",
      message: expect.stringContaining("retention.mss"),
    });
  });

  test("that names another's topic is in ResourceConflict, and the older stays ready", async () => {
    await namespace.apply(topic("older", "{topicName: shared, partitions: 1}"));
    await namespace.whenReady("KafkaTopic", "older");
    const age = (await namespace.get("KafkaTopic", "older"))?.metadata.creationTimestamp ?? "";
    await until("the next second", () => Promise.resolve(Date.now() > Date.parse(age) + 2_000 ? true : undefined));
    await namespace.apply(topic("younger", "{topicName: shared, partitions: 5}"));
    const conflict = (object: Parameters<typeof condition>[0]) =>
      condition(object, "Ready")?.reason === "ResourceConflict";
    const younger = await namespace.when("KafkaTopic", "younger", "in conflict", conflict);
    expect(condition(younger, "Ready")?.status).toBe("False");
    await namespace.whenReady("KafkaTopic", "older");
    expect(await partitionsOf("shared")).toBe(1);
  });

  test("that is not managed is neither changed nor deleted, and says Unmanaged", async () => {
    await namespace.apply(topic("kept", "{partitions: 1}"));
    await namespace.whenReady("KafkaTopic", "kept");
    await namespace.apply(topic("kept", "{partitions: 3}", ', annotations: {strimzi.io/managed: "false"}'));
    const unmanaged = (object: Parameters<typeof condition>[0]) => condition(object, "Unmanaged")?.status === "True";
    const kept = await namespace.when("KafkaTopic", "kept", "unmanaged", unmanaged);
    expect(condition(kept, "Ready")).toBeUndefined();
    expect(await partitionsOf("kept")).toBe(1);
    await namespace.delete("KafkaTopic", "kept");
    await namespace.whenGone("KafkaTopic", "kept");
    expect(await topicNames()).toContain("kept");
  });

  test("takes its topic along when it goes, and made again has another id", async () => {
    await namespace.apply(topic("passing", "{}"));
    const first = await namespace.whenReady("KafkaTopic", "passing");
    await namespace.delete("KafkaTopic", "passing");
    await namespace.whenGone("KafkaTopic", "passing");
    expect(await topicNames()).not.toContain("passing");
    await namespace.apply(topic("passing", "{}"));
    const second = await namespace.whenReady("KafkaTopic", "passing");
    expect(second.status?.["topicId"]).not.toBe(first.status?.["topicId"]);
  });
});

describe("a KafkaUser", () => {
  test("made before its Kafka gets a secret of its name, with which one can log in", async () => {
    const ready = await namespace.whenReady("KafkaUser", "early-user", periodSeconds);
    expect(ready.status).toMatchObject({ username: "early-user", secret: "early-user" });
    const values = await namespace.secret("early-user");
    expect(Object.keys(values ?? {}).sort()).toEqual(["password", "sasl.jaas.config"]);
    expect(values?.["sasl.jaas.config"]).toContain(`username="early-user" password="${values?.["password"] ?? ""}";`);
    expect(await canLogIn(scram, "early-user", values?.["password"] ?? "")).toBe(true);
    expect(await canLogIn(scram, "early-user", "another")).toBe(false);
  });

  test("whose password's secret is missing is NotReady, and becomes ready when it is there", async () => {
    const spec =
      "{authentication: {type: scram-sha-512, password: {valueFrom: {secretKeyRef: {name: given, key: password}}}}}";
    await namespace.apply(user("given-user", spec));
    const waiting = (object: Parameters<typeof condition>[0]) => condition(object, "NotReady")?.status === "True";
    const object = await namespace.when("KafkaUser", "given-user", "NotReady", waiting);
    expect(condition(object, "Ready")).toBeUndefined();
    await namespace.apply(secret("given", "the-first-password"));
    await namespace.whenReady("KafkaUser", "given-user", periodSeconds);
    expect(await canLogIn(scram, "given-user", "the-first-password")).toBe(true);
  });

  test("logs in over TLS to a broker that the cluster's certificate vouches for, and to no other", async () => {
    const { password = "" } = (await namespace.secret("early-user")) ?? {};
    const ca = (await namespace.secret("contract-cluster-ca-cert"))?.["ca.crt"] ?? "";
    const servername = `contract-kafka-bootstrap.${namespace.name}.svc`;
    const names = async (trust: Trust) =>
      asAdmin(kafkaAt(safe, { username: "early-user", password }, trust), (admin) => admin.listTopics());
    expect(await names({ ca, servername })).toEqual([]);
    await expect(names({ ca, servername: "somebody.else" })).rejects.toThrow();
    await expect(names({ ca: "", servername })).rejects.toThrow();
  });

  test("takes over a password that is changed in its secret", async () => {
    await namespace.apply(secret("given", "the-second-password"));
    const taken = async () => ((await canLogIn(scram, "given-user", "the-second-password")) ? true : undefined);
    await until("the new password accepted", taken, periodSeconds);
    expect(await canLogIn(scram, "given-user", "the-first-password")).toBe(false);
    expect((await namespace.secret("given-user"))?.["password"]).toBe("the-second-password");
  });

  test("gets a new password when its secret is deleted", async () => {
    const before = (await namespace.secret("early-user"))?.["password"] ?? "";
    await namespace.delete("Secret", "early-user");
    const after = await until("a new secret", async () => {
      const now = (await namespace.secret("early-user"))?.["password"];
      return now === before ? undefined : now;
    });
    await until("the new password accepted", async () =>
      (await canLogIn(scram, "early-user", after)) ? true : undefined,
    );
    expect(await canLogIn(scram, "early-user", before)).toBe(false);
  });

  test("may do what its ACLs say and no more", async () => {
    const acls = "[{resource: {type: topic, name: early}, operations: [Write, Describe]}]";
    await namespace.apply(
      user("writer", `{authentication: {type: scram-sha-512}, authorization: {type: simple, acls: ${acls}}}`),
    );
    await namespace.whenReady("KafkaUser", "writer", periodSeconds);
    const password = (await namespace.secret("writer"))?.["password"] ?? "";
    const kafka = kafkaAt(scram, { username: "writer", password });
    await until("a record accepted", () => send(kafka, "early", "allowed").then(() => true));
    await expect(send(kafka, "marker", "refused")).rejects.toThrow();
    await namespace.apply(user("writer", "{authentication: {type: scram-sha-512}}"));
    await until("a record refused", async () =>
      send(kafka, "early", "too late").then(
        () => undefined,
        () => true as const,
      ),
    );
  });

  test("takes its secret and its login along when it goes", async () => {
    const password = (await namespace.secret("writer"))?.["password"] ?? "";
    await namespace.delete("KafkaUser", "writer");
    await namespace.whenGone("KafkaUser", "writer");
    await namespace.whenGone("Secret", "writer");
    const refused = async () => ((await canLogIn(scram, "writer", password)) ? undefined : true);
    await until("the login refused", refused, periodSeconds);
  });
});

describe("an authority that is replaced", () => {
  const trusted = async () => (await namespace.secret("contract-cluster-ca-cert")) ?? {};
  const host = () => `contract-kafka-bootstrap.${namespace.name}.svc`;
  /** Whether the broker shows a certificate that an authority has signed. */
  const vouches = async (ca: string): Promise<boolean> => {
    const { password = "" } = (await namespace.secret("early-user")) ?? {};
    const kafka = kafkaAt(safe, { username: "early-user", password }, { ca, servername: host() });
    return asAdmin(kafka, (admin) => admin.listTopics()).then(
      () => true,
      () => false,
    );
  };

  test(
    "stays in its Secret by the day on which it would end, until brokers show what the new one has signed",
    async () => {
      const before = (await trusted())["ca.crt"] ?? "";
      expect(Object.keys(await trusted()).filter((name) => name.endsWith(".crt"))).toEqual(["ca.crt"]);
      const key = await namespace.get("Secret", "contract-cluster-ca");
      if (key === undefined) throw new TypeError("the authority's key has no Secret");
      await namespace.client.merge(key, { metadata: { annotations: { "strimzi.io/force-replace": "true" } } });
      const both = await until(
        "a new authority beside the old one",
        async () => {
          const now = await trusted();
          return now["ca.crt"] === before ? undefined : now;
        },
        startSeconds,
      );
      const old = Object.keys(both).filter((name) => /^ca-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.crt$/.test(name));
      expect(old.map((name) => both[name])).toEqual([before]);
      await until(
        "a broker that the new one vouches for",
        async () => ((await vouches(both["ca.crt"] ?? "")) ? true : undefined),
        startSeconds,
      );
      expect(await vouches(before)).toBe(false);
      const alone = async () =>
        Object.keys(await trusted()).filter((name) => name.endsWith(".crt")).length === 1 ? true : undefined;
      await until("the old one trusted no more", alone, startSeconds);
      await namespace.whenReady("Kafka", "contract", startSeconds);
    },
    3_000 * startSeconds,
  );
});

describe("a broker that is restarted", () => {
  test("has its topics, records and users again, under the same address", async () => {
    await send(kafkaAt(plain), "early", "before the restart");
    const offsets = async () => asAdmin(kafkaAt(plain), (admin) => admin.fetchTopicOffsets("early"));
    const before = await offsets();
    const password = (await namespace.secret("early-user"))?.["password"] ?? "";
    await namespace.restart(broker);
    const after = await until("offsets read again", offsets);
    expect(after.map(({ high }) => high).sort()).toEqual(before.map(({ high }) => high).sort());
    // For a second or so a restarted broker refuses passwords that it has yet to read from its log.
    await until("a login", async () => ((await canLogIn(scram, "early-user", password)) ? true : undefined));
    await namespace.whenReady("Kafka", "contract", startSeconds);
    await namespace.whenReady("KafkaTopic", "early");
    await until("a record accepted", () => send(kafkaAt(plain), "early", "after the restart").then(() => true));
  });
});

function notSupported(object: Parameters<typeof condition>[0]): boolean {
  return condition(object, "Ready")?.reason === "NotSupported";
}
