import type { TopicConfig } from "@caudal/crds";
import { describe, expect, test } from "vitest";
import { EventReader } from "./event-reader.ts";
import { topicOf } from "@caudal/pipeline/testing";
import { blockOf, type Value } from "./testing/block.ts";

/** Times that a reader tells of two slices, each in one block. */
async function timesOf(topic: TopicConfig, ...slices: readonly (readonly Value[])[]): Promise<readonly number[]> {
  const told: number[] = [];
  const reader = new EventReader(topic, new Set(), undefined, { onTime: (ms) => told.push(ms) });
  for (const values of slices) reader.read(blockOf(values), 0, values.length);
  await reader.close();
  return told;
}

describe("a time of each slice is told", () => {
  const topic = topicOf({ at: "timestamp", n: "bigint?" }, "at");
  const seconds = { at: 1_767_225_600 };

  test("where nobody has said what numbers count", async () => {
    expect(await timesOf(topic, [seconds, { at: 5 }], [{ at: "2026-01-01T00:00:00Z" }])).toEqual([
      1_767_225_600, 1_767_225_600_000,
    ]);
  });
  test("but of no record that is no event", async () => {
    expect(await timesOf(topic, [{ at: "soon" }], [null], ["{"], [{ at: 7 }])).toEqual([7]);
  });
  test.each(["seconds", "milliseconds"] as const)("not where they count %s, as the spec says", async (unit) => {
    const fields = topic.fields.map((field) => (field.name === "at" ? { ...field, unit } : field));
    expect(await timesOf({ ...topic, fields }, [seconds])).toEqual([]);
  });
  test("not where the time is the record's own", async () => {
    expect(await timesOf(topicOf({ at: "timestamp" }), [seconds])).toEqual([]);
  });
});
