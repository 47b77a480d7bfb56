/** The program's own words and exit codes. */
import { describe, expect, test, vi } from "vitest";
import { caudal } from "./support/caudal.ts";

vi.setConfig({ testTimeout: 120_000 });

const example = "examples/app-events/pipeline.yaml";

describe("what is asked in a wrong way ends with 2 and says what to write", () => {
  test.each<[args: string[], words: string]>([
    [["runn"], "there is no command runn: write one of sql, run, validate, status"],
    [["run"], "name one file with a pipeline"],
    [["run", example, "--frobnicate"], "Unknown option '--frobnicate'"],
    [["run", example, "--output", "xml"], "--output xml: write one of table, json, csv"],
    [["run", example, "--events", "many"], "--events many: write a number"],
    [["run", example, "--table", "nothing"], "the pipeline writes no table nothing: choose one of event_counts"],
    [["run", "-", "--input", "-"], "standard input can be read once"],
    [["validate"], "name a file"],
  ])("%j", async (args, words) => {
    const { code, stderr } = await caudal(args);
    expect(stderr).toContain(words);
    expect(code).toBe(2);
  });
});

describe("what fails ends with 1", () => {
  test("a file that is not there", async () => {
    const { code, stderr } = await caudal(["validate", "nowhere.yaml"]);
    expect(stderr).toContain("cannot read nowhere.yaml: ENOENT");
    expect(code).toBe(1);
  });

  test("a pipeline that would be refused, with all its problems", async () => {
    const bad = `apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: Bad }
spec: { topics: [{ name: "a b" }] }`;
    const { code, stderr } = await caudal(["run", "-", "--events", "1"], bad);
    expect(stderr).toContain("- would be refused:");
    expect(stderr).toContain("lowercase RFC 1123 subdomain");
    expect(stderr).toContain("spec.kafka: Required value");
    expect(stderr).toContain('spec.topics[0].name: "a b" does not fit: topics in Kafka have letters, digits');
    expect(code).toBe(1);
  });
});

/** Constants that are computed while the SQL is bound: more than a container has, and more than anyone waits for. */
const unending = ["length(repeat('x', 4000000000)) > 0", "list_sum(range(2000000000)) > 0"];

describe.each(unending)("SQL with a constant that is too large to compute is refused in time: %s", (where) => {
  test.each(["validate", "run"])("by caudal %s", async (command) => {
    const pipeline = `apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: large }
spec:
  kafka: { clusterRef: { name: kafka, listener: plain } }
  database: { cluster: { storage: { size: 1Gi } } }
  topics: [{ name: in, fields: [{ name: id, type: string }] }]
  transforms:
    - { name: some, topic: in, where: "${where}", select: [id], to: [{ name: out, table: { name: out } }] }
`;
    const { code, stderr } = await caudal([command, "-"], pipeline);
    expect(stderr).toMatch(/spec.transforms\[some\]/);
    expect(stderr).not.toContain("    at ");
    expect(code).toBe(1);
  });
});

test("events come from standard input too", async () => {
  const event = { event_id: crypto.randomUUID(), user_id: "u", event_type: "view", event_ts: "2026-01-01T00:00:00Z" };
  const { code, stdout } = await caudal(
    ["run", example, "-i", "app-events=-", "-t", "event_counts", "-o", "json"],
    JSON.stringify(event),
  );
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    ...{ window_start: "2026-01-01T00:00:00Z", window_end: "2026-01-01T00:01:00Z" },
    ...{ event_type: "view", count: 1 },
  });
});

test("--help of the program names every command, that of a command its options", async () => {
  expect((await caudal(["--help"])).stdout).toMatch(/sql {2}.*\n.*run {2}.*\n.*validate {2}.*\n.*status {2}/);
  expect((await caudal(["run", "--help"])).stdout).toContain("--input TOPIC=FILE");
  expect((await caudal(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
