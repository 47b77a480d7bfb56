/** Everything that the operator writes for Strimzi and CloudNativePG, against their real schemas where these are at hand. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeObject, resources } from "../../operator/src/kube/object.ts";
import { eventually } from "./support/eventually.ts";
import { TestServer } from "./support/server.ts";
import { World } from "./support/world.ts";

const folder = process.env["VENDOR_CRDS"];
if (folder === undefined)
  console.log("VENDOR_CRDS is not set: the check against the real CRDs of Strimzi and CloudNativePG is left out");

const vendors = [
  resources.kafkaTopic,
  resources.kafkaUser,
  resources.databaseCluster,
  resources.databaseRole,
  resources.database,
];

describe.skipIf(folder === undefined)("on the real definitions of Strimzi and CloudNativePG", () => {
  let server: TestServer;
  let world: World;
  beforeAll(async () => {
    const files = readdirSync(folder ?? "").filter((name) => name.endsWith(".yaml"));
    server = await TestServer.start(...files.map((name) => join(folder ?? "", name)));
    world = await World.create(server);
    await world.operator();
    await world.kafka();
  });
  afterAll(async () => {
    await world.stop();
    await server.stop();
  });

  /** Strict: a field that the schema does not have is an error. */
  async function dryRun(object: KubeObject): Promise<void> {
    const { resourceVersion: _version, uid: _uid, ...metadata } = object.metadata;
    const { managedFields: _fields, ...kept } = metadata as typeof metadata & { managedFields?: unknown };
    const { status: _status, ...rest } = object;
    const kind = vendors.find(({ kind: name }) => name === object.kind);
    await server.send(
      "PATCH",
      `/apis/${object.apiVersion}/namespaces/${world.namespace}/${kind?.plural ?? ""}/${metadata.name}`,
      { ...rest, metadata: { ...kept, generation: undefined, creationTimestamp: undefined } },
      {
        contentType: "application/apply-patch+yaml",
        query: { fieldManager: "dry-run", force: "true", dryRun: "All", fieldValidation: "Strict" },
      },
    );
  }

  const variants: [string, Parameters<World["apply"]>[1], string[]][] = [
    ["own-cluster", () => undefined, ["KafkaTopic", "KafkaTopic", "Cluster"]],
    [
      "with-everything",
      (spec) => {
        spec.kafka = { clusterRef: { name: "platform", listener: "scram" } };
        spec.deletionPolicy = "Delete";
        spec.topics = spec.topics.map((topic) => ({ ...topic, name: "Everything_Else", replicas: 1 }));
        for (const stage of [...(spec.generators ?? []), ...(spec.aggregators ?? [])]) stage.topic = "Everything_Else";
        for (const stage of spec.aggregators ?? []) stage.deadLetterTopic = "everything-dlq";
        spec.database = {
          cluster: {
            instances: 3,
            storage: { size: "1Gi", storageClass: "fast" },
            imageName: "postgres:17",
            resources: { requests: { cpu: 1, memory: "1Gi" } },
            synchronous: { method: "any", number: 1 },
          },
        };
      },
      ["KafkaTopic", "KafkaTopic", "KafkaUser", "Cluster"],
    ],
    [
      "shared-cluster",
      (spec) => {
        spec.topics = spec.topics.map((topic) => ({ ...topic, name: "shared-events" }));
        for (const stage of [...(spec.generators ?? []), ...(spec.aggregators ?? [])]) stage.topic = "shared-events";
        for (const stage of spec.aggregators ?? []) stage.deadLetterTopic = "shared-dlq";
        spec.database = { clusterRef: { name: "own-cluster-db" } };
      },
      ["KafkaTopic", "KafkaTopic", "DatabaseRole", "Database"],
    ],
  ];

  test.each(variants)("%s is accepted without an unknown field, and not written twice", async (name, change, kinds) => {
    await world.apply(name, change);
    const mine = async () =>
      (await Promise.all(vendors.map((resource) => world.list(resource))))
        .flat()
        .filter(({ metadata }) => metadata.labels?.["caudal.dev/pipeline"] === name);
    await eventually("all are written", async () => (await mine()).length === kinds.length);
    const objects = await mine();
    expect(objects.map(({ kind }) => kind)).toEqual(kinds);
    for (const object of objects) await dryRun(object);
    const versions = () => mine().then((all) => all.map(({ metadata }) => metadata.resourceVersion));
    const before = await versions();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await versions()).toEqual(before);
  });
});
