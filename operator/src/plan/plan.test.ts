/** What the golden plans do not show: how a plan depends on what is there already. */
import { describe, expect, test } from "vitest";
import type { WorkloadConfig } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import type { Observation } from "../observe/observation.ts";
import { givenPipeline } from "@caudal/pipeline/testing";
import { givenKafka, givenObservation } from "../testing/given.ts";
import { needsFinalizer, type Plan, plan } from "./plan.ts";

const settings = { image: "i", imagePullPolicy: "IfNotPresent", imagePullSecrets: [], env: {} };
const planned = (observation: Observation): Plan => plan(observation, settings);

function stageOf(result: Plan, kind: string, stage: string): KubeObject {
  const found = result.objects.find(
    (object) => object.kind === kind && object.metadata.labels?.["caudal.dev/stage"] === stage,
  );
  if (found === undefined) throw new TypeError(`no ${kind} of ${stage}`);
  return found;
}
const hashOf = (result: Plan, stage: string) => {
  const { template } = stageOf(result, "Deployment", stage).spec as {
    template: { metadata: { annotations: Record<string, string> } };
  };
  return template.metadata.annotations["caudal.dev/config-hash"];
};
const configOf = (result: Plan, stage: string) =>
  JSON.parse(
    (stageOf(result, "ConfigMap", stage)["data"] as Record<string, string>)["config.json"] ?? "",
  ) as WorkloadConfig;

/** The same observation once the plan has been written. */
function written(observation: Observation): Observation {
  const objects = planned(observation).objects.map((object): [string, KubeObject] => [
    `${object.kind}/${object.metadata.name}`,
    object,
  ]);
  return { ...observation, children: new Map([...observation.children, ...objects]) };
}

test("a plan does not depend on the order of anything", () => {
  const { objects } = planned(givenObservation());
  const reversed = givenObservation({ pipeline: givenPipeline((spec) => spec.topics.reverse()) });
  expect(planned(reversed).objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual(
    objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`),
  );
  expect(objects.map(({ kind }) => kind)[0]).toBe("KafkaTopic");
});

test("a lost topic that a person acknowledges is told to the stages that read it, and rolls no other", () => {
  const [id, other] = ["AAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBB"];
  const saying = (value: string) => {
    const pipeline = givenPipeline();
    const annotations = { "caudal.dev/acknowledge-lost-topics": value };
    return planned(givenObservation({ pipeline: { ...pipeline, metadata: { ...pipeline.metadata, annotations } } }));
  };
  const [before, after] = [
    planned(givenObservation()),
    saying(`app-events=${other}, app-events=${id},elsewhere=${id}`),
  ];
  expect(configOf(after, "metrics").lostTopics).toEqual([id, other]);
  expect(hashOf(after, "metrics")).not.toBe(hashOf(before, "metrics"));
  expect(hashOf(after, "events")).toBe(hashOf(before, "events"));
  expect(hashOf(saying(`elsewhere=${id}`), "metrics")).toBe(hashOf(before, "metrics"));
});

describe("a new generation", () => {
  const before = written(givenObservation());
  const after = (change: Parameters<typeof givenPipeline>[0]) => {
    const pipeline = givenPipeline(change);
    return { ...before, pipeline: { ...pipeline, metadata: { ...pipeline.metadata, generation: 3 } } };
  };

  test("that changes nothing of a stage leaves its configuration, hash and generation", () => {
    const result = planned(after((spec) => (spec.deletionPolicy = "Delete")));
    expect(configOf(result, "metrics").pipeline.generation).toBe(2);
    expect(hashOf(result, "metrics")).toBe(hashOf(planned(before), "metrics"));
  });

  test("that changes a stage rolls that stage alone", () => {
    const result = planned(
      after((spec) => {
        for (const stage of spec.aggregators ?? []) stage.where = "true";
      }),
    );
    expect(configOf(result, "metrics").pipeline.generation).toBe(3);
    expect(hashOf(result, "metrics")).not.toBe(hashOf(planned(before), "metrics"));
    expect(hashOf(result, "events")).toBe(hashOf(planned(before), "events"));
  });

  test("that scales a stage rolls nothing", () => {
    const result = planned(
      after((spec) => {
        for (const stage of spec.aggregators ?? []) stage.replicas = 5;
      }),
    );
    expect(hashOf(result, "metrics")).toBe(hashOf(planned(before), "metrics"));
    expect(stageOf(result, "Deployment", "metrics").spec?.["replicas"]).toBe(5);
  });
});

describe("what is missing", () => {
  test("holds back a new stage", () => {
    const { held, objects } = planned(givenObservation({ secrets: new Map() }));
    expect(held).toMatchObject([{ stage: { name: "metrics" }, reason: "SecretNotFound" }]);
    expect(objects.filter(({ kind }) => kind === "Deployment")).toHaveLength(1);
  });

  test("changes nothing of a stage that runs: neither a Secret nor the Kafka", () => {
    const running = written(givenObservation());
    const bare = { ...running, secrets: new Map(), kafka: undefined };
    expect(planned(bare).held).toEqual([]);
    expect(hashOf(planned(bare), "metrics")).toBe(hashOf(planned(running), "metrics"));
    expect(configOf(planned(bare), "metrics").kafka).toEqual(configOf(planned(running), "metrics").kafka);
  });

  test("and suspends all the same", () => {
    const running = written(givenObservation());
    const bare = {
      ...running,
      secrets: new Map(),
      kafka: undefined,
      pipeline: givenPipeline((spec) => (spec.suspend = true)),
    };
    const deployments = planned(bare).objects.filter(({ kind }) => kind === "Deployment");
    expect(deployments.map(({ spec }) => spec?.["replicas"])).toEqual([0, 0]);
  });
});

test("a broker's new address rolls every stage", () => {
  const running = written(givenObservation());
  const kafka = givenKafka();
  const moved = {
    ...kafka,
    status: { ...kafka.status, listeners: [{ name: "plain", bootstrapServers: "elsewhere:9092" }] },
  };
  const result = planned({ ...running, kafka: moved });
  expect(hashOf(result, "events")).not.toBe(hashOf(planned(running), "events"));
});

test("kinds that are not served are not planned", () => {
  const installed = { strimzi: false, cloudNativePg: false, podMonitors: false };
  const kinds = new Set(planned(givenObservation({ installed })).objects.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(["ConfigMap", "Deployment", "PodDisruptionBudget", "Service"]);
});

test("a finalizer is needed only under Delete, and only where something is left behind", () => {
  expect(needsFinalizer(givenPipeline())).toBe(false);
  expect(needsFinalizer(givenPipeline((spec) => (spec.deletionPolicy = "Delete")))).toBe(true);
  const outside = givenPipeline((spec) => {
    spec.deletionPolicy = "Delete";
    spec.kafka = { external: { bootstrapServers: "a:9092" } };
    spec.database = { secretRef: { name: "pg" } };
  });
  expect(needsFinalizer(outside)).toBe(false);
});

test("an authority that takes the place of another replaces no pod: all keys of its Secret are mounted and read again", () => {
  const listeners = [{ name: "secure", port: 9093, type: "internal", tls: true }];
  const kafka = givenKafka({ listeners });
  kafka.status = { ...kafka.status, listeners: [{ name: "secure", bootstrapServers: "secure:9093" }] };
  const deploymentsWith = (keys: Record<string, string>) => {
    const pipeline = givenPipeline((spec) => {
      spec.kafka = { clusterRef: { name: "platform", listener: "secure" } };
    });
    const { secrets } = givenObservation();
    const authority = { name: "platform-cluster-ca-cert", exists: true, keys };
    const observation = givenObservation({
      pipeline,
      kafka,
      secrets: new Map([...secrets, [authority.name, authority]]),
    });
    return plan(observation, settings).objects.filter(({ kind }) => kind === "Deployment");
  };
  const before = deploymentsWith({ "ca.crt": "old" });
  expect(before.length).toBeGreaterThan(0);
  expect(JSON.stringify(before)).toContain('"secret":{"secretName":"platform-cluster-ca-cert","defaultMode":288}');
  expect(deploymentsWith({ "ca.crt": "new", "ca-2026-11-30T01-02-03Z.crt": "old" })).toEqual(before);
});
