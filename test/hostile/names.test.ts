/**
 * Names of a tenant who means harm, in every place of a spec that takes one: each is refused in words, or made into
 * objects that are the pipeline's own. Nothing is made elsewhere, and nothing happens that nobody had thought of.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { StreamPipeline } from "@caudal/crds";
import { checkSql } from "@caudal/pipeline/sql";
import { pathOf, resources } from "../../operator/src/kube/object.ts";
import { eventually } from "../api/support/eventually.ts";
import { TestServer } from "../api/support/server.ts";
import { CONTROL, shown, type Tenants, tenants, unexpected } from "./support/worlds.ts";

const example = readFileSync(join(import.meta.dirname, "../../examples/app-events/pipeline.yaml"), "utf8");

const names = [
  "../../etc/passwd",
  "..",
  "other/secret",
  "a,b=c",
  "a in (b)",
  "!a",
  'a"; drop table x; --',
  "a'b",
  'a{le="+Inf"} 1\n# HELP x',
  "a\nlevel=error",
  "\u001b[2J",
  "\u202egnp",
  "a\u0000b",
  "__proto__",
  "constructor",
  "toString",
  "x".repeat(300),
  "é😀",
  " ",
  "$(id)",
  "{{ .Values }}",
  "%s%n",
];

type Spec = StreamPipeline["spec"];
const places: Readonly<Record<string, (spec: Spec, name: string) => void>> = {
  topic: (spec, name) => {
    for (const topic of spec.topics) topic.name = name;
    for (const stage of [...(spec.generators ?? []), ...(spec.aggregators ?? [])]) stage.topic = name;
  },
  field: (spec, name) => {
    for (const topic of spec.topics) topic.fields?.push({ name, type: "string", nullable: true });
  },
  stage: (spec, name) => {
    for (const stage of spec.aggregators ?? []) stage.name = name;
  },
  table: (spec, name) => {
    for (const [table] of (spec.aggregators ?? []).map(({ tables }) => tables))
      if (table !== undefined) table.name = name;
  },
  column: (spec, name) => {
    for (const { tables } of spec.aggregators ?? [])
      for (const table of tables) table.aggregates = [`count(*) as "${name.replaceAll('"', '""')}"`];
  },
  database: (spec, name) => {
    if (spec.database !== undefined) spec.database.name = name;
  },
  "secret of a database": (spec, name) => {
    spec.database = { secretRef: { name } };
  },
  "cluster of a database": (spec, name) => {
    spec.database = { clusterRef: { name } };
  },
  kafka: (spec, name) => {
    spec.kafka = { clusterRef: { name, listener: "plain" } };
  },
  listener: (spec, name) => {
    spec.kafka = { clusterRef: { name: "platform", listener: name } };
  },
  "key of a topic": (spec, name) => {
    for (const topic of spec.topics) topic.key = name;
  },
};

let server: TestServer;
let all: Tenants;
beforeAll(async () => {
  server = TestServer.shared();
  all = await tenants(server, {
    askSql: (question) => checkSql(question, { cpuMs: 30_000 }),
  });
  await all.mallory.kafka();
});
afterAll(async () => {
  await all.stop();
  await server.stop();
});

const send = async (name: string, spec: unknown) =>
  await server.raw("POST", pathOf(resources.streamPipeline, all.mallory.namespace), {
    ...(parse(example) as object),
    metadata: { name },
    spec,
  });

test.each(Object.keys(places))("each as the name of a %s", async (place) => {
  const { mallory, alice } = all;
  const accepted: string[] = [];
  for (const [index, name] of names.entries()) {
    const { spec } = parse(example) as { spec: Spec };
    places[place]?.(spec, name);
    const { status, body } = await send(`${place.replaceAll(" ", "-")}-${index}`, spec);
    expect([201, 422, 400]).toContain(status);
    if (status === 201) accepted.push(String((body["metadata"] as { name: string }).name));
  }
  for (const pipeline of accepted) {
    await eventually(
      `${pipeline} has a status`,
      async () => (await mallory.condition(pipeline, "Ready")) !== undefined,
    );
    for (const text of await shown(mallory, pipeline)) expect(text).not.toMatch(CONTROL);
    await mallory.remove(resources.streamPipeline, pipeline);
  }
  const made = [...(await mallory.children()).values()];
  for (const { metadata } of made) expect(metadata.labels?.["caudal.dev/pipeline"]).toMatch(/^[-a-z0-9]+$/);
  expect((await alice.children()).size).toBe(0);
  expect(unexpected(all.log)).toEqual([]);
  for (const line of all.log) expect(line).not.toMatch(CONTROL);
});

test("metrics hold a line for each, whatever they are named", async () => {
  const text = await (await fetch(`http://127.0.0.1:${all.operator.port}/metrics`)).text();
  for (const line of text.split("\n").filter((line) => line !== ""))
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .*|\w+(\{[^\n]*\})? [-+0-9.eInfNa]+)$/);
});

test("a name of a pipeline that is no name of Kubernetes is refused", async () => {
  for (const name of names) {
    const { status } = await send(name, (parse(example) as { spec: Spec }).spec);
    expect([201, 400, 422]).toContain(status);
    if (status === 201) expect(name).toMatch(/^[-a-z0-9]+$/);
  }
});
