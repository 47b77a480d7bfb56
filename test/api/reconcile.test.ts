import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { StreamPipeline } from "@caudal/crds";
import { Conflict } from "../../operator/src/kube/errors.ts";
import { pathOf, resources } from "../../operator/src/kube/object.ts";
import type { OperatorOptions } from "../../operator/src/operator.ts";
import { eventually } from "./support/eventually.ts";
import { definitions, TestServer } from "./support/server.ts";
import { answerOf, healthyStage, World } from "./support/world.ts";

let server: TestServer;
let world: World;
beforeAll(async () => {
  server = await TestServer.start(definitions.strimzi, definitions.cloudNativePg, definitions.podMonitors);
});
afterAll(async () => await server.stop());
beforeEach(async () => {
  world = await World.create(server);
});
afterEach(async () => await world.stop());

describe("the example", () => {
  test("leads to a topic, a dead-letter topic, a database and two stages, and becomes Ready", async () => {
    await world.operator();
    await world.ready("app-events");
    const children = [...(await world.children()).keys()].map((key) => key.replace(/-[0-9a-f]{8}$/, "-#"));
    expect(children).toEqual([
      "Cluster/app-events-db",
      "ConfigMap/app-events-events-73d1f9ef-#",
      "ConfigMap/app-events-metrics-e93271d6-#",
      "Deployment/app-events-events-#",
      "Deployment/app-events-metrics-#",
      "KafkaTopic/app-events",
      "KafkaTopic/app-events-metrics-dlq",
      "PodDisruptionBudget/app-events-events-#",
      "PodDisruptionBudget/app-events-metrics-#",
      "PodMonitor/app-events-db",
      "PodMonitor/app-events-events-#",
      "PodMonitor/app-events-metrics-#",
      "Service/app-events-events-#",
      "Service/app-events-metrics-#",
    ]);
    const { status } = await world.pipeline("app-events");
    expect(status).toMatchObject({ observedGeneration: 1, stagesReady: "2/2", lag: "<1k" });
    expect(status?.conditions?.map(({ type, status: value }) => `${type}=${value}`)).toEqual([
      "Ready=True",
      "ConfigValid=True",
      "TopicsReady=True",
      "DatabaseReady=True",
      "WorkloadsReady=True",
      "Healthy=True",
    ]);
    expect(status?.stages?.map(({ name, state }) => `${name} ${state}`)).toEqual(["events Running", "metrics Running"]);
  });

  test("is written once: in the steady state no object and no status changes", async () => {
    await world.operator();
    await world.ready("app-events");
    const versions = async () => {
      const objects = [...(await world.children()).values(), await world.need(resources.streamPipeline, "app-events")];
      return objects.map(({ kind, metadata }) => `${kind}/${metadata.name} ${metadata.resourceVersion ?? ""}`);
    };
    const unchangedFor = async (ms: number) => {
      const before = await versions();
      await new Promise((resolve) => setTimeout(resolve, ms));
      expect(await versions()).toEqual(before);
      return true;
    };
    await eventually("the last news has been told", async () => await unchangedFor(1_500));
    // Several resyncs, which are a second apart here.
    await unchangedFor(4_000);
  });

  test("stays Ready when its generator has reached its limit", async () => {
    await world.operator({ askStage: async () => answerOf(healthyStage({ state: "Completed" })) });
    await world.ready("app-events");
    const condition = await world.expectCondition("app-events", "WorkloadsReady", "True");
    expect(condition.message).toContain("2 completed");
    expect((await world.pipeline("app-events")).status?.stages?.[0]?.state).toBe("Completed");
  });

  test("shows a pod that does not answer", async () => {
    let answers = true;
    await world.operator({
      askStage: async () => {
        if (!answers) throw new TypeError("connection refused");
        return answerOf(healthyStage({ heartbeat: Date.now() - 59_000 }));
      },
    });
    await world.ready("app-events");
    answers = false;
    const condition = await world.expectCondition("app-events", "Ready", "False", "HeartbeatOld");
    expect(condition.message).toContain("connection refused");
  });
});

test("an operator of all namespaces looks after this one too, and one of another namespace does not", async () => {
  const elsewhere = await World.create(server);
  await world.operator({ namespaces: [elsewhere.namespace] });
  await world.kafka();
  await world.apply("app-events");
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect((await world.pipeline("app-events")).status).toBeUndefined();
  await world.stop();
  await world.operator({ namespaces: [] });
  await world.expectCondition("app-events", "ConfigValid", "True");
  await eventually("the generator exists", async () => (await world.list(resources.deployment)).length === 1);
});

test("/metrics has controller-runtime's names, /livez and /readyz tell that the loops run and the caches are filled", async () => {
  const operator = await world.operator();
  await world.ready("app-events");
  const get = async (path: string) => await fetch(`http://127.0.0.1:${operator.port}${path}`);
  expect((await get("/livez")).status).toBe(200);
  expect((await get("/readyz")).status).toBe(200);
  const text = await (await get("/metrics")).text();
  for (const line of [
    'controller_runtime_reconcile_errors_total{controller="streampipeline"}',
    'controller_runtime_active_workers{controller="streampipeline"} ',
    'workqueue_adds_total{name="streampipeline"}',
    'leader_election_master_status{name="caudal-operator"} 1',
    'caudal_pipelines{ready="True"} 1',
    `caudal_pipeline_condition{namespace="${world.namespace}",pipeline="app-events",type="Ready",status="True"} 1`,
    `caudal_stage_lag_events{namespace="${world.namespace}",pipeline="app-events",stage="metrics",role="aggregator"} 10`,
    'caudal_operator_writes_total{kind="Deployment",action="Created"} 2',
  ])
    expect(text).toContain(line);
});

test("making a pipeline takes one request an object, and an event for each thing that a person wants to know", async () => {
  const calls: string[] = [];
  let conflicts = 0;
  const counted = new Proxy(server.client, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]): unknown => {
        const { kind = "" } = Object(args[0]) as { kind?: string };
        if (kind !== "Lease" && !["list", "watch", "discover"].includes(String(name)))
          calls.push(`${String(name)} ${kind}`);
        const answer: unknown = Reflect.apply(method, target, args);
        if (answer instanceof Promise)
          answer.catch((error: unknown) => (conflicts += error instanceof Conflict ? 1 : 0));
        return answer;
      };
    },
  });
  await world.operator({ client: counted });
  await world.ready("app-events");
  const children = (await world.children()).size;
  expect(calls.filter((call) => call.startsWith("apply"))).toHaveLength(children);
  // The pipeline itself is read after a conflict alone, and its status is then written once more.
  const reads = calls.filter((call) => call.startsWith("get") && !["get Secret", "get StreamPipeline"].includes(call));
  expect(reads).toEqual([]);
  expect(calls.filter((call) => call === "get StreamPipeline").length).toBeLessThanOrEqual(conflicts);
  const events = await world.list(resources.event);
  const told = events.map(({ note }) => String(note)).filter((note) => note.startsWith("Created"));
  const titles = told.flatMap((note) => note.slice("Created ".length).split(", "));
  expect(new Set(titles)).toEqual(new Set((await world.children()).keys()));
  // One for the stage that needs nothing but Kafka, one where the other's Secret came later.
  expect(told.length).toBeLessThanOrEqual(2);
  // Besides: conditions that changed, and statuses. There were five an object.
  const others = calls.filter((call) => call !== "get Secret");
  expect(others.length, others.join("; ")).toBeLessThan(2.5 * children);
});

describe("drift", () => {
  test("of a child is put right", async () => {
    await world.operator();
    await world.ready("app-events");
    await world.patch(resources.kafkaTopic, "app-events", { spec: { partitions: 7, config: { "retention.ms": "1" } } });
    const [deployment] = await world.list(resources.deployment);
    await world.patch(resources.deployment, deployment?.metadata.name ?? "", { spec: { replicas: 5 } });
    await eventually("both are as planned", async () => {
      const topic = await world.need(resources.kafkaTopic, "app-events");
      const now = await world.need(resources.deployment, deployment?.metadata.name ?? "");
      return topic.spec?.["partitions"] === 6 && now.spec?.["replicas"] === 1;
    });
    expect((await world.need(resources.kafkaTopic, "app-events")).spec?.["config"]).toEqual({
      "retention.ms": "604800000",
    });
  });

  test("a child that was deleted is made again", async () => {
    await world.operator();
    await world.ready("app-events");
    for (const { metadata } of await world.list(resources.service))
      await world.remove(resources.service, metadata.name);
    await eventually("both are back", async () => (await world.list(resources.service)).length === 2);
  });
});

describe("a change of the spec", () => {
  test("prunes the children of a stage that left, and releases its dead-letter topic", async () => {
    await world.operator();
    await world.ready("app-events");
    await world.apply("app-events", (spec) => {
      spec.aggregators = [];
    });
    await eventually("one stage is left", async () => (await world.list(resources.deployment)).length === 1);
    await eventually("its ConfigMap, Service and budget went", async () => {
      const keys = [...(await world.children()).keys()].filter((key) => key.includes("metrics-e93271d6"));
      return keys.length === 0;
    });
    await eventually("the topic is released", async () => {
      const { status } = await world.pipeline("app-events");
      return status?.released?.[0]?.name === "app-events-metrics-dlq";
    });
    const topic = await world.need(resources.kafkaTopic, "app-events-metrics-dlq");
    expect(topic.metadata.labels).toMatchObject({ "caudal.dev/released": "true" });
    expect(topic.metadata.annotations).toMatchObject({ "strimzi.io/managed": "false" });
    expect(topic.spec).toMatchObject({ partitions: 1 });
  });

  test("takes a released topic back when it returns", async () => {
    await world.operator();
    await world.ready("app-events");
    await world.apply("app-events", (spec) => {
      spec.aggregators = [];
    });
    await eventually("it is released", async () => (await world.pipeline("app-events")).status?.released !== undefined);
    await world.apply("app-events");
    await eventually("it is back", async () => {
      const { metadata } = await world.need(resources.kafkaTopic, "app-events-metrics-dlq");
      return (
        metadata.labels?.["caudal.dev/released"] === undefined &&
        metadata.annotations?.["strimzi.io/managed"] === undefined
      );
    });
    await eventually(
      "status lists nothing",
      async () => (await world.pipeline("app-events")).status?.released === undefined,
    );
  });

  test("rolls the stage whose configuration changed and no other", async () => {
    await world.operator();
    await world.ready("app-events");
    const hashes = async () =>
      Object.fromEntries(
        (await world.list(resources.deployment)).map(({ metadata, spec }) => [
          metadata.labels?.["caudal.dev/stage"],
          (spec?.["template"] as { metadata: { annotations: Record<string, string> } }).metadata.annotations[
            "caudal.dev/config-hash"
          ],
        ]),
      );
    const before = await hashes();
    await world.apply("app-events", (spec) => {
      for (const aggregator of spec.aggregators ?? []) aggregator.where = "event_type <> 'bot'";
    });
    await eventually("the aggregator rolls", async () => (await hashes())["metrics"] !== before["metrics"]);
    expect((await hashes())["events"]).toBe(before["events"]);
    // The old ConfigMap goes when the last old pod has gone.
    expect(
      (await world.list(resources.configMap)).filter(({ metadata }) => metadata.name.includes("metrics")),
    ).toHaveLength(2);
    await world.settle();
    await eventually("the old ConfigMap went", async () => {
      const maps = await world.list(resources.configMap);
      return maps.filter(({ metadata }) => metadata.name.includes("metrics")).length === 1;
    });
  });

  test("of the number of replicas scales in place", async () => {
    await world.operator();
    await world.ready("app-events");
    const template = async () => JSON.stringify((await world.list(resources.deployment))[1]?.spec?.["template"]);
    const before = await template();
    await world.apply("app-events", (spec) => {
      for (const aggregator of spec.aggregators ?? []) aggregator.replicas = 3;
    });
    await eventually(
      "three are wanted",
      async () => (await world.list(resources.deployment))[1]?.spec?.["replicas"] === 3,
    );
    expect(await template()).toBe(before);
  });
});

describe("suspend and resume, while the spec cannot be taken,", () => {
  type Change = (spec: StreamPipeline["spec"]) => void;
  const refused: Change = (spec) => {
    for (const { tables } of spec.aggregators ?? [])
      for (const table of tables) table.aggregates = ["nonsense(1) as n"];
  };
  const cases: [string, Change, Partial<OperatorOptions>][] = [
    [
      "because its SQL is refused,",
      refused,
      {
        askSql: async (question) => {
          const text = JSON.stringify(question);
          const problems = text.includes("nonsense")
            ? [{ path: "spec", reason: "SqlInvalid", message: "no such function" }]
            : [];
          return { problems, transforms: [] };
        },
      },
    ],
    ["because its Kafka is gone,", () => void world.remove(resources.kafka, "platform"), {}],
  ];
  test.each(cases)("%s hold for what runs", async (_why, change, options) => {
    await world.operator(options);
    await world.ready("app-events");
    const replicas = async () => (await world.list(resources.deployment)).map(({ spec }) => spec?.["replicas"]);
    const states = async () => (await world.pipeline("app-events")).status?.stages?.map(({ state }) => state);
    await world.apply("app-events", change);
    await eventually("it is not ready", async () => (await world.condition("app-events", "Ready"))?.status === "False");
    expect(await replicas()).toEqual([1, 1]);
    expect(await states()).toEqual(["Running", "Running"]);
    await world.apply("app-events", (spec) => {
      change(spec);
      spec.suspend = true;
    });
    await eventually("no pods are asked for", async () => (await replicas()).every((count) => count === 0));
    await eventually("they drain", async () => (await states())?.every((state) => state === "Draining") === true);
    for (const { metadata } of await world.list(resources.pod))
      await server.raw("DELETE", pathOf(resources.pod, world.namespace, metadata.name), { gracePeriodSeconds: 0 });
    await world.expectCondition("app-events", "WorkloadsReady", "False", "Suspended");
    await world.apply("app-events", change);
    await eventually("pods are asked for again", async () => (await replicas()).every((count) => count === 1));
  });
});

test("a suspended pipeline drains, then is scaled to zero, and loses nothing", async () => {
  await world.operator();
  await world.ready("app-events");
  await world.apply("app-events", (spec) => {
    spec.suspend = true;
  });
  await eventually("nothing is wanted", async () =>
    (await world.list(resources.deployment)).every(({ spec }) => spec?.["replicas"] === 0),
  );
  const draining = await world.expectCondition("app-events", "Ready", "False", "Draining");
  expect(draining.message).toContain("still drain");
  for (const { metadata } of await world.list(resources.pod))
    await server.raw("DELETE", `/api/v1/namespaces/${world.namespace}/pods/${metadata.name}`, {
      gracePeriodSeconds: 0,
    });
  await world.expectCondition("app-events", "Ready", "False", "Suspended");
  expect(await world.get(resources.kafkaTopic, "app-events")).toBeDefined();
  expect((await world.pipeline("app-events")).status?.stages?.map(({ state }) => state)).toEqual([
    "Suspended",
    "Suspended",
  ]);
});
