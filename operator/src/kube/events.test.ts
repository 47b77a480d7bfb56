import { pino } from "pino";
import { expect, test } from "vitest";
import type { KubeClient } from "./client.ts";
import { ServerFailed } from "./errors.ts";
import { EventRecorder, type Fact } from "./events.ts";
import type { KubeObject } from "./object.ts";

const about: KubeObject = { apiVersion: "v", kind: "K", metadata: { name: "a", namespace: "ns", uid: "u" } };
const fact: Fact = { type: "Warning", reason: "NotOwned", action: "Create", note: "x".repeat(2_000) };

function recorder(fail = false) {
  const written: string[] = [];
  const client = {
    create: async (object: KubeObject) => {
      if (fail) throw new ServerFailed("500");
      written.push(`create ${String(object["reason"])} ${String(object["note"]).length}`);
      return object;
    },
    patch: async (_resource: unknown, _at: unknown, patch: { series: { count: number } }) => {
      written.push(`count ${patch.series.count}`);
    },
  } as unknown as KubeClient;
  let now = 0;
  const log = pino({ level: "silent" });
  const events = new EventRecorder({ client, reporter: "r", log, clock: () => now });
  return { events, written, pass: (ms: number) => (now += ms) };
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

test("an event that cannot be written stops nothing", async () => {
  await expect(recorder(true).events.record(about, fact)).resolves.toBeUndefined();
});
