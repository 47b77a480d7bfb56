/** `caudal run` on every example with its sample events, against DuckDB. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { type StreamPipeline, withDefaults } from "@caudal/crds";
import { parsePipelines } from "../../cli/src/pipeline/read.ts";
import { caudal, root } from "./support/caudal.ts";
import { comparable, expectedTables, ordered, type Row } from "./support/oracle.ts";

vi.setConfig({ testTimeout: 120_000 });

interface Output {
  readonly tables: Readonly<Record<string, readonly Row[]>>;
  readonly deadLetters: readonly { readonly place: string; readonly reason: string }[];
}

/** Examples whose stages all read the events themselves. */
const examples = globSync("examples/*/pipeline.yaml", { cwd: root }).flatMap((file) => {
  const events = join(dirname(file), "events.jsonl");
  return existsSync(join(root, events)) ? [{ file, events }] : [];
});

async function run(file: string, events: string): Promise<Output> {
  const { code, stdout, stderr } = await caudal(["run", file, "--input", events, "--output", "json"]);
  expect(stderr).not.toContain("Error");
  expect(code).toBe(0);
  return JSON.parse(stdout) as Output;
}

describe.each(examples)("$file", ({ file, events }) => {
  test("gives the tables that DuckDB computes from the events", async () => {
    const { tables } = await run(file, events);
    const [written] = parsePipelines(readFileSync(join(root, file), "utf8"), file);
    const { spec } = withDefaults(written as unknown as StreamPipeline);
    let compared = 0;
    for (const aggregator of spec.aggregators ?? []) {
      const topic = spec.topics.find(({ name }) => name === aggregator.topic);
      if (topic === undefined) continue;
      const expected = await expectedTables(join(root, events), topic, aggregator);
      for (const [table, rows] of Object.entries(expected)) {
        expect(ordered((tables[table] ?? []).map(comparable)), table).toEqual(ordered(rows));
        compared += rows.length;
      }
    }
    expect(compared).toBeGreaterThan(20);
  });
});

test("the sample of app-events has a late event, which counts, and three records that are no events", async () => {
  const { deadLetters } = await run("examples/app-events/pipeline.yaml", "examples/app-events/events.jsonl");
  expect(deadLetters.map(({ place, reason }) => `${place} ${reason}`)).toEqual([
    "events.jsonl:51 WrongType",
    "events.jsonl:62 MalformedJson",
    "events.jsonl:79 MissingField",
  ]);
});
