import { expect, test } from "vitest";
import type { Condition, PipelineStatus } from "@caudal/crds";
import { announce } from "./announce.ts";

const status = (...conditions: [string, "True" | "False" | "Unknown", string][]): PipelineStatus => ({
  conditions: conditions.map(([type, value, reason]): Condition => ({
    type,
    status: value,
    reason,
    message: "m",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  })),
});
const told = (before: PipelineStatus | undefined, after: PipelineStatus) =>
  announce(before, after).map(({ type, reason }) => `${type} ${reason}`);

test("what goes wrong is a warning, once a reason; what is on its way is not", () => {
  expect(told(undefined, status(["Ready", "False", "KafkaNotFound"]))).toEqual(["Warning KafkaNotFound"]);
  expect(told(undefined, status(["Ready", "False", "KafkaTopicPending"]))).toEqual(["Normal KafkaTopicPending"]);
  const same = status(["Ready", "False", "NotOwned"]);
  expect(told(same, same)).toEqual([]);
  expect(told(same, status(["Ready", "False", "SqlInvalid"]))).toEqual(["Warning SqlInvalid"]);
});

test("becoming Ready is told; becoming Healthy and parts of Ready are not", () => {
  const before = status(
    ["Ready", "False", "RollingOut"],
    ["Healthy", "Unknown", "NoReports"],
    ["TopicsReady", "False", "x"],
  );
  const after = status(["Ready", "True", "Ready"], ["Healthy", "True", "EventsFlow"], ["TopicsReady", "True", "x"]);
  expect(told(before, after)).toEqual(["Normal Ready"]);
});

test("what is unknown is not told", () => {
  expect(told(undefined, status(["Healthy", "Unknown", "NoReports"]))).toEqual([]);
});
