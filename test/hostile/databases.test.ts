/** Databases of a tenant who means harm: the operator connects to them when it removes a replication slot. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StreamPipeline } from "@caudal/crds";
import { resources } from "../../operator/src/kube/object.ts";
import { eventually } from "../api/support/eventually.ts";
import { TestServer } from "../api/support/server.ts";
import type { World } from "../api/support/world.ts";
import {
  askPassword,
  type BadDatabase,
  badDatabase,
  type Behaviour,
  endlessly,
  errorMessage,
  message,
  welcome,
} from "./support/databases.ts";
import { CONTROL, shown, type Tenants, tenants, unexpected } from "./support/worlds.ts";

const PASSWORD = "never-to-be-told";
const ESCAPE = "\u001b[31mowned\u0007\r\nReady";
const row = message("D", Buffer.concat([Buffer.from([0, 1, 0, 0, 0x40, 0]), Buffer.alloc(16 * 1024, "x")]));

/** Each with the sslmode of the Secret, and what is told. */
const databases: Readonly<Record<string, { behaviour: Behaviour; sslmode: string; told: RegExp }>> = {
  "takes-and-hangs": { behaviour: { tls: "silence" }, sslmode: "prefer", told: /slot/ },
  "hangs-after-login": {
    behaviour: { greet: (socket) => socket.write(welcome) },
    sslmode: "disable",
    told: /slot/,
  },
  "says-tls-and-hangs": { behaviour: { tls: "S" }, sslmode: "require", told: /slot/ },
  "has-no-tls": {
    behaviour: { tls: "N", greet: (socket) => socket.write(askPassword) },
    sslmode: "require",
    told: /TLS|SSL|clear text/i,
  },
  "nonsense-for-tls": { behaviour: { tls: "nonsense" }, sslmode: "require", told: /slot/ },
  "endless-greeting": {
    behaviour: { greet: endlessly(Buffer.alloc(64 * 1024, "N")) },
    sslmode: "disable",
    told: /slot/,
  },
  "endless-rows": {
    behaviour: { greet: (socket) => socket.write(welcome), answer: endlessly(row) },
    sslmode: "disable",
    told: /slot/,
  },
  "one-message-of-2-gigabytes": {
    behaviour: {
      greet: (socket) => {
        socket.write(Buffer.from([0x52, 0x7f, 0xff, 0xff, 0xff]));
        endlessly(Buffer.alloc(64 * 1024))(socket);
      },
    },
    sslmode: "disable",
    told: /slot/,
  },
  "words-that-obey": {
    behaviour: { greet: (socket) => socket.end(errorMessage(ESCAPE.repeat(5))) },
    sslmode: "disable",
    told: /\\u001b\[31mowned\\u0007 Ready/,
  },
};

const source =
  (secret: string) =>
  (spec: StreamPipeline["spec"]): void => {
    spec.aggregators = [];
    spec.database = undefined as never;
    delete (spec as Partial<typeof spec>).database;
    spec.generators = [];
    spec.topics = [{ name: secret, managed: true, fields: [{ name: "id", type: "integer", nullable: false }] }];
    spec.sources = [
      {
        name: "rows",
        topic: secret,
        postgres: { connectionSecretRef: { name: secret }, table: "public.t", mode: "cdc", resync: 0 },
      },
    ];
  };

let server: TestServer;
let all: Tenants;
const bad = new Map<string, BadDatabase>();
beforeAll(async () => {
  server = TestServer.shared();
  for (const [name, { behaviour }] of Object.entries(databases)) bad.set(name, await badDatabase(behaviour));
  all = await tenants(server, { slotsLimitMs: 60_000 });
  const { mallory } = all;
  await mallory.kafka();
  for (const [name, { sslmode }] of Object.entries(databases)) {
    const port = String(bad.get(name)?.port);
    await mallory.secret(name, { host: "127.0.0.1", port, dbname: "x", username: "u", password: PASSWORD, sslmode });
    await mallory.apply(name, source(name));
  }
  await eventually("all are planned", async () => (await mallory.list(resources.deployment)).length === bad.size);
  for (const name of Object.keys(databases)) await mallory.remove(resources.streamPipeline, name);
});
afterAll(async () => {
  for (const one of bad.values()) one.stop();
  await all.stop();
  await server.stop();
});

describe("databases that hang, that answer endlessly and that lie about TLS", () => {
  test("take no worker: another namespace's pipeline becomes ready while all of them are tried", async () => {
    await eventually("one is tried", () => [...bad.values()].some(({ count }) => count.ever > 0));
    await all.alice.ready("app-events");
    const open = [...bad.values()].reduce((sum, { count }) => sum + count.now, 0);
    // Two removals of a namespace at once; the end of a connection may be seen a moment later.
    expect(open).toBeLessThanOrEqual(4);
  });

  test.each(Object.keys(databases))("%s: the deletion tells it in words that do no harm", async (name) => {
    const told = databases[name]?.told ?? expect.fail();
    await eventually("it is told", async () => {
      const condition = await all.mallory.condition(name, "Ready");
      if (
        condition?.reason === "Deleting" &&
        /could not be removed/.test(condition.message) &&
        told.test(condition.message)
      )
        return true;
      throw new TypeError(`${condition?.reason ?? ""} ${condition?.message ?? ""}`);
    });
    for (const text of await shown(all.mallory, name)) expect(text).not.toMatch(CONTROL);
  });

  test("the password is told to none that has no TLS where the Secret asks for it, and is in no text", async () => {
    for (const name of ["has-no-tls", "says-tls-and-hangs", "nonsense-for-tls"]) {
      expect(bad.get(name)?.count.ever).toBeGreaterThan(0);
      expect(bad.get(name)?.heard()).not.toContain(PASSWORD);
    }
    for (const line of all.log) expect(line).not.toContain(PASSWORD);
    for (const name of Object.keys(databases)) expect(await textsOf(all.mallory, name)).not.toContain(PASSWORD);
  });

  test("and nothing that nobody had thought of happened", () => {
    expect(unexpected(all.log)).toEqual([]);
    for (const line of all.log) expect(line).not.toMatch(CONTROL);
  });
});

async function textsOf(world: World, name: string): Promise<string> {
  return (await shown(world, name)).join("\n");
}
