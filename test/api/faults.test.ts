import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  Conflict,
  type KubeError,
  ServerFailed,
  TooManyRequests,
  Unreachable,
} from "../../operator/src/kube/errors.ts";
import { pathOf, resources } from "../../operator/src/kube/object.ts";
import { eventually } from "./support/eventually.ts";
import { failSome, faulty, type Write } from "./support/faults.ts";
import { TestServer } from "./support/server.ts";
import { World } from "./support/world.ts";

let server: TestServer;
beforeAll(async () => {
  server = TestServer.shared();
});
afterAll(async () => await server.stop());

async function drive(world: World): Promise<number> {
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
  return (await world.children()).size;
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
    expect(objects).toBeGreaterThan(5);
  });
});

describe("409 without an end", () => {
  let world: World;
  let refuses: (write: Write) => boolean;
  beforeEach(async () => {
    world = await World.create(server);
    const before = (write: Write) => {
      if (refuses(write)) throw new Conflict("PATCH: 409");
    };
    await world.operator({ client: faulty(server.client, { before }) });
  });
  afterEach(async () => await world.stop());

  test("to an object is told in status, and got over when it ends", async () => {
    refuses = ({ kind }) => kind === "KafkaTopic";
    await world.kafka();
    await world.apply("app-events");
    const { message } = await world.expectCondition("app-events", "TopicsReady", "False", "Conflict");
    expect(message).toContain("KafkaTopic/app-events");
    refuses = () => false;
    await eventually("it exists", async () => (await world.get(resources.kafkaTopic, "app-events")) !== undefined);
  });

  test("to status is told in an event, while the rest goes on", async () => {
    refuses = ({ isStatus }) => isStatus;
    await world.kafka();
    await world.apply("app-events");
    await eventually("it is told", async () =>
      (await world.list(resources.event)).some((event) => event["reason"] === "StatusNotWritten"),
    );
    expect(await world.get(resources.kafkaTopic, "app-events")).toBeDefined();
    refuses = () => false;
    await world.expectCondition("app-events", "ConfigValid", "True");
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
