/** A namespace that is deleted, with the operator running and all that is in it going at once. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "./support/database.ts";
import { apply, get, kubectl, NAMESPACE, until, untilCondition } from "./support/kube.ts";

const ending = "caudal-ending";

/** What outlives the namespace: a topic, and a database with a login that may replicate. */
const outside = `
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: { name: ending, labels: { strimzi.io/cluster: platform } }
spec: { partitions: 1 }
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: { name: ending-dlq, labels: { strimzi.io/cluster: platform } }
spec: { partitions: 1 }
---
apiVersion: v1
kind: Secret
metadata: { name: ending }
type: kubernetes.io/basic-auth
stringData: { username: ending, password: ending-password, host: app-events-db-rw, port: "5432", dbname: ending }
---
apiVersion: postgresql.cnpg.io/v1
kind: DatabaseRole
metadata: { name: ending }
spec:
  cluster: { name: app-events-db }
  name: ending
  login: true
  replication: true
  passwordSecret: { name: ending }
  databaseRoleReclaimPolicy: delete
---
apiVersion: postgresql.cnpg.io/v1
kind: Database
metadata: { name: ending }
spec: { cluster: { name: app-events-db }, name: ending, owner: ending, databaseReclaimPolicy: delete }
`;

const inside = `
apiVersion: v1
kind: Namespace
metadata: { name: ${ending} }
---
apiVersion: v1
kind: Secret
metadata: { name: shop, namespace: ${ending} }
stringData:
  { host: app-events-db-rw.${NAMESPACE}.svc, port: "5432", dbname: ending, username: ending, password: ending-password, sslmode: require }
---
apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: leaves, namespace: ${ending} }
spec:
  kafka: { external: { bootstrapServers: "platform-kafka-bootstrap.${NAMESPACE}.svc:9092" } }
  topics:
    - { name: ending, managed: false, key: id, fields: [{ name: id, type: integer }] }
    - { name: ending-dlq, managed: false }
  sources:
    - name: things
      topic: ending
      deadLetterTopic: ending-dlq
      postgres: { connectionSecretRef: { name: shop }, table: public.things, mode: cdc }
`;

let database: Database;
const slots = async () =>
  await database.query("select slot_name from pg_replication_slots where database = current_database()");

beforeAll(async () => {
  await apply(outside);
  await until(
    "the database",
    180,
    async () => (await get("databases.postgresql.cnpg.io", "ending"))?.status?.["applied"],
  );
  for (const topic of ["ending", "ending-dlq"])
    await until("the topic", 60, async () => (await get("kafkatopic", topic))?.status?.["topicId"]);
  database = await openDatabase("app-events-db", "ending");
  await database.query("create table things (id int primary key)");
  await database.query("insert into things values (1)");
  await kubectl(["apply", "-f", "-"], inside);
});

afterAll(async () => {
  await database.close();
  await kubectl(["delete", "namespace", ending, "--ignore-not-found", "--timeout=180s"], undefined, 200_000);
  const left = ["databases.postgresql.cnpg.io/ending", "databaseroles.postgresql.cnpg.io/ending", "kafkatopic/ending"];
  for (const one of [...left, "kafkatopic/ending-dlq", "secret/ending"])
    await kubectl(["-n", NAMESPACE, "delete", one, "--timeout=60s"], undefined, 90_000);
});

describe("a namespace that is deleted", () => {
  it("takes slot and publication of its pipeline along, though the Secret may go first", async () => {
    await untilCondition("leaves", "Ready", "True", 240, undefined, ending);
    await until("the slot", 60, async () => (await slots()).length === 1);
    await kubectl(["delete", "namespace", ending, "--timeout=180s"], undefined, 200_000);
    expect(await slots()).toEqual([]);
    expect(await database.query("select pubname from pg_publication")).toEqual([]);
  });
});
