import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  Conflict,
  type KubeError,
  ServerFailed,
  TooManyRequests,
  Unreachable,
} from "../../operator/src/kube/errors.ts";
import { type KubeObject, pathOf, resources } from "../../operator/src/kube/object.ts";
import { eventually } from "./support/eventually.ts";
import { crashAt, failSome, faulty } from "./support/faults.ts";
import { TestServer } from "./support/server.ts";
import { World } from "./support/world.ts";

let server: TestServer;
beforeAll(async () => {
  server = TestServer.shared();
});
afterAll(async () => await server.stop());

/** What must be the same whatever happened on the way: content without what the API server gives. */
function essence(objects: Iterable<KubeObject>, namespace: string): unknown[] {
  const text = (value: unknown) =>
    JSON.stringify(value, (key, entry: unknown) => (volatile.has(key) ? undefined : entry));
  return [...objects].map((object) => {
    const { metadata, status: _status, ...rest } = object;
    const { labels, annotations, ownerReferences, name } = metadata;
    const { "caudal.dev/owner": _owner, "caudal.dev/applied": _applied, ...kept } = annotations ?? {};
    const owned = ownerReferences?.length ?? 0;
    return JSON.parse(
      text({ ...rest, name: anonymous(name), labels, kept, owned }).replaceAll(namespace, "<namespace>"),
    ) as unknown;
  });
}

/** Differ from run to run: identity, and the hashes of what holds an identity. */
const volatile = new Set(["uid", "config.json", "caudal.dev/config-hash", "clusterIP", "clusterIPs"]);
const anonymous = (name: string) => name.replace(/-[0-9a-f]{8}$/, "-#");

async function drive(world: World): Promise<unknown[]> {
  await world.ready("app-events");
  await world.apply("app-events", (spec) => {
    spec.topics.push({ name: "extra", managed: true, partitions: 1 });
    spec.aggregators = [];
  });
  await eventually("the second generation is in place", async () => {
    await world.settle();
    const { status, metadata } = await world.pipeline("app-events");
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    return (
      status?.observedGeneration === metadata.generation && ready?.status === "True" && status.released?.length === 1
    );
  });
  await eventually("what was pruned is gone", async () => (await world.list(resources.service)).length === 1);
  return essence((await world.children()).values(), world.namespace).map(
    (object) => JSON.parse(JSON.stringify(object).replaceAll(/-[0-9a-f]{8}(?=")/g, "-#")) as unknown,
  );
}

describe("a crash", () => {
  let world: World;
  let undisturbed: unknown[];
  let writes = 0;
  beforeAll(async () => {
    world = await World.create(server);
    await world.operator({ client: faulty(server.client, { after: () => void writes++ }) });
    undisturbed = await drive(world);
    await world.stop();
    expect(undisturbed.length).toBeGreaterThan(5);
  });

  // What a crash before a write leaves behind is what one after the write before it leaves.
  test("before the first write, and after any write, leads to the same objects as no crash", async () => {
    expect(writes).toBeGreaterThan(20);
    expect(await driveWithCrash(1, "before"), "before write 1").toEqual(undisturbed);
    for (let at = 1; at <= writes; at++)
      expect(await driveWithCrash(at, "after"), `after write ${at}`).toEqual(undisturbed);
  }, 600_000);
});

/** The operator dies at one write; another begins where it stopped. */
async function driveWithCrash(at: number, when: "before" | "after"): Promise<unknown[]> {
  const world = await World.create(server);
  const faults = crashAt(at, when);
  const first = await world.operator({ client: faulty(server.client, faults) });
  const driven = drive(world);
  let over = false;
  void driven.then(() => (over = true)).catch(() => (over = true));
  // The last writes are of status alone, and their number varies: a run may end before it comes to this one.
  await eventually("the operator dies, or all is done", () => faults.crashed || over, 60);
  await first.stop();
  await world.operator({ identity: "operator-2" });
  const objects = await driven;
  await world.stop();
  return objects;
}

describe("answers", () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create(server);
  });
  afterEach(async () => await world.stop());
  const errors: [string, () => KubeError][] = [
    ["409", () => new Conflict("PATCH: 409")],
    ["429", () => new TooManyRequests("PATCH: 429", 50)],
    ["500", () => new ServerFailed("PATCH: 500")],
    ["a cut connection", () => new Unreachable("PATCH: socket hang up")],
  ];
  test.each(errors)("%s to every third write are got over", async (_name, error) => {
    const faults = failSome(3, error);
    await world.operator({ client: faulty(server.client, faults) });
    const objects = await drive(world);
    expect(faults.failed).toBeGreaterThan(3);
    expect(objects.length).toBeGreaterThan(5);
  });
});

describe("two operators that both lead", () => {
  test("come to rest: nothing is written for long by either", async () => {
    const world = await World.create(server);
    // Without a lease, as after a pause that was longer than it.
    await world.operator({ identity: "operator-1", leaderElection: false });
    await world.operator({ identity: "operator-2", leaderElection: false });
    await drive(world);
    const versions = async () =>
      [...(await world.children())].map(([key, { metadata }]) => `${key} ${metadata.resourceVersion ?? ""}`);
    const before = await versions();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await versions()).toEqual(before);
    await world.stop();
  });

  test("an older plan never overwrites an object of a newer generation", async () => {
    const world = await World.create(server);
    const operator = await world.operator();
    await world.ready("app-events");
    await operator.stop();
    // As a newer leader left it, which this one has not heard of.
    await world.patch(resources.kafkaTopic, "app-events", {
      metadata: { annotations: { "caudal.dev/generation": "99" } },
      spec: { partitions: 12 },
    });
    await world.operator({ identity: "operator-2" });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect((await world.need(resources.kafkaTopic, "app-events")).spec?.["partitions"]).toBe(12);
    await world.stop();
  });

  test("the lease goes from one to the other when the first is stopped", async () => {
    const world = await World.create(server);
    const first = await world.operator({ identity: "operator-1" });
    await eventually("the first leads", () => first.isLeading);
    const second = await world.operator({ identity: "operator-2" });
    expect(second.isLeading).toBe(false);
    await first.stop();
    await eventually("the second leads", () => second.isLeading, 5);
    await world.stop();
  });
});

test("a watch whose resource version has expired lists again and misses nothing", async () => {
  const world = await World.create(server);
  let expire = true;
  const client = new Proxy(server.client, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]): unknown => {
        if (name === "watch" && expire) {
          const [, , query] = args as [unknown, unknown, Record<string, string>];
          // A version of long ago: the API server answers 410, as an event or at once.
          args[2] = { ...query, resourceVersion: "1" };
        }
        return Reflect.apply(method, target, args) as unknown;
      };
    },
  });
  await world.operator({ client });
  await world.kafka();
  await world.apply("app-events");
  expire = false;
  await eventually("the topic exists", async () => (await world.get(resources.kafkaTopic, "app-events")) !== undefined);
  await server.raw("DELETE", pathOf(resources.kafkaTopic, world.namespace, "app-events"));
  await eventually("it is made again", async () => (await world.get(resources.kafkaTopic, "app-events")) !== undefined);
  await world.stop();
});
