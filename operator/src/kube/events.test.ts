import { pino } from "pino";
import { expect, test } from "vitest";
import type { KubeClient } from "./client.ts";
import { errorOf, type KubeError } from "./errors.ts";
import { EventRecorder, type Fact } from "./events.ts";
import type { KubeObject } from "./object.ts";

const about: KubeObject = { apiVersion: "v", kind: "K", metadata: { name: "a", namespace: "ns", uid: "u" } };
const fact: Fact = { type: "Warning", reason: "NotOwned", action: "Create", note: "x".repeat(2_000) };

function recorder(failure?: KubeError) {
  const written: string[] = [];
  const client = {
    create: async (object: KubeObject) => {
      if (failure !== undefined) throw failure;
      written.push(`create ${String(object["reason"])} ${String(object["note"]).length}`);
      return object;
    },
    patch: async (_resource: unknown, _at: unknown, patch: { series: { count: number } }) => {
      written.push(`count ${patch.series.count}`);
    },
  } as unknown as KubeClient;
  let now = 0;
  const levels: number[] = [];
  const log = pino({ level: "info" }, { write: (line) => levels.push((JSON.parse(line) as { level: number }).level) });
  const events = new EventRecorder({ client, reporter: "r", log, clock: () => now });
  return { events, written, levels, pass: (ms: number) => (now += ms) };
}

test("a fact is one event, whose note fits; repeats are counted, at most once a minute", async () => {
  const { events, written, pass } = recorder();
  for (let i = 0; i < 5; i++) await events.record(about, fact);
  expect(written).toEqual(["create NotOwned 1000"]);
  pass(61_000);
  await events.record(about, fact);
  expect(written).toEqual(["create NotOwned 1000", "count 6"]);
});

test("the same fact after ten minutes is a new event", async () => {
  const { events, written, pass } = recorder();
  await events.record(about, fact);
  pass(601_000);
  await events.record(about, fact);
  expect(written).toHaveLength(2);
});

test.each([
  [422, "a note that is too long", 40],
  [500, "etcd is away", 30],
  [403, "may not", 30],
  [403, 'events "a.1" is forbidden: unable to create new content in namespace ns because it is being terminated', 30],
])("an event that cannot be written stops nothing: %d %s is told at level %d", async (status, said, level) => {
  const { events, levels } = recorder(errorOf(status, "POST", said, 0));
  await events.record(about, fact);
  expect(levels).toEqual([level]);
});

test("that events are not written for a minute is a warning", async () => {
  const { events, levels, pass } = recorder(errorOf(403, "POST", "may not", 0));
  await events.record(about, fact);
  pass(61_000);
  await events.record(about, { ...fact, note: "another" });
  expect(levels).toEqual([30, 40]);
});
