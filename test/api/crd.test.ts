import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { withDefaults } from "@caudal/crds";
import { pathOf, resources } from "../../operator/src/kube/object.ts";
import { TestServer } from "./support/server.ts";
import { World } from "./support/world.ts";

let server: TestServer;
let world: World;
beforeAll(async () => {
  server = TestServer.shared();
  world = await World.create(server);
});
afterAll(async () => await server.stop());

const crdPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/streampipelines.caudal.dev";

test("the generated definition is structural, within the budget of its rules, and established", async () => {
  const crd = await server.send("GET", crdPath);
  const conditions = (crd.status?.["conditions"] ?? []) as { type: string; status: string; message: string }[];
  expect(conditions.filter(({ status }) => status !== "True")).toEqual([]);
  expect(conditions.map(({ type }) => type).sort()).toEqual(["Established", "NamesAccepted"]);
});

test("the API server fills in the same defaults as withDefaults does for files", async () => {
  const pipeline = await world.apply("app-events");
  const file = readFileSync(join(import.meta.dirname, "../../examples/app-events/pipeline.yaml"), "utf8");
  expect(pipeline.spec).toEqual(withDefaults(parse(file) as typeof pipeline).spec);
});

test("kubectl get shows Ready, Healthy, stages, lag and age", async () => {
  await world.apply("columns");
  const conditions = ["Ready", "Healthy"].map((type) => ({
    type,
    status: "True",
    reason: "Fine",
    message: "all is well",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  }));
  const status = { conditions, stagesReady: "2/2", lag: "<1k", observedGeneration: 1 };
  await world.patch(resources.streamPipeline, "columns", { status }, "status");
  const { body } = await tableOf("columns");
  const columns = (body["columnDefinitions"] as { name: string; priority: number }[]).map(({ name }) => name);
  expect(columns).toEqual(["Name", "Ready", "Healthy", "Stages", "Lag", "Age", "Reason", "Message"]);
  const [row] = body["rows"] as { cells: unknown[] }[];
  expect(row?.cells.slice(0, 5)).toEqual(["columns", "True", "True", "2/2", "<1k"]);
  expect(row?.cells.slice(6)).toEqual(["Fine", "all is well"]);
});

test("status is a subresource: a change of it is no new generation, and a spec's change does not touch it", async () => {
  await world.apply("status");
  const patched = await world.patch(resources.streamPipeline, "status", { status: { stagesReady: "0/2" } }, "status");
  expect(patched.metadata.generation).toBe(1);
  const changed = await world.patch(resources.streamPipeline, "status", {
    spec: { suspend: true },
    status: { stagesReady: "9/9" },
  });
  expect(changed.metadata.generation).toBe(2);
  expect(changed.status?.["stagesReady"]).toBe("0/2");
});

test("partitions may grow, and a topic may be left out and come back", async () => {
  await world.apply("growing");
  await world.apply("growing", (spec) => {
    for (const topic of spec.topics) topic.partitions = 12;
  });
  expect((await world.pipeline("growing")).spec.topics[0]?.partitions).toBe(12);
});

test("sp is its short name, and it is in category all", async () => {
  const { body } = await server.raw("GET", "/apis/caudal.dev/v1alpha1");
  const [entry] = (body["resources"] as { name: string; shortNames?: string[]; categories?: string[] }[]).filter(
    ({ name }) => name === "streampipelines",
  );
  expect(entry).toMatchObject({ shortNames: ["sp"], categories: ["all"] });
});

async function tableOf(name: string) {
  const path = pathOf(resources.streamPipeline, world.namespace, name);
  return await server.raw("GET", path, undefined, {
    accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
  });
}
