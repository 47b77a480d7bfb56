/** What a person reads at three in the morning: each reason, made by its cause, says what, where and what to do. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ConditionType, StageStatus } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import type { Observation, PodObservation } from "../observe/observation.ts";
import { childName } from "@caudal/pipeline";
import { givenPipeline } from "@caudal/pipeline/testing";
import { CLOCK, givenChild, givenFacts, givenKafka, givenObservation, givenPod, NOW } from "../testing/given.ts";
import type { Facts } from "./facts.ts";
import { statusOf } from "./status.ts";

const messageOf = (facts: Facts, type: ConditionType) => {
  const found = statusOf(facts).status.conditions?.find((entry) => entry.type === type);
  return { reason: found?.reason ?? "", message: found?.message ?? "" };
};
const observed = (change: Partial<Observation>, more: Partial<Facts> = {}): Facts =>
  givenFacts({ observation: givenObservation(change), ...more });
const metrics = (change: Partial<PodObservation>, status?: Partial<StageStatus>): Facts =>
  observed({ pods: [givenPod("events"), givenPod("metrics", change, status)] });
const deployment = (status: Record<string, unknown>, replicas = 1): Facts => {
  const pipeline = givenPipeline((spec) => {
    for (const stage of spec.aggregators ?? []) stage.replicas = replicas;
  });
  const facts = observed({ pipeline });
  const name = childName("app-events", "metrics");
  const changed = givenChild("Deployment", name, { observedGeneration: 1, ...status }, { replicas });
  return { ...facts, children: facts.children.map((child) => (child.metadata.name === name ? changed : child)) };
};
const without = (kind: string): KubeObject[] => givenFacts().children.filter((child) => child.kind !== kind);
const installed = { strimzi: true, cloudNativePg: true, podMonitors: false };
const suspended = givenPipeline((spec) => (spec.suspend = true));
const place = { topic: "app-events", partition: 3, nextOffset: 0, endOffset: 5_000, idle: false };
const pending = (kind: string, name: string, status: Record<string, unknown> = {}): Facts =>
  givenFacts({ children: [givenChild(kind, name, status)] });
const topicsOnly = givenPipeline((spec) => {
  for (const topic of spec.topics) topic.managed = false;
  delete spec.aggregators;
  delete spec.generators;
});
const shared = givenPipeline((spec) => (spec.database = { clusterRef: { name: "pg" } }));

/** Reason, condition, facts, and what the message has to name. */
const cases: [string, ConditionType, Facts, readonly string[]][] = [
  [
    "NotSeen",
    "TopicsReady",
    observed({ unseen: [{ kind: "KafkaUser", plural: "kafkausers", why: "403" }] }),
    ["KafkaUser", "namespace ns", "get, list and watch of kafkausers"],
  ],
  ["Accepted", "ConfigValid", givenFacts(), ["valid"]],
  [
    "StrimziNotInstalled",
    "TopicsReady",
    observed({ installed: { ...installed, strimzi: false } }),
    ["install Strimzi", "spec.kafka.external"],
  ],
  ["KafkaNotFound", "TopicsReady", observed({ kafka: undefined }), ["Kafka/platform", "namespace ns", "create it"]],
  [
    "External",
    "TopicsReady",
    observed({ pipeline: givenPipeline((spec) => (spec.kafka = { external: { bootstrapServers: "k:9092" } })) }),
    ["outside"],
  ],
  ["TopicsReady", "TopicsReady", givenFacts(), ["2 of 2 topics are ready"]],
  [
    "NotManaged",
    "TopicsReady",
    observed({ pipeline: topicsOnly }, { children: without("KafkaTopic") }),
    ["managed: false"],
  ],
  [
    "SpecRefused",
    "TopicsReady",
    observed({ pipeline: topicsOnly }, { children: [], problems: [{ reason: "UnknownType", message: "m" }] }),
    ["ConfigValid"],
  ],
  ["KafkaTopicMissing", "TopicsReady", givenFacts({ children: without("KafkaTopic") }), ["KafkaTopic/app-events"]],
  [
    "KafkaTopicPending",
    "TopicsReady",
    pending("KafkaTopic", "app-events"),
    ["KafkaTopic/app-events", "Strimzi's Topic Operator"],
  ],
  [
    "ReconciliationPaused",
    "TopicsReady",
    pending("KafkaTopic", "t", { conditions: [{ type: "ReconciliationPaused", status: "True" }] }),
    ["KafkaTopic/t", "strimzi.io/pause-reconciliation"],
  ],
  [
    "KafkaNotReady",
    "TopicsReady",
    observed(
      { kafka: { ...givenKafka(), status: { conditions: [{ type: "NotReady", status: "True" }] } } },
      { children: [givenChild("KafkaTopic", "t", {})] },
    ),
    ["Kafka/platform"],
  ],
  [
    "NotNeeded",
    "DatabaseReady",
    observed({ pipeline: givenPipeline((spec) => delete spec.database) }),
    ["no stage keeps tables"],
  ],
  [
    "CloudNativePGNotInstalled",
    "DatabaseReady",
    observed({ installed: { ...installed, cloudNativePg: false } }),
    ["install CloudNativePG", "spec.database.secretRef"],
  ],
  ["ClusterNotFound", "DatabaseReady", observed({ pipeline: shared }), ["Cluster/pg", "namespace ns", "create it"]],
  [
    "ClusterNotReady",
    "DatabaseReady",
    pending("Cluster", "app-events-db", { phase: "Setting up primary" }),
    ["Cluster/app-events-db", "Setting up primary"],
  ],
  ["ClusterMissing", "DatabaseReady", givenFacts({ children: without("Cluster") }), ["Cluster/app-events-db"]],
  ["SecretNotFound", "DatabaseReady", observed({ secrets: new Map() }), ["Secret/app-events-db-app", "waiting for it"]],
  ["DatabaseReady", "DatabaseReady", givenFacts(), ["Secret/app-events-db-app"]],
  ["WorkloadsReady", "WorkloadsReady", givenFacts(), ["2 of 2 stages ready"]],
  ["NoStages", "WorkloadsReady", observed({ pipeline: topicsOnly, pods: [] }), ["topics only"]],
  ["DeploymentMissing", "WorkloadsReady", givenFacts({ children: [] }), ["stage events", "Deployment"]],
  [
    "StageFailed",
    "WorkloadsReady",
    metrics({}, { state: "Failed" }),
    ["stage metrics", "Pod/metrics-pod", "read its log"],
  ],
  [
    "RolloutFailed",
    "WorkloadsReady",
    deployment({ conditions: [{ type: "Progressing", status: "False", message: "deadline" }] }),
    ["stage metrics", "Deployment/", "deadline"],
  ],
  [
    "RollingOut",
    "WorkloadsReady",
    deployment({ replicas: 1, updatedReplicas: 0, readyReplicas: 1 }),
    ["stage metrics", "1 pod of the version before still runs, and 0 of 1 of the new one are being started"],
  ],
  [
    "HeartbeatUnknown",
    "WorkloadsReady",
    metrics({ status: undefined, askError: "ECONNREFUSED" } as never),
    ["Pod/metrics-pod", "ECONNREFUSED", "may the operator reach it"],
  ],
  [
    "HeartbeatOld",
    "WorkloadsReady",
    metrics({ status: { at: CLOCK, heartbeatAt: CLOCK - 61_000, value: givenPodStatus(), previousLag: undefined } }),
    ["Pod/metrics-pod", "older than a minute", "port 8080"],
  ],
  ["Deleting", "Ready", givenFacts({ deleting: "2 pods still run" }), ["is being deleted", "2 pods still run"]],
  ["NotSuspended", "WorkloadsReady", observed({ pipeline: suspended }), ["Deployment/", "scaled to zero"]],
  ["Draining", "WorkloadsReady", withScale(0, observed({ pipeline: suspended })), ["still drain"]],
  ["Suspended", "WorkloadsReady", withScale(0, observed({ pipeline: suspended, pods: [] })), ["spec.suspend to false"]],
  ["Suspended", "Healthy", observed({ pipeline: suspended, pods: [] }), ["no events flow"]],
  ["NoReports", "Healthy", observed({ pods: [] }), ["no stage has told its status yet"]],
  ["EventsFlow", "Healthy", givenFacts(), ["no stage reports an error"]],
  [
    "TopicRecreated",
    "Healthy",
    observed({
      pipeline: {
        ...givenPipeline(),
        status: {
          lostTopics: [
            {
              name: "t",
              ids: ["A".repeat(22)],
              newId: "B".repeat(22),
              since: "2026-01-01T00:00:00Z",
              at: "2026-01-01T00:00:00Z",
              offsets: 5,
            },
          ],
        },
      },
    }),
    ["topic t", "seen at 2026-01-01T00:00:00Z", "5 offsets", "kubectl --namespace ns annotate"],
  ],
  [
    "CommitsLost",
    "Healthy",
    metrics({}, { lost: [{ output: "o", topic: "t", partition: 2, from: 70, to: 100, offsets: 30, at: NOW - 1 }] }),
    ["stage metrics", "30 offsets of t/2", "failover", "spec.database.cluster.synchronous"],
  ],
  [
    "LagGrowing",
    "Healthy",
    growing({ partitions: [place, { ...place, partition: 4, nextOffset: 5_000 }] }),
    ["stage metrics", "<10k events wait", "spec.aggregators[metrics].replicas (now 1, of use up to its 2 partitions"],
  ],
  [
    "LagGrowing",
    "Healthy",
    growing({}),
    ["spec.aggregators[metrics].resources.limits.cpu: there is a pod for each of its 1 partitions already"],
  ],
  [
    "TransactionOpen",
    "Healthy",
    metrics(
      {},
      {
        partitions: [
          { ...place, nextOffset: 5_000, idle: true, undecided: { offset: 70, records: 5, since: NOW - 600_000 } },
        ],
      },
    ),
    [
      "offset 70 of app-events/3",
      "since 2026-01-01T11:50Z",
      "abort --topic app-events --partition 3 --start-offset 70",
    ],
  ],
  [
    "DeadLetters",
    "Healthy",
    metrics({}, { letters: [{ reason: "WrongType", count: 2, since: NOW, at: NOW }] }),
    ["WrongType: 2", "app-events-metrics-dlq", "caudal sql"],
  ],
  [
    "WatermarkHeld",
    "Healthy",
    metrics(
      {},
      {
        partitions: [
          { ...place, nextOffset: 5_000, watermark: NOW },
          { ...place, partition: 4, nextOffset: 5_000, watermark: NOW - 7_300_000 },
        ],
      },
    ),
    ["app-events/4", "2 hours", "becomes final"],
  ],
  [
    "OldTimes",
    "Healthy",
    metrics({}, { latestTime: 1_767_225_600, reads: { topic: "app-events", topicId: "t1" } }),
    [
      "of 1970-01-21",
      "read as seconds it would be 2026-01-01",
      "spec.topics[app-events].fields[event_ts]",
      "unit: milliseconds",
    ],
  ],
  ["Ready", "Ready", givenFacts(), ["as its spec says"]],
];

function givenPodStatus(): StageStatus {
  const value = givenPod("metrics").status?.value;
  if (value === undefined) throw new TypeError("a status");
  return value;
}
function withScale(replicas: number, facts: Facts): Facts {
  const scaled = (child: KubeObject) => (child.kind === "Deployment" ? { ...child, spec: { replicas } } : child);
  return { ...facts, children: facts.children.map(scaled) };
}
function growing(status: Partial<StageStatus>): Facts {
  const pod = givenPod("metrics", {}, { partitions: [place], ...status });
  if (pod.status === undefined) throw new TypeError("a status");
  return observed({ pods: [givenPod("events"), { ...pod, status: { ...pod.status, previousLag: 2_000 } }] });
}

test.each(cases)("%s of %s", (reason, type, facts, parts) => {
  const said = messageOf(facts, type);
  expect(said.reason).toBe(reason);
  for (const part of parts) expect(said.message).toContain(part);
});

test("every reason that these files write has a case", () => {
  const told = new Set(cases.map(([reason]) => reason));
  // Given as they come by Kubernetes, Strimzi, CloudNativePG and stages, or never shown.
  const others = new Set(["Unknown", "Ready"]);
  const files = globSync("*.ts", { cwd: import.meta.dirname }).filter((file) => !file.endsWith(".test.ts"));
  const written = files.flatMap((file) =>
    [
      ...readFileSync(join(import.meta.dirname, file), "utf8").matchAll(
        /(?:reason: |(?:holds|fails)\(\s*)"([A-Z]\w+)"/g,
      ),
    ].map(([, reason]) => reason ?? ""),
  );
  expect(written.length).toBeGreaterThan(30);
  expect([...new Set(written)].filter((reason) => !told.has(reason) && !others.has(reason))).toEqual([]);
});

test.each<[string, Partial<StageStatus>, string]>([
  [
    "an error",
    { error: { reason: "DatabaseUnavailable", message: "no answer", at: NOW } },
    "when the error that its pods report is gone",
  ],
  [
    "an open transaction",
    { partitions: [{ ...place, idle: true, undecided: { offset: 70, records: 5, since: NOW - 600_000 } }] },
    "when the transaction that is open has ended",
  ],
])("more pods are no advice where what waits, waits for %s", (_what, status, words) => {
  const { message } = messageOf(growing({ partitions: [place, { ...place, partition: 4 }], ...status }), "Healthy");
  expect(message).toContain(`goes on ${words}`);
  expect(message).not.toContain("replicas");
});

test("no message shows a folder of a pod: Secrets have names", () => {
  const error = (message: string) => ({ error: { reason: "DatabaseRefused", message, at: NOW } });
  const said = messageOf(
    metrics(
      {},
      error("connect to database app at db:5432 as user app (/etc/caudal/database): password authentication failed"),
    ),
    "Healthy",
  );
  expect(said.message).toContain("as user app (Secret/app-events-db-app): password authentication failed");
  expect(said.message).toContain("since 2026-01-01T12:00:00Z");
});

test.each([1e300, -1e300, -9.2e15, 0.5, -1])("a pod that tells the time %s is told all the same", (time) => {
  const status: Partial<StageStatus> = {
    heartbeat: time,
    error: { reason: "Odd", message: "odd", at: time },
    letters: [{ reason: "WrongType", count: 1, since: time, at: time }],
    lost: [{ output: "o", topic: "t", partition: 0, from: 0, to: 1, offsets: 1, at: time }],
    latestTime: time,
    reads: { topic: "app-events", topicId: "t1" },
    partitions: [
      { ...place, watermark: time, undecided: { offset: 0, records: 1, since: time } },
      { ...place, partition: 4, watermark: NOW },
    ],
  };
  expect(messageOf(metrics({}, status), "Healthy").message).toContain("odd");
});

describe("a rollout is told by what it does", () => {
  const rollouts: [string, Record<string, unknown>, number, string][] = [
    [
      "the old pod runs on",
      { replicas: 2, updatedReplicas: 1, readyReplicas: 1 },
      1,
      "1 pod of the version before still runs, and 1 of 1 of the new one is being started",
    ],
    [
      "none has begun",
      { observedGeneration: 0, replicas: 3, updatedReplicas: 3, readyReplicas: 3 },
      3,
      "3 pods of the version before run on",
    ],
    ["all are new", { replicas: 3, updatedReplicas: 3, readyReplicas: 2 }, 3, "2 of 3 pods are ready"],
    ["it grows", { replicas: 1, updatedReplicas: 1, readyReplicas: 1 }, 3, "1 of 3 pods have been made"],
  ];
  test.each(rollouts)("%s", (_name, status, replicas, part) => {
    const { message } = messageOf(deployment(status, replicas), "WorkloadsReady");
    expect(message).toContain(part);
  });

  test("with what the pods that are not ready say", () => {
    const facts = deployment({ replicas: 1, updatedReplicas: 1, readyReplicas: 0 });
    const error = { reason: "DatabaseUnavailable", message: "no answer", at: NOW };
    const pods = [givenPod("events"), givenPod("metrics", { ready: false }, { error })];
    const { message } = messageOf({ ...facts, observation: givenObservation({ pods }) }, "WorkloadsReady");
    expect(message).toContain("Pod/metrics-pod is not ready (DatabaseUnavailable: no answer)");
  });
});
