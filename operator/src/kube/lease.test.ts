import { pino } from "pino";
import { describe, expect, test, vi } from "vitest";
import type { KubeClient } from "./client.ts";
import { Conflict, Unreachable } from "./errors.ts";
import { LeaderElection, microTime } from "./lease.ts";
import type { KubeObject } from "./object.ts";

/** One Lease, with the API server's conflicts. */
class LeaseServer {
  lease: KubeObject | undefined;
  away = false;
  #version = 0;
  readonly client = {
    get: async () => {
      if (this.away) throw new Unreachable("away");
      return structuredClone(this.lease);
    },
    create: async (object: KubeObject) => {
      if (this.lease !== undefined) throw new Conflict("exists");
      return this.#put(object);
    },
    replace: async (object: KubeObject) => {
      if (this.away) throw new Unreachable("away");
      if (object.metadata.resourceVersion !== this.lease?.metadata.resourceVersion) throw new Conflict("changed");
      return this.#put(object);
    },
  } as unknown as KubeClient;

  #put(object: KubeObject): KubeObject {
    this.lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    return structuredClone(this.lease);
  }
}

function candidate(server: LeaseServer, identity: string) {
  const election = new LeaderElection({
    client: server.client,
    namespace: "ns",
    name: "lease",
    identity,
    onStarted: () => undefined,
    onStopped: () => undefined,
    log: pino({ level: "silent" }),
    durationMs: 300,
    retryMs: 20,
  });
  election.start();
  return election;
}

describe("leader election", () => {
  test("one leads; the other begins when the first gives the lease back", async () => {
    const server = new LeaseServer();
    const first = candidate(server, "first");
    await vi.waitUntil(() => first.isLeader);
    const second = candidate(server, "second");
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(second.isLeader).toBe(false);
    await first.stop();
    await vi.waitUntil(() => second.isLeader, { timeout: 150 });
    expect(server.lease?.spec?.["leaseTransitions"]).toBe(2);
    await second.stop();
    expect(server.lease?.spec?.["holderIdentity"]).toBe("");
  });

  test("a leader that cannot renew stops before another may begin", async () => {
    const server = new LeaseServer();
    const first = candidate(server, "first");
    await vi.waitUntil(() => first.isLeader);
    server.away = true;
    await vi.waitUntil(() => !first.isLeader, { timeout: 290 });
    server.away = false;
    await first.stop();
  });

  test("a lease whose holder is gone is taken over after its duration", async () => {
    const server = new LeaseServer();
    await server.client.create({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "lease", namespace: "ns" },
      spec: { holderIdentity: "gone", renewTime: "2020-01-01T00:00:00.000000Z" },
    });
    const second = candidate(server, "second");
    await new Promise((resolve) => setTimeout(resolve, 150));
    // Its own clock counts, not the time in the lease.
    expect(second.isLeader).toBe(false);
    await vi.waitUntil(() => second.isLeader);
    await second.stop();
  });
});

test("a MicroTime has six digits", () => {
  expect(microTime(Date.parse("2026-01-01T00:00:00.120Z"))).toBe("2026-01-01T00:00:00.120000Z");
});
