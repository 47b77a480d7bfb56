/** `caudal run` on every example with its sample events, against DuckDB. */
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { type StreamPipeline, withDefaults } from "@caudal/crds";
import { parsePipelines } from "../../cli/src/pipeline/read.ts";
import { repository as root } from "../cluster/host/paths.ts";
import { caudal } from "./support/caudal.ts";
import { comparable, expectedTables, ordered, type Row } from "./support/oracle.ts";

vi.setConfig({ testTimeout: 120_000 });

interface Output {
  readonly tables: Readonly<Record<string, readonly Row[]>>;
  readonly topics: Readonly<Record<string, readonly { readonly value: unknown }[]>>;
  readonly files: Readonly<Record<string, readonly Row[]>>;
  readonly redis: Readonly<Record<string, readonly { readonly key: string }[]>>;
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

test("banking: the panel counts what was decided, and Redis agrees with the history", async () => {
  const samples = "examples/banking/samples";
  const pipeline = "examples/banking/pipeline.yaml";
  const topic = "processed-transactions";
  const lookups = { conta: "contas", limite: "limites", regiao: "regioes" };
  const { code, stdout } = await caudal([
    ...["run", pipeline, "-i", `${samples}/transactions.jsonl`, "-o", "json"],
    ...Object.entries(lookups).flatMap(([name, file]) => ["--lookup", `${name}=${samples}/${file}.jsonl`]),
  ]);
  expect(code).toBe(0);
  const { tables, topics, redis } = JSON.parse(stdout) as Output;
  const folder = mkdtempSync(join(tmpdir(), "caudal-banking-"));
  try {
    const file = join(folder, "decided.jsonl");
    writeFileSync(file, (topics[topic] ?? []).map(({ value }) => `${JSON.stringify(value)}\n`).join(""));
    const [written] = parsePipelines(readFileSync(join(root, pipeline), "utf8"), pipeline);
    const { spec } = withDefaults(written as unknown as StreamPipeline);
    const [panel] = spec.aggregators ?? [];
    const declared = spec.topics.find(({ name }) => name === topic);
    if (panel === undefined || declared === undefined) throw new TypeError("banking has a panel");
    for (const [table, rows] of Object.entries(await expectedTables(file, declared, panel))) {
      expect(ordered((tables[table] ?? []).map(comparable)), table).toEqual(ordered(rows));
      expect(rows.length).toBeGreaterThan(4);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const history = (tables["transacoes"] ?? []).map((row) => `transacao:${String(row["id_transacao"])}`);
  expect(redis["store.hot"]?.map(({ key }) => key).sort()).toEqual(history.sort());
});

test("customers: the lean stream, the lake, and each customer as the last event says", async () => {
  const sample = "examples/customers/samples/psg-customers.jsonl";
  const { tables, topics, files } = await run("examples/customers/pipeline.yaml", sample);
  const events = readFileSync(join(root, sample), "utf8").trimEnd().split("\n");
  const customers = events.map((line) => JSON.parse(line) as Record<string, string | number | null>);
  const lean = customers.map(({ id, nome, telefone, email, nascimento, dt_update }) => ({
    ...{ id, nome, telefone, email, dt_nascimento: nascimento },
    dt_updt_conv: String(dt_update).replace("T", " ").slice(0, 23),
  }));
  expect(topics["customers-stream"]?.map(({ value }) => value)).toEqual(lean);
  expect(files["lean.lake"]).toEqual(lean);
  const now = new Map(customers.map((customer) => [customer["id"], customer]));
  expect(now.size).toBeLessThan(customers.length);
  expect(tables["customers_now"]?.map(({ id, telefone }) => [id, telefone])).toEqual(
    [...now.values()].map(({ id, telefone }) => [id, telefone]),
  );
});
