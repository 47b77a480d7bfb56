/** Observations for unit tests: the example pipeline on a cluster where everything is well, with parts replaced. */
import type { StageStatus } from "@caudal/crds";
import { givenPipeline } from "@caudal/pipeline/testing";
import type { KubeObject } from "../kube/object.ts";
import type { Observation, PodObservation } from "../observe/observation.ts";
import { childName } from "@caudal/pipeline";
import type { Facts } from "../status/facts.ts";

export const NOW = Date.parse("2026-01-01T12:00:00Z");
/** The same moment on the monotonic clock. */
export const CLOCK = 5_000_000;

export function givenKafka(change: Record<string, unknown> = {}): KubeObject {
  return {
    apiVersion: "kafka.strimzi.io/v1",
    kind: "Kafka",
    metadata: { name: "platform", namespace: "ns", generation: 1 },
    spec: { kafka: { listeners: [{ name: "plain", port: 9092, type: "internal", tls: false }], ...change } },
    status: {
      observedGeneration: 1,
      conditions: [{ type: "Ready", status: "True" }],
      listeners: ["plain", "tls", "scram"].map((name) => ({ name, bootstrapServers: `${name}:9092` })),
    },
  };
}

export function givenStage(change: Partial<StageStatus> = {}): StageStatus {
  return {
    generation: 2,
    state: "Running",
    heartbeat: NOW - 1_000,
    events: 1,
    deadLetters: 0,
    lateEvents: 0,
    partitions: [],
    ...change,
  };
}

export function givenPod(
  stage: string,
  change: Partial<PodObservation> = {},
  status?: Partial<StageStatus>,
): PodObservation {
  return {
    name: `${stage}-pod`,
    stage,
    configHash: "h",
    ready: true,
    terminating: false,
    restarts: 0,
    status: {
      at: CLOCK - 1_000,
      heartbeatAt: CLOCK - 1_000,
      value: givenStage(status),
      previousLag: undefined,
    },
    ...change,
  };
}

const keys = { host: "1", port: "2", dbname: "3", username: "4", password: "5" };

export function givenObservation(change: Partial<Observation> = {}): Observation {
  return {
    now: NOW,
    clock: CLOCK,
    unseen: [],
    pipeline: givenPipeline(),
    installed: { strimzi: true, cloudNativePg: true, podMonitors: false },
    kafka: givenKafka(),
    sharedDatabaseCluster: undefined,
    databaseCluster: undefined,
    secrets: new Map([
      ["app-events-db-app", { name: "app-events-db-app", exists: true, keys }],
      ["app-events-db-ca", { name: "app-events-db-ca", exists: true, keys: { "ca.crt": "6" } }],
    ]),
    children: new Map(),
    pods: [givenPod("events"), givenPod("metrics")],
    claims: new Map(),
    ...change,
  };
}

/** A child with a status. */
export function givenChild(kind: string, name: string, status: Record<string, unknown>, spec = {}): KubeObject {
  return { apiVersion: "v1", kind, metadata: { name, namespace: "ns", generation: 1 }, spec, status };
}

const ready = [{ type: "Ready", status: "True" }];
const rolledOut = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1 };

/** Everything ready. */
export function givenFacts(change: Partial<Facts> = {}): Facts {
  return {
    observation: givenObservation(),
    problems: [],
    held: [],
    failures: [],
    children: [
      givenChild("KafkaTopic", "app-events", { conditions: ready, observedGeneration: 1 }),
      givenChild("KafkaTopic", "app-events-metrics-dlq", { conditions: ready, observedGeneration: 1 }),
      givenChild("Cluster", "app-events-db", { conditions: ready }),
      givenChild("Deployment", childName("app-events", "events"), rolledOut, { replicas: 1 }),
      givenChild("Deployment", childName("app-events", "metrics"), rolledOut, { replicas: 1 }),
    ],
    ...change,
  };
}
