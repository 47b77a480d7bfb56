/** Pods of a tenant who means harm: silent ones by the thousand, and answers that are meant to cost the operator. */
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTcpServer, type Server as TcpServer, type Socket } from "node:net";
import { once } from "node:events";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resources } from "../../operator/src/kube/object.ts";
import { type AskStage, askUrl } from "../../operator/src/observe/ask-stage.ts";
import { eventually } from "../api/support/eventually.ts";
import { TestServer } from "../api/support/server.ts";
import { healthyStage, type World } from "../api/support/world.ts";
import { CONTROL, shown, type Tenants, tenants, unexpected } from "./support/worlds.ts";

/** Of 2,000 the poller alone has a test: each of these is two writes to the API server. */
const SILENT = 60;
const ESCAPE = "\u001b[2J\u001b]0;owned\u0007\nReady  True\u202e\ud83d";

/** How mallory's pods answer, by name. */
const answers: Readonly<Record<string, RequestListener>> = {
  ...Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`endless-${index}`, endless])),
  redirect: (_request, response) => response.writeHead(302, { location: targetUrl() }).end(),
  "redirect-for-ever": (request, response) => response.writeHead(307, { location: request.url ?? "/" }).end(),
  trickle: (_request, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(" "), 50);
    response.on("close", () => clearInterval(timer));
  },
  "huge-headers": (_request, response) => {
    response.writeHead(200, { "x-large": "x".repeat(1024 * 1024) }).end("{}");
  },
  "unpacks-to-more": (_request, response) =>
    response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(32 * 1024 * 1024))),
  "deep-json": (_request, response) => response.end("[".repeat(200_000)),
  "no-object": (_request, response) => response.end("null"),
  prototype: (_request, response) =>
    response.end(JSON.stringify(healthyStage()).replace("{", '{"__proto__":{"isAdmin":true},"constructor":{"a":1},')),
  numbers: (_request, response) =>
    response.end(JSON.stringify(healthyStage({ deadLetters: 1 })).replace('"events":10', '"events":1e300')),
  dates: (_request, response) =>
    response.end(
      JSON.stringify(
        healthyStage({ lost: [{ output: "o", topic: "t", partition: 0, from: 0, to: 1, offsets: 1, at: 1e300 }] }),
      ),
    ),
  partitions: (_request, response) =>
    response.end(
      JSON.stringify(
        healthyStage({
          reads: { topic: "app-events", topicId: "x".repeat(10_000) },
          partitions: [{ topic: ESCAPE, partition: 2 ** 51, nextOffset: -(2 ** 51), endOffset: 2 ** 51, idle: false }],
        }),
      ),
    ),
  words: (_request, response) =>
    response.end(
      JSON.stringify(
        healthyStage({
          state: "Failed",
          error: { reason: ESCAPE, message: `${ESCAPE}${"m".repeat(100_000)}`, at: 1_700_000_000_000 },
          slot: { wal: ESCAPE, retained: 2 ** 52, behind: 2 ** 52 },
          lagUnknown: ESCAPE,
          columns: [{ name: ESCAPE, type: ESCAPE }],
        }),
      ),
    ),
};

function endless(_request: unknown, response: Parameters<RequestListener>[1]): void {
  const piece = Buffer.alloc(64 * 1024, " ");
  const write = () => {
    while (!response.destroyed && response.write(piece)) continue;
  };
  response.on("drain", write);
  write();
}

let server: TestServer;
let all: Tenants;
const servers: (Server | TcpServer)[] = [];
const urls = new Map<string, string>();
let target: Server;
/** Requests that a redirect led to. */
let misled = 0;
/** Questions of mallory's silent pods that are open now, and most at once. */
const open = { now: 0, most: 0, ever: 0 };
const sockets = new Set<Socket>();

const portOf = (one: Server | TcpServer): number => (one.address() as { port: number }).port;
const targetUrl = (): string => `http://127.0.0.1:${portOf(target)}/`;

async function listen<S extends Server | TcpServer>(one: S): Promise<S> {
  one.listen(0, "127.0.0.1");
  await once(one, "listening");
  servers.push(one);
  return one;
}

/** As over the network, by the pod's name in place of its address. */
const ask: AskStage = async ({ metadata }) => {
  const url = urls.get(metadata.name) ?? urls.get(metadata.name.startsWith("silent") ? "silent" : "honest");
  if (!metadata.name.startsWith("silent")) return await askUrl(url ?? expect.fail(`no address of ${metadata.name}`));
  open.ever++;
  open.most = Math.max(open.most, ++open.now);
  return await askUrl(url ?? "").finally(() => open.now--);
};

beforeAll(async () => {
  server = TestServer.shared();
  target = await listen(createServer((_request, response) => (misled++, response.end("{}"))));
  for (const [name, listener] of Object.entries(answers))
    urls.set(name, `http://127.0.0.1:${portOf(await listen(createServer(listener)))}/status`);
  const silent = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    socket.resume();
  });
  urls.set("silent", `http://127.0.0.1:${portOf(await listen(silent))}/status`);
  const honest = createServer((_request, response) => response.end(JSON.stringify(healthyStage())));
  urls.set("honest", `http://127.0.0.1:${portOf(await listen(honest))}/status`);
  all = await tenants(server, { askStage: ask });
});
afterAll(async () => {
  await all.stop();
  for (const one of servers) {
    if ("closeAllConnections" in one) one.closeAllConnections();
    one.close();
  }
  for (const socket of sockets) socket.destroy();
  await server.stop();
});

async function makePods(world: World, names: readonly string[]): Promise<void> {
  const rest = [...names];
  const one = async () => {
    for (let name = rest.shift(); name !== undefined; name = rest.shift())
      await world.pod("app-events", "metrics", name);
  };
  await Promise.all(Array.from({ length: 8 }, one));
}

describe("pods that bear our labels, of a pipeline that exists", () => {
  test("cost another namespace nothing: its pipeline becomes ready beside silent ones and those that answer badly", async () => {
    const { mallory, alice } = all;
    await mallory.apply("app-events");
    await makePods(mallory, [
      ...Object.keys(answers),
      ...Array.from({ length: SILENT }, (_, index) => `silent-${index}`),
    ]);
    await eventually("silent ones are asked", () => open.ever > 16);
    await alice.ready("app-events");
    // That of one namespace, whatever it does.
    expect(open.most).toBeLessThanOrEqual(8);
    expect(open.most).toBeGreaterThan(0);
  });

  test("a redirect is not followed", () => {
    expect(misled).toBe(0);
  });

  test("each is told as what it is, in words that do no harm", async () => {
    await eventually("the words of a pod are told", async () =>
      (await shown(all.mallory, "app-events")).some((text) =>
        text.includes("\\u001b[2J\\u001b]0;owned\\u0007 Ready  True\\u202e"),
      ),
    );
    for (const text of await shown(all.mallory, "app-events")) expect(text).not.toMatch(CONTROL);
  });

  test("and nothing that nobody had thought of happened; no prototype was changed", () => {
    expect(unexpected(all.log)).toEqual([]);
    for (const line of all.log) expect(line).not.toMatch(CONTROL);
    expect(({} as Record<string, unknown>)["isAdmin"]).toBeUndefined();
  });
});

test("a status that holds what a pod wrote comes to rest: what is written is what is read back", async () => {
  const { mallory } = all;
  for (const { metadata } of await mallory.list(resources.pod))
    if (metadata.name.startsWith("silent")) urls.set(metadata.name, urls.get("honest") ?? "");
  const version = async () => (await mallory.pipeline("app-events")).metadata.resourceVersion;
  let last = await version();
  let same = 0;
  // Reconciles come a second apart; ten looks without a write are several of them.
  await eventually("no status is written any more", async () => {
    await new Promise((resolve) => setTimeout(resolve, 400));
    const now = await version();
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 10;
  });
});

test("labels that name no stage of a pipeline are not asked at all", async () => {
  const { mallory } = all;
  const asked = { "/stranger": 0, "/known": 0 };
  const counted = await listen(
    createServer((request, response) => {
      asked[request.url as keyof typeof asked]++;
      response.end("{}");
    }),
  );
  for (const name of ["stranger", "known"]) urls.set(name, `http://127.0.0.1:${portOf(counted)}/${name}`);
  await mallory.pod("no-such-pipeline", "metrics", "stranger");
  await mallory.pod("app-events", "metrics", "known");
  await eventually("the one that came later is asked", () => asked["/known"] > 2);
  expect(asked["/stranger"]).toBe(0);
});
