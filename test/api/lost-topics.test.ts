/** A KafkaTopic is deleted, and made again by the operator: told until a person acknowledges it. */
import { afterEach, beforeAll, afterAll, expect, test } from "vitest";
import type { StageStatus } from "@caudal/crds";
import { resources } from "../../operator/src/kube/object.ts";
import { eventually } from "./support/eventually.ts";
import { TestServer } from "./support/server.ts";
import { answerOf, healthyStage, World } from "./support/world.ts";

const [A, B, C] = ["AAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBB", "CCCCCCCCCCCCCCCCCCCCCC"];
const topic = "app-events";

let server: TestServer;
let world: World;
beforeAll(() => {
  server = TestServer.shared();
});
afterAll(async () => await server.stop());
afterEach(async () => await world.stop());

/** What Strimzi says of a KafkaTopic once it has made the topic. */
async function strimziSays(name: string, topicId: string): Promise<void> {
  const { metadata } = await world.need(resources.kafkaTopic, name);
  const conditions = [{ type: "Ready", status: "True" }];
  const status = { conditions, observedGeneration: metadata.generation, topicId };
  await world.patch(resources.kafkaTopic, name, { status }, "status");
}

async function deleteAndRemake(name: string, topicId: string): Promise<void> {
  const uid = async () => (await world.get(resources.kafkaTopic, name))?.metadata.uid;
  const before = await uid();
  await world.remove(resources.kafkaTopic, name);
  await eventually("the operator makes it again", async () => ![undefined, before].includes(await uid()));
  await strimziSays(name, topicId);
}

const recorded = async (id: string) =>
  await eventually(`${id} is recorded`, async () =>
    ((await world.pipeline("app-events")).status?.topics ?? []).some(
      (known) => known.name === topic && known.id === id,
    ),
  );
const notes = async () =>
  (await world.list(resources.event)).flatMap((event) =>
    event["reason"] === "TopicRecreated" ? [String(event["note"])] : [],
  );
const lost = async () => (await world.pipeline("app-events")).status?.lostTopics ?? [];

/** The command as the message has it, done by the API. */
async function followAdvice(message: string): Promise<void> {
  const command = /kubectl --namespace (\S+) annotate --overwrite streampipeline (\S+) (\S+?)=(\S+)/.exec(message);
  if (command === null) throw new TypeError(`no command in: ${message}`);
  const [, namespace, name = "", key = "", value] = command;
  expect(namespace).toBe(world.namespace);
  await world.patch(resources.streamPipeline, name, { metadata: { annotations: { [key]: value } } });
}

test("it stays told, also to an operator that begins anew or was away, and the command of the message ends it", async () => {
  world = await World.create(server);
  const stage: Partial<StageStatus> = {
    reads: { topic, topicId: A },
    partitions: [{ topic, partition: 0, nextOffset: 51_816, endOffset: 51_854, idle: false }],
  };
  const answer = { stage };
  const operator = async () =>
    await world.operator({ askStage: async () => answerOf(healthyStage(answer.stage)), discoverEveryMs: 300 });
  await operator();
  await world.ready("app-events");
  await strimziSays(topic, A);
  await recorded(A);
  await deleteAndRemake(topic, B);
  const told = await world.expectCondition("app-events", "Healthy", "False", "TopicRecreated");
  expect(told.message).toContain(`its id was ${A} and is ${B}`);
  expect(told.message).toContain("51854 offsets (app-events/0 up to 51854)");
  await eventually("one event tells it", async () => (await notes()).length === 1);
  expect((await notes())[0]).toContain("51854 offsets");
  expect((await world.pipeline("app-events")).status?.conditions?.find(({ type }) => type === "Ready")?.status).toBe(
    "True",
  );

  // All is well again, and another operator looks.
  answer.stage = { reads: { topic, topicId: B }, partitions: [] };
  await world.stop();
  await operator();
  await recorded(B);
  expect((await world.condition("app-events", "Healthy"))?.message).toContain("51854 offsets");
  // It is lost again while no operator runs, with its dead letters.
  await strimziSays("app-events-metrics-dlq", A);
  await eventually(
    "both are known",
    async () => ((await world.pipeline("app-events")).status?.topics ?? []).length === 2,
  );
  await world.stop();
  await world.remove(resources.kafkaTopic, topic);
  await world.remove(resources.kafkaTopic, "app-events-metrics-dlq");
  await operator();
  for (const name of [topic, "app-events-metrics-dlq"]) {
    await eventually(`${name} is made again`, async () => (await world.get(resources.kafkaTopic, name)) !== undefined);
    await strimziSays(name, C);
  }
  await eventually("all three losses are told", async () => (await lost()).flatMap(({ ids }) => ids).length === 3);
  const all = await world.expectCondition("app-events", "Healthy", "False", "TopicRecreated");
  await followAdvice(all.message);
  await world.expectCondition("app-events", "Healthy", "True");
  expect(await lost()).toEqual([]);
  // Stages that read the topic learn of it, so that they go on.
  await eventually("the stage's configuration names both", async () =>
    (await world.list(resources.configMap)).some((map) =>
      ((map["data"] as Record<string, string>)["config.json"] ?? "")
        .replace(/\s/g, "")
        .includes(`"lostTopics":["${A}","${B}"]`),
    ),
  );
  expect(await notes()).toHaveLength(3);
});

test("a pipeline that is deleted and made again over its topics tells nothing", async () => {
  world = await World.create(server);
  await world.operator();
  await world.ready("app-events");
  await strimziSays(topic, A);
  await recorded(A);
  await world.remove(resources.streamPipeline, "app-events");
  await eventually("it is gone", async () => (await world.get(resources.streamPipeline, "app-events")) === undefined);
  await eventually("its topic is released", async () => {
    const { metadata } = await world.need(resources.kafkaTopic, topic);
    return metadata.labels?.["caudal.dev/released"] === "true";
  });
  await world.apply("app-events");
  await recorded(A);
  expect(await lost()).toEqual([]);
  expect(await notes()).toEqual([]);
});
