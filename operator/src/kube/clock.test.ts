/** The machine's date is set forward or back while everything runs: nothing looks old, stuck or expired by it. */
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Health } from "@caudal/workloads/runtime/health";
import { Controller } from "../controller/controller.ts";
import { KeyedQueue } from "../controller/queue.ts";
import { StagePoller } from "../observe/stages.ts";
import { statusOf } from "../status/status.ts";
import { givenFacts, givenObservation, NOW } from "../testing/given.ts";
import type { KubeClient } from "./client.ts";
import { monotonic } from "./clock.ts";
import { LeaderElection } from "./lease.ts";
import { type KubeObject, resources } from "./object.ts";
import { Reflector } from "./reflector.ts";

const log = pino({ level: "silent" });
const HOUR = 3_600_000;
let jumped = 0;
beforeEach(() => {
  jumped = 0;
  const real = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => real() + jumped);
});
afterEach(() => vi.restoreAllMocks());

/** A Lease that anybody may write. */
function leaseClient() {
  let lease: KubeObject | undefined;
  let version = 0;
  const put = async (object: KubeObject) => {
    lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } };
    return lease;
  };
  return { get: async () => lease, create: put, replace: put } as unknown as KubeClient;
}

function electionOf(client: KubeClient, identity: string, onStopped: () => void) {
  const about = { client, namespace: "ns", name: "lease", identity, log };
  const election = new LeaderElection({
    ...about,
    onStarted: () => undefined,
    onStopped,
    durationMs: 1_000,
    retryMs: 20,
  });
  election.start();
  return election;
}

describe.each([
  ["forward", HOUR],
  ["back", -HOUR],
])("a date that is set %s by an hour", (_direction, ms) => {
  test("ends no leadership, and gives none to another", async () => {
    const client = leaseClient();
    const stopped = vi.fn();
    const first = electionOf(client, "first", stopped);
    await vi.waitUntil(() => first.isLeader);
    const second = electionOf(client, "second", () => undefined);
    const { lastActivity } = second;
    await vi.waitUntil(() => second.lastActivity > lastActivity);
    jumped = ms;
    const jumpedAt = second.lastActivity;
    await vi.waitUntil(() => second.lastActivity > jumpedAt + 100);
    expect([first.isLeader, second.isLeader, stopped.mock.calls.length]).toEqual([true, false, 0]);
    expect(monotonic() - first.lastActivity).toBeLessThan(60_000);
    await Promise.all([first.stop(), second.stop()]);
  });

  test("makes no watch old or still", async () => {
    const client = {
      list: async () => ({ items: [], resourceVersion: "1", next: undefined }),
      watch: async (...[, , , , signal]: [unknown, unknown, unknown, unknown, AbortSignal]) =>
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    } as unknown as KubeClient;
    const reflector = new Reflector({ client, resource: resources.pod, onChange: () => undefined, log });
    reflector.start();
    await vi.waitUntil(() => reflector.hasSynced);
    jumped = ms;
    expect(Math.abs(reflector.age)).toBeLessThan(60_000);
    expect(Math.abs(reflector.stillFor)).toBeLessThan(60_000);
    await reflector.stop();
  });

  test("makes no reconcile stuck, and delays no key", async () => {
    const queue = new KeyedQueue({});
    let end = (): void => undefined;
    const done: string[] = [];
    const reconcile = async (key: string) => {
      if (key === "ns/slow") await new Promise<void>((resolve) => (end = resolve));
      done.push(key);
      return {};
    };
    const controller = new Controller({ queue, reconcile, workers: 2, log });
    controller.start();
    queue.add("ns/slow");
    queue.addAfter("ns/later", 50);
    jumped = ms;
    queue.addAfter("ns/later", 60);
    await vi.waitUntil(() => done.includes("ns/later"));
    expect(controller.stuck()).toBeUndefined();
    end();
    await controller.stop();
  });

  test("leaves a process alive and ready", () => {
    const health = new Health(1);
    health.setReady(true, "");
    health.beat();
    const { heartbeat } = health.status();
    jumped = ms;
    expect([health.live().ok, health.ready().ok]).toEqual([true, true]);
    health.beat();
    expect(health.status().heartbeat - heartbeat).toBeLessThan(60_000);
  });

  test("of a pod's node makes its heartbeat neither old nor new", async () => {
    let heartbeat = NOW + ms;
    const pod = {
      metadata: { uid: "u", name: "p", namespace: "ns" },
      status: { phase: "Running", podIP: "127.0.0.1" },
    };
    let clock = 0;
    const poller = new StagePoller({
      pods: () => [pod as unknown as KubeObject],
      ask: async () => ({
        body: { generation: 2, state: "Running", heartbeat, events: 1, deadLetters: 0, lateEvents: 0, partitions: [] },
        bytes: 100,
      }),
      onChange: () => undefined,
      onAsked: () => undefined,
      log,
      clock: () => clock,
    });
    const ready = async () => {
      await poller.round();
      const answer = poller.of(pod as unknown as KubeObject)?.answer;
      const pods = givenObservation().pods.map((known) => ({ ...known, ...(answer && { status: answer }) }));
      const { conditions } = statusOf(givenFacts({ observation: givenObservation({ pods, clock }) })).status;
      return conditions?.find(({ type }) => type === "WorkloadsReady")?.reason;
    };
    expect(await ready()).toBe("WorkloadsReady");
    clock += 59_000;
    expect(await ready()).toBe("WorkloadsReady");
    clock += 2_000;
    expect(await ready()).toBe("HeartbeatOld");
    heartbeat -= HOUR;
    expect(await ready()).toBe("WorkloadsReady");
    await poller.stop();
  });
});
