/** Operators of Kafka and PostgreSQL that take their time, and an authority that is replaced: in a namespace of its own. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { apply, get, kubectl, list, type Pipeline, until, untilCondition } from "./support/kube.ts";

const namespace = "caudal-slow";
const delaySeconds = 15;

const platform = `
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: { name: slow, annotations: { caudal.dev/stand-in-delay-seconds: "${delaySeconds}" } }
spec:
  kafka:
    listeners: [{ name: safe, port: 9094, type: internal, tls: true, authentication: { type: scram-sha-512 } }]
    authorization: { type: simple }
    config: { default.replication.factor: 1, min.insync.replicas: 1, offsets.topic.replication.factor: 1,
      transaction.state.log.replication.factor: 1, transaction.state.log.min.isr: 1 }
    jvmOptions: { "-Xmx": 256m }
  entityOperator: { topicOperator: {}, userOperator: {} }
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: { name: one, labels: { strimzi.io/cluster: slow } }
spec:
  replicas: 1
  roles: [controller, broker]
  storage: { type: jbod, volumes: [{ id: 0, type: persistent-claim, size: 1Gi, kraftMetadata: shared, deleteClaim: true }] }
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: { name: shared, annotations: { caudal.dev/stand-in-delay-seconds: "${delaySeconds}" } }
spec: { instances: 1, storage: { size: 1Gi } }
`;

const pipeline = `
apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: patient }
spec:
  deletionPolicy: Delete
  kafka: { clusterRef: { name: slow, listener: safe } }
  database: { clusterRef: { name: shared } }
  topics: [{ name: events, partitions: 2, timestamp: at, fields: [{ name: at, type: timestamp }] }]
  generators: [{ name: events, topic: events, rate: 20 }]
  aggregators:
    - name: counts
      topic: events
      tables: [{ name: minutes, window: { tumbling: { size: 1m } }, aggregates: ["count(*) as count"] }]
`;

interface Pod {
  metadata: { uid: string };
  status?: { containerStatuses?: { restartCount: number }[] };
}
const pods = async () =>
  (await list<Pod>("pods", "caudal.dev/pipeline=patient", namespace)).map(({ metadata }) => metadata.uid).sort();
const restarts = async () =>
  (await list<Pod>("pods", "caudal.dev/pipeline=patient", namespace)).flatMap(({ status }) =>
    (status?.containerStatuses ?? []).map(({ restartCount }) => restartCount),
  );
const counted = async () => {
  const sql = "select coalesce(sum(count), 0) from minutes";
  const psql = ["exec", "shared-1", "-c", "postgres", "--", "psql", "-qAt", "patient", "-c", sql];
  return Number(await kubectl(["-n", namespace, ...psql]));
};
const trusted = async () => {
  const secret = await get<{ data: Record<string, string> }>("secret", "slow-cluster-ca-cert", namespace);
  return Object.keys(secret?.data ?? {}).filter((name) => name.endsWith(".crt"));
};

beforeAll(async () => {
  await kubectl(["create", "namespace", namespace]);
  await apply(platform, namespace);
  await apply(pipeline, namespace);
});

afterAll(async () => {
  // Topics before their Kafka, as Strimzi wants it.
  const pipelines = ["delete", "streampipeline", "patient", "--ignore-not-found", "--timeout=180s"];
  await kubectl(["-n", namespace, ...pipelines], undefined, 200_000);
  await until(
    "no topic",
    120,
    async () => (await list("kafkatopics", "strimzi.io/cluster=slow", namespace)).length === 0,
  );
  await kubectl(["delete", "namespace", namespace, "--timeout=180s"], undefined, 200_000);
});

it("a user and a database that come late are waited for, and nothing is started twice", async () => {
  const told = new Set<string>();
  await until("the pipeline to be ready", 300, async () => {
    const conditions = (await get<Pipeline>("streampipeline", "patient", namespace))?.status?.conditions ?? [];
    for (const { type, status, message } of conditions) if (status !== "True") told.add(`${type}: ${message}`);
    return conditions.some(({ type, status }) => type === "Ready" && status === "True");
  });
  expect([...told].join("\n")).toMatch(/TopicsReady: .*KafkaUser\/patient/);
  expect([...told].join("\n")).toMatch(/DatabaseReady: .*Database(Role)?\/patient-db/);
  await until("rows", 120, async () => (await counted()) > 0);
  expect(await pods()).toHaveLength(2);
  expect(await restarts()).toEqual([0, 0]);
});

it("an authority that is replaced stops nothing: the same pods go on", async () => {
  const before = await pods();
  expect(await trusted()).toEqual(["ca.crt"]);
  const force = ["annotate", "secret", "slow-cluster-ca", "strimzi.io/force-replace=true"];
  await kubectl(["-n", namespace, ...force]);
  await until("the old authority beside the new one", 120, async () => (await trusted()).length === 2);
  await until("the new authority alone", 240, async () => (await trusted()).length === 1);
  const counts = await counted();
  await until("more events", 120, async () => (await counted()) > counts);
  await untilCondition("patient", "Ready", "True", 60, undefined, namespace);
  expect(await pods()).toEqual(before);
  expect(await restarts()).toEqual([0, 0]);
});
