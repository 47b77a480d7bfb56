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
    ask: async () => {
      const body = await Promise.resolve(ask());
      return { body, bytes: JSON.stringify(body).length };
    },
    onChange: (key) => changed.push(key),
    onAsked: (result) => results.push(result),
    log: pino({ level: "silent" }),
    clock: () => now,
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

test("the lag of a minute ago is kept to tell whether it grows", async () => {
  let answer = givenStage({ partitions: [partition(0, 100)] });
  const { stages, pass } = poller(() => answer);
  await stages.round();
  pass(60_000);
  answer = givenStage({ partitions: [partition(0, 900)] });
  await stages.round();
  expect(stages.of(pod("a"))?.answer).toMatchObject({ previousLag: 100 });
});

test("pods that do not run are not asked, and pods that went are forgotten", async () => {
  const { stages, results, pods } = poller(() => givenStage(), [pod("a"), pod("b", "Pending")]);
  await stages.round();
  expect(results).toEqual(["ok"]);
  pods.length = 0;
  await stages.round();
  expect(stages.of(pod("a"))).toBeUndefined();
});

/** A crowd of pods of which only some answer; the test says when a silent one's time is over. */
class Crowd {
  now = 1_000;
  readonly asked: string[] = [];
  readonly open = new Map<string, (error: Error) => void>();
  readonly pods: KubeObject[] = [];
  readonly stages: StagePoller;

  constructor(bytes = 100) {
    this.stages = new StagePoller({
      pods: () => this.pods,
      ask: async ({ metadata: { name } }) => {
        this.asked.push(name);
        if (!name.startsWith("silent")) return { body: givenStage(), bytes };
        return await new Promise((_resolve, reject) => this.open.set(name, reject));
      },
      onChange: () => undefined,
      onAsked: () => undefined,
      log: pino({ level: "silent" }),
      clock: () => this.now,
    });
  }

  add(namespace: string, name: string): void {
    const made = pod(name);
    this.pods.push({ ...made, metadata: { ...made.metadata, namespace, resourceVersion: "1" } });
  }

  async giveUp(): Promise<void> {
    for (const [name, fail] of this.open) {
      this.open.delete(name);
      fail(new TypeError("timeout"));
    }
    await new Promise(setImmediate);
  }
}

test("two thousand silent pods of one namespace do not delay another's by a question", async () => {
  const crowd = new Crowd();
  for (let i = 0; i < 2000; i++) crowd.add("evil", `silent-${i}`);
  crowd.add("good", "a");
  for (let round = 0; round < 3; round++) {
    void crowd.stages.round();
    await new Promise(setImmediate);
  }
  expect(crowd.open.size).toBe(8);
  expect(crowd.asked.filter((name) => name === "a")).toHaveLength(3);
});

test("a pod that stays silent is asked less and less often, until it answers or something happens to it", async () => {
  const crowd = new Crowd();
  crowd.add("ns", "silent");
  const rounds = async (seconds: number) => {
    const before = crowd.asked.length;
    for (let passed = 0; passed < seconds; passed += 5) {
      crowd.now += 5_000;
      void crowd.stages.round();
      await crowd.giveUp();
    }
    return crowd.asked.length - before;
  };
  expect(await rounds(15)).toBe(3);
  expect(await rounds(600)).toBeLessThan(16);
  expect(await rounds(600)).toBeGreaterThan(5);
  const [silent] = crowd.pods;
  if (silent !== undefined) crowd.pods[0] = { ...silent, metadata: { ...silent.metadata, resourceVersion: "2" } };
  expect(await rounds(5)).toBe(1);
});

test("what is kept of a namespace's answers is bounded, and given back with its pods", async () => {
  const crowd = new Crowd(256 * 1024);
  for (let i = 0; i < 100; i++) crowd.add("evil", `loud-${i}`);
  crowd.add("good", "a");
  await crowd.stages.round();
  const errors = () => crowd.pods.flatMap((one) => crowd.stages.of(one)?.error ?? []);
  expect(errors()).toHaveLength(36);
  expect(errors()[0]).toBe("the answers of the pods in evil are longer than 16 MiB together");
  expect(crowd.stages.of(pod("a"))?.error).toBeUndefined();
  crowd.pods.splice(0, 50);
  await crowd.stages.round();
  await crowd.stages.round();
  expect(errors()).toEqual([]);
});
