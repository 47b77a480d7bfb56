import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { aclsOf, diffAcls } from "./acls.ts";
import { serverProperties } from "./broker-config.ts";
import { buildKafka, buildUserSecret, listenerStatus } from "./build.ts";
import type { Kafka, KafkaNodePool, KafkaUser } from "./types.ts";
import { refusals, userRefusal } from "./validate.ts";

const kafka = (more = ""): Kafka =>
  parse(`
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: platform, namespace: n, uid: u}
spec:
  kafka:
    listeners:
    - {name: plain, port: 9092, type: internal, tls: false}
    - {name: scram, port: 9093, type: internal, tls: false, authentication: {type: scram-sha-512}}
    config: {num.partitions: 2}
    authorization: {type: simple, superUsers: [boss]}
${more}  entityOperator: {topicOperator: {}, userOperator: {resources: {}}}
`) as Kafka;

const pool = (spec: object = {}): KafkaNodePool => ({
  apiVersion: "kafka.strimzi.io/v1",
  kind: "KafkaNodePool",
  metadata: { name: "dual", namespace: "n", labels: { "strimzi.io/cluster": "platform" } },
  spec: {
    replicas: 1,
    roles: ["controller", "broker"],
    storage: { type: "jbod", volumes: [{ type: "persistent-claim", id: 0, size: "2Gi", deleteClaim: true }] },
    ...spec,
  },
});

describe("what is refused", () => {
  test.each([
    ["a field that is not honoured", kafka("    rack: {topologyKey: zone}\n"), pool(), "spec.kafka.rack"],
    ["another version", kafka("    version: 4.2.0\n"), pool(), "spec.kafka.version 4.2.0 (only 4.3.1)"],
    ["more brokers", kafka(), pool({ replicas: 3 }), "KafkaNodePool/dual.spec.replicas 3"],
    ["brokers without controllers", kafka(), pool({ roles: ["broker"] }), "KafkaNodePool/dual.spec.roles"],
    [
      "two volumes",
      kafka(),
      pool({ storage: { type: "jbod", volumes: [{ type: "ephemeral" }, { type: "ephemeral" }] } }),
      "volumes",
    ],
  ])("%s", (_, one, its, words) => {
    expect(refusals(one, [its])).toEqual([expect.stringContaining(words)]);
  });

  test.each([
    ["the world outside", { name: "out", port: 9094, type: "nodeport", tls: false }, "nodeport"],
    [
      "certificates",
      { name: "tls", port: 9094, type: "internal", tls: false, authentication: { type: "tls" } },
      "type tls",
    ],
  ])("listeners for %s", (_, listener, words) => {
    const spec = { kafka: { listeners: [listener] } };
    expect(refusals({ ...kafka(), spec }, [pool()])).toEqual([expect.stringContaining(words)]);
  });

  test("settings that are the cluster's own make-up", () => {
    const spec = { kafka: { listeners: [], config: { "log.dirs": "/tmp", "log.retention.ms": 5 } } };
    expect(refusals({ ...kafka(), spec }, [pool()])).toEqual([
      expect.stringContaining('spec.kafka.config["log.dirs"];'),
    ]);
  });

  test("nothing of a Kafka that can run", () => {
    expect(refusals(kafka(), [pool()])).toEqual([]);
  });

  test("users with certificates, and ACLs where nobody authorizes", () => {
    const user = (spec: KafkaUser["spec"]): KafkaUser =>
      ({ ...pool(), kind: "KafkaUser", spec: spec ?? {} }) as KafkaUser;
    expect(userRefusal(user({ authentication: { type: "tls" } }), true)).toContain("type tls");
    expect(userRefusal(user({ authorization: { type: "simple", acls: [] } }), false)).toContain(
      "spec.kafka.authorization",
    );
    expect(userRefusal(user({ authentication: { type: "scram-sha-512", password: {} } }), true)).toContain(
      "name and key",
    );
    expect(userRefusal(user({ authentication: { type: "scram-sha-512" } }), false)).toBeUndefined();
  });
});

test("the broker has the listeners that are asked for, the honoured settings, and an entrance for the stand-in", () => {
  const lines = serverProperties(kafka(), "host").split("\n");
  expect(lines).toContain(
    "listeners=PLAIN-9092://0.0.0.0:9092,SCRAM-9093://0.0.0.0:9093,ADMIN://0.0.0.0:9091,CONTROLLER://localhost:9090",
  );
  expect(lines).toContain("advertised.listeners=PLAIN-9092://host:9092,SCRAM-9093://host:9093,ADMIN://host:9091");
  expect(lines).toContain("num.partitions=2");
  expect(lines).toContain("super.users=User:stand-in;User:boss");
  expect(lines.join("\n")).not.toMatch(/password="(?!\$\{env:)/);
});

test("a listener with TLS shows what the authority has signed, and another authority rolls the pod", () => {
  const listener = { name: "safe", port: 9094, type: "internal", tls: true, authentication: { type: "scram-sha-512" } };
  const own = { ...kafka(), spec: { kafka: { listeners: [listener] } } };
  const properties = serverProperties(own, "host");
  expect(properties).toContain("SAFE-9094:SASL_SSL");
  expect(properties).toContain("listener.name.safe-9094.ssl.keystore.location=/etc/stand-in-server/keystore.pem");
  const set = (authority: number) => buildKafka(own, pool(), () => "sum", authority).at(-1);
  expect(JSON.stringify(set(0))).toContain('"secretName":"platform-kafka-stand-in-server"');
  expect(set(1)).not.toEqual(set(0));
  expect(listenerStatus(own, "PEM")[0]?.certificates).toEqual(["PEM"]);
});

test("a volume claim keeps the broker's data, and the pod rolls when its configuration changes", () => {
  const set = (one: Kafka) => buildKafka(one, pool(), (text) => String(text.length), 0).at(-1);
  expect(set(kafka())).toMatchObject({
    kind: "StatefulSet",
    metadata: { name: "platform-dual", ownerReferences: [{ uid: "u" }] },
    spec: {
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete" },
      volumeClaimTemplates: [{ metadata: { name: "data-0" }, spec: { resources: { requests: { storage: "2Gi" } } } }],
    },
  });
  const before = set(kafka());
  const after = set(kafka("    jvmOptions: {}\n"));
  expect(after).toEqual(before);
  const changed = { ...kafka(), spec: { kafka: { listeners: [], config: { "num.partitions": 3 } } } };
  expect(set(changed)).not.toEqual(before);
});

test("the status says where the listeners are", () => {
  expect(listenerStatus(kafka(), "PEM")[1]).toEqual({
    name: "scram",
    bootstrapServers: "platform-kafka-bootstrap.n.svc:9093",
    addresses: [{ host: "platform-kafka-bootstrap.n.svc", port: 9093 }],
  });
});

const user: KafkaUser = {
  apiVersion: "kafka.strimzi.io/v1",
  kind: "KafkaUser",
  metadata: { name: "reader", namespace: "n", uid: "u", labels: { "strimzi.io/cluster": "platform" } },
  spec: {
    authorization: {
      type: "simple",
      acls: [
        { resource: { type: "topic", name: "app-", patternType: "prefix" }, operations: ["Read", "Describe"] },
        { resource: { type: "cluster" }, operations: ["IdempotentWrite"], type: "deny", host: "10.0.0.1" },
      ],
    },
  },
};

test("each operation of an ACL is a rule of its own", () => {
  const rules = aclsOf(user);
  const shared = { principal: "User:reader", resourceType: 2, resourceName: "app-", resourcePatternType: 4, host: "*" };
  expect(rules).toEqual([
    { ...shared, operation: 3, permissionType: 3 },
    { ...shared, operation: 8, permissionType: 3 },
    {
      principal: "User:reader",
      resourceType: 4,
      resourceName: "kafka-cluster",
      resourcePatternType: 3,
      host: "10.0.0.1",
      operation: 12,
      permissionType: 2,
    },
  ]);
  expect(diffAcls(rules, rules)).toEqual({ create: [], remove: [] });
  expect(diffAcls(rules.slice(1), rules.slice(0, 2))).toEqual({ create: rules.slice(2), remove: rules.slice(0, 1) });
});

test("a user's secret holds the password and the line for Java clients", () => {
  const { data } = buildUserSecret(user, "pw") as unknown as { data: Record<string, string> };
  expect(Object.keys(data).sort()).toEqual(["password", "sasl.jaas.config"]);
  expect(Buffer.from(data["sasl.jaas.config"] ?? "", "base64").toString()).toContain(
    'username="reader" password="pw";',
  );
});
