import { pino } from "pino";
import { expect, test } from "vitest";
import type { KubeObject } from "../kube/object.ts";
import { givenStage } from "../testing/given.ts";
import { StagePoller } from "./stages.ts";

const pod = (name: string, phase = "Running"): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "ns", uid: name, labels: { "caudal.dev/pipeline": "p" } },
  status: { phase, podIP: "10.0.0.1" },
});

function poller(ask: () => unknown, pods = [pod("a")]) {
  const changed: string[] = [];
  const results: string[] = [];
  let now = 1_000;
  const stages = new StagePoller({
    pods: () => pods,
    ask: async () => await Promise.resolve(ask()),
    onChange: (key) => changed.push(key),
    onAsked: (result) => results.push(result),
    log: pino({ level: "silent" }),
    now: () => now,
  });
  return { stages, changed, results, pass: (ms: number) => (now += ms), pods };
}
const partition = (nextOffset: number, endOffset: number) => ({
  topic: "t",
  partition: 0,
  nextOffset,
  endOffset,
  idle: false,
});

test("a pipeline is looked at again when what its status shows has changed, and not for every event", async () => {
  let answer = givenStage({ events: 1 });
  const { stages, changed } = poller(() => answer);
  await stages.round();
  answer = givenStage({ events: 500, heartbeat: 7, partitions: [partition(10, 10)] });
  await stages.round();
  expect(changed).toEqual(["ns/p"]);
  answer = givenStage({ state: "Failed" });
  await stages.round();
  expect(changed).toEqual(["ns/p", "ns/p"]);
  const slot = { wal: "reserved", retained: 1_000, behind: 0 };
  answer = givenStage({ state: "Failed", slot });
  await stages.round();
  answer = givenStage({ state: "Failed", slot: { ...slot, retained: 1_001, behind: 5 } });
  await stages.round();
  expect(changed).toEqual(["ns/p", "ns/p", "ns/p"]);
});

test("a pod that does not answer, or answers in another form, keeps its last answer beside the error", async () => {
  let fail = false;
  const { stages, results } = poller(() => (fail ? { nonsense: true } : givenStage()));
  await stages.round();
  fail = true;
  await stages.round();
  const asked = stages.of(pod("a"));
  expect(asked?.answer?.value.state).toBe("Running");
  expect(asked?.error).toContain("not of the agreed form");
  expect(results).toEqual(["ok", "error"]);
});

test("the lag of a minute ago is kept to tell whether it grows, and when dead letters grew", async () => {
  let answer = givenStage({ partitions: [partition(0, 100)] });
  const { stages, pass } = poller(() => answer);
  await stages.round();
  pass(60_000);
  answer = givenStage({ partitions: [partition(0, 900)], deadLetters: 3 });
  await stages.round();
  expect(stages.of(pod("a"))?.answer).toMatchObject({ previousLag: 100, deadLettersAt: 61_000 });
});

test("pods that do not run are not asked, and pods that went are forgotten", async () => {
  const { stages, results, pods } = poller(() => givenStage(), [pod("a"), pod("b", "Pending")]);
  await stages.round();
  expect(results).toEqual(["ok"]);
  pods.length = 0;
  await stages.round();
  expect(stages.of(pod("a"))).toBeUndefined();
});
