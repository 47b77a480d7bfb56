import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { KubeConfig } from "@kubernetes/client-node";
import { afterEach, describe, expect, test } from "vitest";
import { HttpKubeClient, type WatchEvent } from "./client.ts";
import {
  BadAnswer,
  Conflict,
  Forbidden,
  Gone,
  Invalid,
  KindNotServed,
  type KubeError,
  ServerFailed,
  TooManyRequests,
  Unreachable,
} from "./errors.ts";
import { resources } from "./object.ts";
import { Transport } from "./transport.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A client of a server that gives these answers in turn, the last one for ever. */
async function clientOf(...answers: Answer[]) {
  const seen: { method: string; url: URL; body: string; type: string }[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const url = new URL(request.url ?? "", "http://server");
      seen.push({ method: request.method ?? "", url, body, type: request.headers["content-type"] ?? "" });
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      answer?.(request, response);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  const config = new KubeConfig();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  config.loadFromClusterAndUser({ name: "c", server: url, skipTLSVerify: true }, { name: "u" });
  const counted: string[] = [];
  const transport = new Transport(config, ({ code, method }) => counted.push(`${method} ${code}`));
  return { client: new HttpKubeClient(transport, { timeoutMs: 300 }), seen, counted };
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
const pod = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "ns" } };

describe("an answer is an error of its own class", () => {
  const cases: [number, new (...args: never[]) => KubeError][] = [
    [400, Invalid],
    [401, Forbidden],
    [403, Forbidden],
    [409, Conflict],
    [410, Gone],
    [422, Invalid],
    [500, ServerFailed],
    [503, ServerFailed],
  ];
  test.each(cases)("%d", async (status, type) => {
    const { client } = await clientOf(json(status, { kind: "Status", message: "why" }));
    await expect(client.apply(pod)).rejects.toBeInstanceOf(type);
    await expect(client.apply(pod)).rejects.toThrow("PATCH /api/v1/namespaces/ns/configmaps/a");
  });

  test("404 is undefined to a get, and done to a delete", async () => {
    const { client } = await clientOf(json(404, { kind: "Status", reason: "NotFound", details: { name: "a" } }));
    expect(await client.get(resources.configMap, "ns", "a")).toBeUndefined();
    await client.delete(resources.configMap, { namespace: "ns", name: "a" }, { uid: "u", resourceVersion: "1" });
  });

  const plain: Answer = (_request, response) => {
    response.writeHead(404, { "content-type": "text/plain" });
    response.end("404 page not found\n");
  };
  const html: Answer = (_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<html>Sign in</html>");
  };
  const aside: [string, Answer, new (...args: never[]) => KubeError][] = [
    ["in plain text", plain, KindNotServed],
    ["about something else", json(404, { kind: "Status", reason: "NotFound", details: { name: "b" } }), KindNotServed],
    ["without a name", json(404, { kind: "Status", reason: "NotFound", message: "no resource" }), KindNotServed],
    ["that is a page with 200", html, BadAnswer],
    ["that is another object", json(200, { metadata: { name: "b" } }), BadAnswer],
    ["that is no object", json(200, {}), BadAnswer],
  ];
  test.each(aside)("an answer %s never says that an object is gone", async (_how, answer, type) => {
    const { client } = await clientOf(answer);
    await expect(client.get(resources.configMap, "ns", "a")).rejects.toBeInstanceOf(type);
    if (type === KindNotServed)
      await expect(
        client.delete(resources.configMap, { namespace: "ns", name: "a" }, { uid: "u", resourceVersion: "1" }),
      ).rejects.toBeInstanceOf(type);
    await expect(client.list(resources.configMap, "ns", {})).rejects.toBeInstanceOf(type);
  });
});

test("a message never holds what was sent", async () => {
  const { client } = await clientOf(json(500, { kind: "Status", message: "no" }));
  const error = await client
    .create({ ...pod, kind: "Secret", stringData: { password: "hunter2" } })
    .catch((reason: unknown) => reason);
  expect(String(error)).not.toContain("hunter2");
});

test("a message of the server is cut short", async () => {
  const { client } = await clientOf(json(422, { kind: "Status", message: "x".repeat(10_000) }));
  await expect(client.apply(pod)).rejects.toThrow(/^.{1,700}$/s);
});

test("429 is tried again after the time that the server asks for", async () => {
  const busy = json(429, { message: "busy" }, { "retry-after": "1" });
  const { client, seen, counted } = await clientOf(busy, json(200, pod));
  const begun = performance.now();
  await client.apply(pod);
  expect(performance.now() - begun).toBeGreaterThanOrEqual(950);
  expect(seen).toHaveLength(2);
  expect(counted).toEqual(["PATCH 429", "PATCH 200"]);
});

test("429 for ever is an error with that time", async () => {
  const { client } = await clientOf(json(429, { message: "busy" }, { "retry-after": "0.01" }));
  const error = await client.apply(pod).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TooManyRequests);
});

describe("what is no answer", () => {
  test("a server that is silent", async () => {
    const { client, counted } = await clientOf(() => undefined);
    await expect(client.get(resources.configMap, "ns", "a")).rejects.toBeInstanceOf(Unreachable);
    expect(counted).toEqual(["GET <error>"]);
  });

  test("a body that does not end", async () => {
    const { client } = await clientOf((_request, response) => void response.write("{"));
    await expect(client.get(resources.configMap, "ns", "a")).rejects.toBeInstanceOf(Unreachable);
  });

  test("a connection that is cut", async () => {
    const { client } = await clientOf((request) => request.socket.destroy());
    await expect(client.get(resources.configMap, "ns", "a")).rejects.toBeInstanceOf(Unreachable);
  });

  test("JSON that is truncated", async () => {
    const { client } = await clientOf((_request, response) => response.end('{"kind":"Conf'));
    await expect(client.get(resources.configMap, "ns", "a")).rejects.toBeInstanceOf(BadAnswer);
  });
});

test("apply is server-side, of the whole object, by one field manager", async () => {
  const { client, seen } = await clientOf(json(200, pod));
  await client.apply({ ...pod, metadata: { ...pod.metadata, resourceVersion: "7" } });
  expect(seen[0]).toMatchObject({ method: "PATCH", type: "application/apply-patch+yaml" });
  expect(Object.fromEntries(seen[0]?.url.searchParams ?? [])).toEqual({ fieldManager: "caudal", force: "true" });
  expect(JSON.parse(seen[0]?.body ?? "")).toMatchObject({ metadata: { resourceVersion: "7" } });
});

test("a delete names the uid and version that it is for", async () => {
  const { client, seen } = await clientOf(json(200, { kind: "Status" }));
  await client.delete(resources.configMap, { namespace: "ns", name: "a" }, { uid: "u", resourceVersion: "7" });
  expect(JSON.parse(seen[0]?.body ?? "")).toMatchObject({ preconditions: { uid: "u", resourceVersion: "7" } });
});

describe("a watch", () => {
  const event = (name: string) => `${JSON.stringify({ type: "ADDED", object: { metadata: { name } } })}\n`;
  const watch = async (...answers: Answer[]) => {
    const { client, seen } = await clientOf(...answers);
    const events: string[] = [];
    const onEvent = ({ object }: WatchEvent) => void events.push(object.metadata.name);
    const query = { timeoutSeconds: "1", resourceVersion: "5" };
    const ended = client.watch(resources.configMap, "ns", query, onEvent, new AbortController().signal);
    return { ended, events, seen };
  };

  test("reads events that come in pieces, also within a letter", async () => {
    const bytes = Buffer.from(event("ä") + event("b"));
    const { ended, events, seen } = await watch((_request, response) => {
      response.write(bytes.subarray(0, 40));
      setTimeout(() => response.write(bytes.subarray(40, 42)), 20);
      setTimeout(() => response.end(bytes.subarray(42)), 40);
    });
    await ended;
    expect(events).toEqual(["ä", "b"]);
    expect(Object.fromEntries(seen[0]?.url.searchParams ?? [])).toMatchObject({
      watch: "true",
      allowWatchBookmarks: "true",
    });
  });

  test("fails when its connection is cut, after the events that came", async () => {
    const { ended, events } = await watch((request, response) => {
      response.write(event("a"));
      setTimeout(() => request.socket.destroy(), 20);
    });
    await expect(ended).rejects.toBeInstanceOf(Unreachable);
    expect(events).toEqual(["a"]);
  });

  test("fails for JSON that is truncated", async () => {
    const { ended } = await watch((_request, response) => response.end('{"type":"ADD\n'));
    await expect(ended).rejects.toBeInstanceOf(BadAnswer);
  });

  test("that is refused is an error of its class", async () => {
    const { ended } = await watch(json(410, { kind: "Status", message: "too old" }));
    await expect(ended).rejects.toBeInstanceOf(Gone);
  });
});
