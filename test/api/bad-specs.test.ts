import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { checkFakeName } from "@caudal/workloads/generator/core/fake";
import { checkSql } from "@caudal/pipeline/sql";
import { pathOf, resources } from "../../operator/src/kube/object.ts";
import { eventually } from "./support/eventually.ts";
import { type RawAnswer, TestServer } from "./support/server.ts";
import { World } from "./support/world.ts";

interface BadSpec {
  readonly case: string;
  readonly name?: string;
  /** Places and what they become; null removes. */
  readonly set?: Readonly<Record<string, unknown>>;
  /** A place that becomes a text of 5,000 characters. */
  readonly long?: string;
  readonly after?: "create";
  readonly by: "api" | "operator";
  readonly reason?: string;
  readonly message: string;
}

const cases = parse(readFileSync(join(import.meta.dirname, "bad-specs.yaml"), "utf8")) as BadSpec[];
const example = readFileSync(join(import.meta.dirname, "../../examples/app-events/pipeline.yaml"), "utf8");

let server: TestServer;
let world: World;
beforeAll(async () => {
  server = TestServer.shared();
  world = await World.create(server);
  await world.kafka();
  await world.operator({
    askSql: (question) => checkSql(question, { cpuMs: 30_000 }),
    checkFakeName,
  });
});
afterAll(async () => {
  await world.stop();
  await server.stop();
});

test("there are at least 40 bad specs", () => {
  expect(cases.length).toBeGreaterThanOrEqual(40);
});

describe("refused by the API server", () => {
  test.each(cases.filter(({ by }) => by === "api"))("$case", async (bad) => {
    const name = bad.name ?? nameOf(bad);
    if (bad.after === "create") expect((await create(name, {})).status).toBe(201);
    const answer = bad.after === "create" ? await change(name, bad) : await create(name, places(bad));
    expect(answer.status).toBe(422);
    expect(String(answer.body["message"])).toContain(bad.message);
  });
});

describe("refused by ConfigValid=False", () => {
  test.each(cases.filter(({ by }) => by === "operator"))("$case", async (bad) => {
    const name = nameOf(bad);
    const answer = await create(name, places(bad));
    expect(answer.body).toMatchObject({ kind: "StreamPipeline" });
    // What needs no SQL may be told first, where the check of SQL takes long.
    await eventually("the message is told", async () => {
      const { message } = await world.expectCondition(name, "ConfigValid", "False", bad.reason);
      if (message.includes(bad.message)) return true;
      throw new TypeError(`it is: ${message}`);
    });
    const ready = await world.expectCondition(name, "Ready", "False", bad.reason);
    expect(ready.observedGeneration).toBe(1);
    // Nothing is made of it.
    expect(
      [...(await world.children()).values()].filter(
        ({ metadata }) => metadata.labels?.["caudal.dev/pipeline"] === name,
      ),
    ).toEqual([]);
    await world.remove(resources.streamPipeline, name);
  });

  test("leaves what runs as it is, and says so for the new generation", async () => {
    await world.appSecret("running");
    await world.apply("running");
    await world.expectCondition("running", "ConfigValid", "True");
    const before = [...(await world.children())].map(([key, { metadata }]) => `${key} ${metadata.generation ?? 0}`);
    await world.apply("running", (spec) => {
      for (const aggregator of spec.aggregators ?? []) aggregator.where = "nonsense = 1";
    });
    const condition = await world.expectCondition("running", "ConfigValid", "False", "SqlInvalid");
    expect(condition.observedGeneration).toBe(2);
    expect([...(await world.children())].map(([key, { metadata }]) => `${key} ${metadata.generation ?? 0}`)).toEqual(
      before,
    );
    await world.remove(resources.streamPipeline, "running");
  });

  test("a table that an older pipeline keeps in the same database", async () => {
    const shared = (table: string) => ({
      "spec.database": { secretRef: { name: "pg" } },
      "spec.aggregators.0.tables.0.name": table,
    });
    await create("claims-first", shared("claimed"));
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await create("claims-second", {
      ...shared("claimed"),
      "spec.aggregators.0.tables.1.name": "b",
      "spec.aggregators.0.tables.2.name": "c",
    });
    const condition = await world.expectCondition("claims-second", "ConfigValid", "False", "TableClaimed");
    expect(condition.message).toContain(`the pipeline ${world.namespace}/claims-first keeps a table claimed`);
    await world.expectCondition("claims-first", "ConfigValid", "True");
  });
});

describe("an unknown field", () => {
  const path = () => pathOf(resources.streamPipeline, world.namespace);
  const body = (name: string) => build(name, { "spec.topics.0.retention": "7d" });

  test("is refused where the client asks for strictness, as kubectl does", async () => {
    const answer = await server.raw("POST", path(), body("strict"), { query: { fieldValidation: "Strict" } });
    expect(answer.status).toBe(400);
    expect(String(answer.body["message"])).toContain('unknown field "spec.topics[0].retention"');
  });

  test("is pruned with a warning for others", async () => {
    const answer = await server.raw("POST", path(), body("pruned"), { query: { fieldValidation: "Warn" } });
    expect(answer.status).toBe(201);
    expect(answer.warnings.join()).toContain("unknown field");
    expect(JSON.stringify(answer.body["spec"])).not.toContain('retention":"7d');
  });
});

let counter = 0;
const names = new Map<BadSpec, string>();
function nameOf(bad: BadSpec): string {
  const known = names.get(bad) ?? `bad-${++counter}`;
  names.set(bad, known);
  return known;
}

function places({ set = {}, long }: BadSpec): Record<string, unknown> {
  return long === undefined ? { ...set } : { ...set, [long]: `user_id <> '${"x".repeat(5000)}'` };
}

function build(name: string, set: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const pipeline = parse(example) as Record<string, unknown> & { metadata: unknown };
  pipeline.metadata = { name, namespace: world.namespace };
  // Each case has topics of its own, so that pipelines do not meet.
  for (const [place, value] of Object.entries(set)) setAt(pipeline, place.split("."), value);
  return pipeline;
}

function setAt(target: unknown, [key = "", ...rest]: readonly string[], value: unknown): void {
  const holder = target as Record<string, unknown>;
  if (rest.length > 0) setAt((holder[key] ??= {}), rest, value);
  else if (value === null) Reflect.deleteProperty(holder, key);
  else holder[key] = value;
}

async function create(name: string, set: Readonly<Record<string, unknown>>): Promise<RawAnswer> {
  return await server.raw("POST", pathOf(resources.streamPipeline, world.namespace), build(name, set));
}

async function change(name: string, bad: BadSpec): Promise<RawAnswer> {
  const path = pathOf(resources.streamPipeline, world.namespace, name);
  const { body } = await server.raw("GET", path);
  const { resourceVersion } = body["metadata"] as { resourceVersion: string };
  const wanted = build(name, places(bad));
  return await server.raw("PUT", path, { ...wanted, metadata: { name, namespace: world.namespace, resourceVersion } });
}
