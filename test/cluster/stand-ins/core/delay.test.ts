import { expect, test } from "vitest";
import { delayAnnotation, delayOf, Waiting } from "./delay.ts";
import type { KubeObject } from "./objects.ts";

const object = (
  generation: number,
  observedGeneration?: number,
): KubeObject<object, { observedGeneration?: number }> => ({
  apiVersion: "v1",
  kind: "Thing",
  metadata: { name: "one", uid: "u", generation },
  status: observedGeneration === undefined ? {} : { observedGeneration },
});

test.each([
  [{}, 0],
  [{ [delayAnnotation]: "1.5" }, 1_500],
  [{ [delayAnnotation]: "soon" }, 0],
  [{ [delayAnnotation]: "-1" }, 0],
])("annotations %j: %d ms", (annotations, ms) => {
  expect(delayOf({ ...object(1), metadata: { name: "parent", annotations } })).toBe(ms);
});

test("what is new or changed waits from when it was first seen so", () => {
  const waiting = new Waiting();
  expect(waiting.left(object(1), 1_000, 5_000)).toBe(1_000);
  expect(waiting.left(object(1), 1_000, 5_400)).toBe(600);
  expect(waiting.left(object(2), 1_000, 5_600)).toBe(1_000);
  expect(waiting.left(object(2), 1_000, 6_600)).toBe(0);
  expect(waiting.left(object(2), 1_000, 9_000)).toBe(0);
  expect(waiting.left(object(2, 2), 1_000, 9_001)).toBe(0);
  expect(waiting.left(object(3, 2), 1_000, 9_002)).toBe(1_000);
  expect(waiting.left(object(3, 2), 0, 9_003)).toBe(0);
});
