import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { checkAll } from "@caudal/pipeline/duckdb";
import { checkPipeline } from "./check.ts";
import { parsePipelines, readPipeline, type WrittenPipeline } from "./read.ts";

const root = join(import.meta.dirname, "../../..");

interface BadSpec {
  readonly case: string;
  readonly name?: string;
  readonly set?: Readonly<Record<string, unknown>>;
  readonly long?: string;
  readonly after?: "create";
  readonly reason?: string;
  readonly message: string;
}

/** What API server and operator refuse, in their own words, but for changes of what exists and listeners of a Kafka. */
const cases = (parse(readFileSync(join(root, "test/api/bad-specs.yaml"), "utf8")) as BadSpec[]).filter(
  ({ after, reason }) => after === undefined && reason !== "ListenerNotFound",
);
const example = readFileSync(join(root, "examples/app-events/pipeline.yaml"), "utf8");

describe("what the API server or the operator refuses is refused of a file, in the same words", () => {
  test.each(cases)("$case", async (bad) => {
    const { problems } = await checkPipeline(change(bad), checkAll);
    expect(problems.join("\n")).toContain(bad.message);
  });
});

test("an unknown field is refused with its place, as by kubectl", async () => {
  const { problems } = await checkPipeline(change({ set: { "spec.topics.0.retention": "7d" } }), checkAll);
  expect(problems.join("\n")).toContain('unknown field "spec.topics[0].retention"');
});

test.each(globSync("examples/**/*.yaml", { cwd: root }))("%s is accepted", async (file) => {
  for (const pipeline of parsePipelines(readFileSync(join(root, file), "utf8"), file))
    expect((await checkPipeline(pipeline, checkAll)).problems).toEqual([]);
});

test("a word that kubectl reads as true or false is no text, unless it is in quotes", async () => {
  const named = (name: string) => parsePipelines(example.replace("name: user_id, type", `name: ${name}, type`), "x")[0];
  const { problems } = await checkPipeline(named("n") ?? {}, checkAll);
  expect(problems.join("\n")).toContain("must be of type string: kubectl reads y, n, yes, no, on and off as false");
  const quoted = await checkPipeline(named('"n"') ?? {}, checkAll);
  expect(quoted.problems.join("\n")).not.toContain("must be of type string");
});

test("a file with two pipelines asks for one by name", () => {
  const two = `${example}\n---\n${example.replace("name: app-events", "name: other")}`;
  expect(parsePipelines(two, "x.yaml")).toHaveLength(2);
});

test("a file without a pipeline says what it should hold", async () => {
  await expect(readPipeline(join(root, "package.json"))).rejects.toThrow("kind: StreamPipeline");
});

test("text that is no YAML is refused with its place", () => {
  expect(() => parsePipelines("kind: [", "x.yaml")).toThrow(/x\.yaml is no YAML: .*line 1/);
});

function change({ name, set = {}, long }: Pick<BadSpec, "name" | "set" | "long">): WrittenPipeline {
  const pipeline = parse(example) as { metadata: { name: string } };
  if (name !== undefined) pipeline.metadata.name = name;
  const places = long === undefined ? set : { ...set, [long]: `user_id <> '${"x".repeat(5000)}'` };
  for (const [place, value] of Object.entries(places)) setAt(pipeline, place.split("."), value);
  return pipeline as unknown as WrittenPipeline;
}

function setAt(target: unknown, [key = "", ...rest]: readonly string[], value: unknown): void {
  const holder = target as Record<string, unknown>;
  if (rest.length > 0) setAt((holder[key] ??= {}), rest, value);
  else if (value === null) Reflect.deleteProperty(holder, key);
  else holder[key] = value;
}
