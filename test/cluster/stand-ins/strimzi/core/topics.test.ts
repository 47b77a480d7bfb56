import { expect, test } from "vitest";
import { decideTopic, topicStatus } from "./topics.ts";
import type { TopicState } from "./topics.ts";
import type { KafkaTopic } from "./types.ts";

const state: TopicState = {
  id: "id",
  partitions: 3,
  replicas: 1,
  config: { "retention.ms": "1000", "segment.ms": "5" },
};

function topic(
  spec: KafkaTopic["spec"],
  metadata: Partial<KafkaTopic["metadata"]> = {},
  status?: KafkaTopic["status"],
) {
  const own: KafkaTopic = {
    apiVersion: "kafka.strimzi.io/v1",
    kind: "KafkaTopic",
    metadata: { name: "events", namespace: "n", creationTimestamp: "2026-01-02T00:00:00Z", generation: 4, ...metadata },
    spec: spec ?? {},
  };
  return status === undefined ? own : { ...own, status };
}

test("a topic that Kafka does not have is made, with the broker's defaults for what is not said", () => {
  const own = topic({ config: { "cleanup.policy": ["compact", "delete"], "retention.ms": 7 } });
  expect(decideTopic(own, [own], undefined)).toEqual({
    action: "create",
    partitions: -1,
    replicas: -1,
    config: { "cleanup.policy": "compact,delete", "retention.ms": "7" },
  });
});

test("partitions grow, and settings are set, changed and taken back", () => {
  const own = topic({ partitions: 5, config: { "retention.ms": 2000, "max.message.bytes": 9 } });
  expect(decideTopic(own, [own], state)).toEqual({
    action: "alter",
    partitions: 5,
    set: { "retention.ms": "2000", "max.message.bytes": "9" },
    unset: ["segment.ms"],
    refused: undefined,
  });
});

test("fewer partitions and another replication factor are refused", () => {
  const fewer = topic({ partitions: 2 });
  expect(decideTopic(fewer, [fewer], state)).toMatchObject({
    action: "alter",
    refused: expect.stringContaining("3 to 2"),
  });
  const replicas = topic({ replicas: 3 });
  expect(decideTopic(replicas, [replicas], state)).toMatchObject({ refused: expect.stringContaining("1 to 3") });
});

test("another topicName is refused, and the status keeps the old one", () => {
  const own = topic({ topicName: "other" }, {}, { topicName: "events" });
  expect(decideTopic(own, [own], state)).toMatchObject({ action: "fail", reason: "NotSupported" });
  const status = topicStatus(own, { result: "failed", reason: "NotSupported", message: "m" });
  expect(status).toMatchObject({ topicName: "events", observedGeneration: 4 });
});

test("of several objects for one topic the oldest rules and the others are in conflict", () => {
  const older = topic({}, { creationTimestamp: "2026-01-01T00:00:00Z" });
  const younger = topic({ topicName: "events" }, { name: "twin" });
  expect(decideTopic(older, [older, younger], state).action).toBe("alter");
  expect(decideTopic(younger, [older, younger], state)).toMatchObject({
    action: "fail",
    reason: "ResourceConflict",
    message: "the topic is managed by n/events",
  });
});

test("an unmanaged topic is neither changed nor deleted, and rivals nobody", () => {
  const annotations = { "strimzi.io/managed": "false" };
  const unmanaged = topic({ partitions: 9 }, { annotations, creationTimestamp: "2025-01-01T00:00:00Z" });
  const managed = topic({}, { name: "twin" });
  expect(decideTopic(unmanaged, [unmanaged], state)).toEqual({ action: "unmanaged" });
  expect(decideTopic({ ...managed, spec: { topicName: "events" } }, [unmanaged, managed], state).action).toBe("alter");
  const leaving = topic({}, { annotations, deletionTimestamp: "2026-01-03T00:00:00Z" });
  expect(decideTopic(leaving, [leaving], state)).toEqual({ action: "release" });
  expect(topicStatus(unmanaged, { result: "unmanaged" })).toEqual({
    conditions: [{ type: "Unmanaged", status: "True" }],
    observedGeneration: 4,
  });
});

test("a topic goes with its object", () => {
  const leaving = topic({}, { deletionTimestamp: "2026-01-03T00:00:00Z" });
  expect(decideTopic(leaving, [leaving], state)).toEqual({ action: "delete" });
});
