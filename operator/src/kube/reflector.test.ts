import { pino } from "pino";
import { expect, test, vi } from "vitest";
import { Backoff } from "./backoff.ts";
import type { KubeClient, ListPage, WatchEvent } from "./client.ts";
import { BadAnswer, Forbidden, Gone, KindNotServed, Unreachable } from "./errors.ts";
import { type KubeObject, resources } from "./object.ts";
import { Reflector } from "./reflector.ts";

const log = pino({ level: "silent" });
const topic = (name: string, version: number, labels?: Record<string, string>): KubeObject => ({
  apiVersion: "kafka.strimzi.io/v1",
  kind: "KafkaTopic",
  metadata: { name, namespace: "ns", uid: name, resourceVersion: String(version), ...(labels && { labels }) },
});

type Watch = (
  query: Record<string, string>,
  onEvent: (event: WatchEvent) => void,
  signal: AbortSignal,
) => Promise<void>;

/** A server whose answers are given in turn; when they run out, its watches stay open and silent. */
function server(lists: (() => ListPage)[], watches: Watch[]) {
  const queries: Record<string, string>[] = [];
  const client = {
    list: async (_resource: unknown, _namespace: unknown, query: Record<string, string>) => {
      queries.push(query);
      const next = lists.length > 1 ? lists.shift() : lists[0];
      if (next === undefined) throw new Unreachable("no more lists");
      return next();
    },
    watch: async (_r: unknown, _n: unknown, query: Record<string, string>, onEvent: never, signal: AbortSignal) => {
      queries.push(query);
      const next = watches.shift();
      if (next !== undefined) return await next(query, onEvent, signal);
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    },
  } as unknown as KubeClient;
  return { client, queries };
}

function reflect(client: KubeClient) {
  const changes: string[] = [];
  const reflector = new Reflector({
    client,
    resource: resources.kafkaTopic,
    onChange: (object, previous) => changes.push(`${object.metadata.name}${previous === undefined ? " new" : ""}`),
    log,
    backoff: new Backoff(1, 5),
    pageSize: 2,
  });
  reflector.start();
  return { reflector, changes };
}

const page =
  (items: KubeObject[], resourceVersion = "10", next?: string): (() => ListPage) =>
  () => ({
    items,
    resourceVersion,
    next,
  });
const names = (reflector: Reflector) => [...reflector.store.all()].map(({ metadata }) => metadata.name).sort();

test("it lists in pages, and watches from the list's version with bookmarks in mind", async () => {
  const { client, queries } = server(
    [page([topic("a", 1), topic("b", 2)], "10", "more"), page([topic("c", 3)], "11")],
    [],
  );
  const { reflector } = reflect(client);
  await vi.waitUntil(() => queries.length === 3);
  expect(names(reflector)).toEqual(["a", "b", "c"]);
  expect(queries[1]).toMatchObject({ continue: "more", limit: "2" });
  expect(queries[2]).toMatchObject({ resourceVersion: "11" });
  expect(reflector.hasSynced).toBe(true);
  await reflector.stop();
});

test("a watch that ends is opened again where it ended, bookmarks included", async () => {
  const watch: Watch = async (_query, onEvent) => {
    onEvent({ type: "ADDED", object: topic("b", 12) });
    onEvent({ type: "BOOKMARK", object: topic("", 40) });
  };
  const { client, queries } = server([page([topic("a", 1)])], [watch]);
  const { reflector, changes } = reflect(client);
  await vi.waitUntil(() => queries.length === 3);
  expect(queries[2]).toMatchObject({ resourceVersion: "40" });
  expect(changes).toEqual(["a new", "b new"]);
  await reflector.stop();
});

test("a broken connection goes on from the last event, without another list", async () => {
  const watch: Watch = async (_query, onEvent) => {
    onEvent({ type: "DELETED", object: topic("a", 13) });
    throw new Unreachable("reset");
  };
  const { client, queries } = server([page([topic("a", 1)])], [watch]);
  const { reflector } = reflect(client);
  await vi.waitUntil(() => queries.length === 3);
  expect(queries[2]).toMatchObject({ resourceVersion: "13" });
  expect(names(reflector)).toEqual([]);
  await reflector.stop();
});

test.each<[string, Watch]>([
  ["as an answer", async () => Promise.reject(new Gone("too old"))],
  [
    "as an event",
    async (_query, onEvent) => onEvent({ type: "ERROR", object: { code: 410 } as unknown as KubeObject }),
  ],
])("an expired version %s leads to a new list, which also tells what went meanwhile", async (_how, watch) => {
  const lists = [page([topic("a", 1), topic("b", 2)]), page([topic("b", 2), topic("c", 20)], "30")];
  const { client, queries } = server(lists, [watch]);
  const { reflector, changes } = reflect(client);
  await vi.waitUntil(() => queries.length === 4);
  expect(names(reflector)).toEqual(["b", "c"]);
  expect(changes).toEqual(["a new", "b new", "c new", "a"]);
  expect(queries[3]).toMatchObject({ resourceVersion: "30" });
  await reflector.stop();
});

test("truncated JSON and failing lists are got over", async () => {
  const fail = () => {
    throw new BadAnswer("not JSON");
  };
  const { client } = server([fail, fail, page([topic("a", 1)])], [async () => Promise.reject(new BadAnswer("cut"))]);
  const { reflector } = reflect(client);
  await vi.waitUntil(() => reflector.hasSynced);
  expect(names(reflector)).toEqual(["a"]);
  await reflector.stop();
});

test("an older state of an object never replaces a newer one", async () => {
  const watch: Watch = async (_query, onEvent) => {
    onEvent({ type: "MODIFIED", object: topic("a", 20, { seen: "new" }) });
    onEvent({ type: "MODIFIED", object: topic("a", 15, { seen: "old" }) });
  };
  const { client, queries } = server([page([topic("a", 1)])], [watch]);
  const { reflector } = reflect(client);
  await vi.waitUntil(() => queries.length === 3);
  expect(reflector.store.get("ns", "a")?.metadata.labels).toEqual({ seen: "new" });
  await reflector.stop();
});

test("a kind that is not served is told, and read when it comes", async () => {
  const gone = (): ListPage => {
    throw new KindNotServed("404");
  };
  const lists = [gone];
  const { client } = server(lists, []);
  const { reflector } = reflect(client);
  await vi.waitUntil(() => reflector.trouble?.reason === "KindNotServed");
  expect(reflector.hasSynced).toBe(false);
  lists.splice(0, 1, page([topic("a", 1)]));
  await vi.waitUntil(() => reflector.hasSynced);
  await reflector.stop();
});

/** Opens and says nothing until it is given up. */
const silent: Watch = (_query, _onEvent, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Unreachable("given up"))));

test.each<[string, Watch]>([
  ["is silent", silent],
  ["is refused", async () => Promise.reject(new Forbidden("403"))],
  ["is answered with 404", async () => Promise.reject(new KindNotServed("404"))],
  ["ends at once", async () => undefined],
  ["has expired again and again", async () => Promise.reject(new Gone("410"))],
  ["hangs up", async () => Promise.reject(new Unreachable("reset"))],
])("while its watch %s, it lists, and says what is wrong", async (_how, watch) => {
  let clock = 0;
  let items = [topic("a", 1)];
  const { client } = server([() => ({ items, resourceVersion: "10", next: undefined })], Array(10_000).fill(watch));
  const changes: string[] = [];
  const reflector = new Reflector({
    client,
    resource: resources.kafkaTopic,
    onChange: ({ metadata }) => changes.push(metadata.name),
    log,
    backoff: new Backoff(1, 2),
    silenceMs: 20,
    clock: () => (clock += 1_000),
  });
  reflector.start();
  await vi.waitUntil(() => changes.includes("a"));
  items = [topic("a", 1), topic("b", 2)];
  await vi.waitUntil(() => changes.includes("b"), { timeout: 5_000 });
  await vi.waitUntil(() => reflector.trouble !== undefined, { timeout: 5_000 });
  await reflector.stop();
});

test("objects are found by the pipeline that their label names, also when the label changes", async () => {
  const watch: Watch = async (_query, onEvent) =>
    onEvent({ type: "MODIFIED", object: topic("a", 20, { "caudal.dev/pipeline": "two" }) });
  const { client, queries } = server([page([topic("a", 1, { "caudal.dev/pipeline": "one" })])], [watch]);
  const { reflector } = reflect(client);
  await vi.waitUntil(() => queries.length === 3);
  expect(reflector.store.ofPipeline("ns", "one")).toEqual([]);
  expect(reflector.store.ofPipeline("ns", "two").map(({ metadata }) => metadata.name)).toEqual(["a"]);
  await reflector.stop();
});
