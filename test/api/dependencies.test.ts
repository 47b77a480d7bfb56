import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { resources } from "../../operator/src/kube/object.ts";
import { eventually } from "./support/eventually.ts";
import { definitions, TestServer } from "./support/server.ts";
import { World } from "./support/world.ts";

const dependencies = [definitions.strimzi, definitions.cloudNativePg, definitions.podMonitors];
let server: TestServer;
let world: World;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(async () => await server.stop());
beforeEach(async () => {
  world = await World.create(server);
});
afterEach(async () => {
  await world.stop();
  for (const file of dependencies) await server.undefine(file);
});

test("Strimzi and CloudNativePG that are not installed are conditions, and are noticed when they arrive", async () => {
  await world.operator();
  await world.apply("app-events");
  const topics = await world.expectCondition("app-events", "TopicsReady", "False", "StrimziNotInstalled");
  expect(topics.message).toContain("install Strimzi 1.0 or newer");
  await world.expectCondition("app-events", "DatabaseReady", "False", "CloudNativePGNotInstalled");
  await world.expectCondition("app-events", "Ready", "False", "StrimziNotInstalled");

  await server.define(definitions.strimzi);
  await world.expectCondition("app-events", "TopicsReady", "False", "KafkaNotFound");
  await server.define(definitions.cloudNativePg);
  await server.define(definitions.podMonitors);
  await eventually(
    "the Cluster exists",
    async () => (await world.get(resources.databaseCluster, "app-events-db")) !== undefined,
  );
  await world.ready("app-events");
  await eventually("PodMonitors exist", async () => (await world.list(resources.podMonitor)).length === 3);
});

test("a dependency that is taken away is a condition again, and a deletion still ends", async () => {
  await server.define(definitions.strimzi);
  await server.define(definitions.cloudNativePg);
  await world.operator();
  await world.ready("app-events", (spec) => {
    spec.deletionPolicy = "Delete";
  });
  await server.undefine(definitions.strimzi);
  await world.expectCondition("app-events", "TopicsReady", "False", "StrimziNotInstalled");
  expect(await world.list(resources.deployment)).toHaveLength(2);
  await server.undefine(definitions.cloudNativePg);
  await world.expectCondition("app-events", "DatabaseReady", "False", "CloudNativePGNotInstalled");
  for (const { metadata } of await world.list(resources.pod))
    await server.raw("DELETE", `/api/v1/namespaces/${world.namespace}/pods/${metadata.name}`, {
      gracePeriodSeconds: 0,
    });
  await world.remove(resources.streamPipeline, "app-events");
  await eventually(
    "the pipeline is gone",
    async () => (await world.get(resources.streamPipeline, "app-events")) === undefined,
  );
});

test("without the StreamPipeline's own definition the operator waits for it", async () => {
  await server.undefine(definitions.caudal);
  await eventually(
    "it is gone",
    async () => (await server.client.discover("caudal.dev/v1alpha1"))?.has("streampipelines") !== true,
  );
  const operator = await world.operator();
  expect((await fetch(`http://127.0.0.1:${operator.port}/livez`)).status).toBe(200);
  await server.define(definitions.caudal);
  await world.apply("app-events");
  await world.expectCondition("app-events", "Ready", "False", "StrimziNotInstalled");
});
