import { expect, test } from "vitest";
import { givenPipeline } from "@caudal/pipeline/testing";
import { givenKafka } from "../testing/given.ts";
import { kafkaAccessOf } from "@caudal/pipeline";
import { buildKafkaUser } from "./kafka-user.ts";

const scram = { listeners: [{ name: "scram", port: 9093, tls: true, authentication: { type: "scram-sha-512" } }] };
const pipeline = givenPipeline((spec) => (spec.kafka = { clusterRef: { name: "platform", listener: "scram" } }));

test("a listener without authentication needs no user", () => {
  const plain = givenPipeline();
  expect(buildKafkaUser(plain, kafkaAccessOf(plain, givenKafka()))).toEqual([]);
});

test("without authorization the user has no ACLs", () => {
  const [user] = buildKafkaUser(pipeline, kafkaAccessOf(pipeline, givenKafka(scram)));
  expect(user?.spec).toEqual({ authentication: { type: "scram-sha-512" } });
});

test("with simple authorization it may do what its stages do: no topic or group of others", () => {
  const [user] = buildKafkaUser(
    pipeline,
    kafkaAccessOf(pipeline, givenKafka({ ...scram, authorization: { type: "simple" } })),
  );
  const { acls } = (user?.spec?.["authorization"] ?? {}) as {
    acls: { resource: { type: string; name: string }; operations: string[] }[];
  };
  expect(acls.map(({ resource, operations }) => `${resource.type} ${resource.name} ${operations.join()}`)).toEqual([
    "topic app-events Describe,Read,Write",
    "topic app-events-metrics-dlq Describe,Write",
    "group caudal.ns.app-events. Describe,Read",
    "transactionalId caudal.ns.app-events. Describe,Write",
  ]);
});

test("it may write final rows to their topics", () => {
  const emitting = givenPipeline((spec) => {
    spec.kafka = { clusterRef: { name: "platform", listener: "scram" } };
    spec.topics.push({ name: "finals", managed: true });
    const [table] = spec.aggregators?.[0]?.tables ?? [];
    if (table !== undefined) table.emit = { final: { topic: "finals", revisions: true } };
  });
  const access = kafkaAccessOf(emitting, givenKafka({ ...scram, authorization: { type: "simple" } }));
  const [user] = buildKafkaUser(emitting, access);
  const { acls } = user?.spec?.["authorization"] as { acls: { resource: { name: string }; operations: string[] }[] };
  expect(acls.find(({ resource }) => resource.name === "finals")?.operations).toEqual(["Describe", "Read", "Write"]);
});

test("the user goes with its pipeline", () => {
  const [user] = buildKafkaUser(pipeline, kafkaAccessOf(pipeline, givenKafka(scram)));
  expect(user?.metadata.name).toBe("app-events-kafka");
  expect(user?.metadata.ownerReferences).toMatchObject([{ uid: "u1", controller: true }]);
});
