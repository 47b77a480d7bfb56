/** The command line on the cluster: what docs/sql.md prints, streams, and words for what is not there. */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programFile, withBundle } from "../bundle.ts";
import { smallKafka } from "./support/kafka.ts";
import { apply, get, kubeconfig, kubectl, NAMESPACE, until, untilCondition } from "./support/kube.ts";
import { commandsIn, runPrinted } from "./support/printed.ts";

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);
const env = { ...process.env, KUBECONFIG: kubeconfig };

const page = readFileSync(join(root, "docs/sql.md"), "utf8");
const commands = commandsIn(page).filter((line) => line.includes(" -e "));

/** What a command must show, by a part of it that names it. */
const shows: readonly (readonly [part: string, pattern: RegExp])[] = [
  ["-e 'show topics'", /app-events\s+6\s+\d+\s+user_id\s+5 fields/],
  ["show connectors", /event_counts\s+metrics\s+app-events\s+tumbling 1m[\s\S]*app-events\s+yes\s/],
  ["print app-events", /"event_type":/],
  ["group by 1", /^\{"event_type":"click","n":\d+\}$/m],
  ["emit changes", /^user_id,event_ts\n(u\d+,2.*\n){5}$/],
  ["from event_counts", /^(\{"window_start":"2.*"count":\d+.*\}\n){5}$/],
];

async function caudal(
  args: readonly string[],
  input = "",
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [programFile("caudal"), ...args], { env });
  child.stdin.end(input);
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, stdout, stderr };
}

describe("docs/sql.md", () => {
  // On a new cluster: one window has four types of event, and the page shows five rows.
  beforeAll(async () => {
    const psql = ["psql", "events_storage", "-Atc", "select count(*) >= 5 from event_counts"];
    const enough = ["-n", NAMESPACE, "exec", "app-events-db-1", "-c", "postgres", "--", ...psql];
    await until("rows of a second window", 240, async () => (await kubectl(enough)).trim() === "t");
  });

  it("has a command for each thing to ask", () => {
    for (const [part] of shows)
      expect(
        commands.filter((command) => command.includes(part)),
        part,
      ).toHaveLength(1);
  });

  it.each(commands)("%s", async (printed) => {
    const [, pattern] = shows.find(([part]) => printed.includes(part)) ?? [];
    expect(await runPrinted(withBundle(printed), 120_000)).toMatch(pattern ?? /^$/);
  });
});

describe("caudal on the cluster", () => {
  it("status shows conditions and stages, and ends with 0 for a pipeline that is ready", async () => {
    const { code, stdout } = await caudal(["status", "app-events", "-n", NAMESPACE]);
    expect(stdout).toMatch(/app-events\s+Ready\s+True/);
    expect(stdout).toMatch(/app-events\s+metrics\s+aggregator\s+Running/);
    expect(code).toBe(0);
  });

  it.each<[args: string[], words: string, code: number]>([
    [["sql", "nothing", "-n", NAMESPACE, "-e", "show tables"], "has no pipeline nothing: it has app-events", 1],
    [["sql", "-n", "kube-public", "-e", "show tables"], "namespace kube-public has no pipeline", 2],
    [["sql", "--context", "nowhere", "-e", "show tables"], "the kubeconfig has no context nowhere", 2],
    [["sql", "app-events", "-n", NAMESPACE, "-e", "select usr from app-events"], "Candidate bindings", 1],
    [["sql", "app-events", "-n", NAMESPACE, "-e", "select * from app-event"], 'did you mean "app-events"?', 1],
    [["sql", "app-events", "-n", NAMESPACE, "-e", "\\d event_count"], "did you mean event_counts", 1],
    [["sql", "app-events", "-n", NAMESPACE, "-e", "drop table event_counts"], "read-only transaction", 1],
    [["status", "nothing", "-n", NAMESPACE], `namespace ${NAMESPACE} has no pipeline nothing`, 1],
  ])("%j says why it cannot be", async (args, words, code) => {
    const ended = await caudal(args);
    expect(ended.stderr).toContain(words);
    expect(ended.code).toBe(code);
  });
});

it("a script from standard input has backslash commands, and joins a topic with a table", async () => {
  const script = `\\pset null none
    \\d event_c*
    select e.user_id, c.count from app-events e
      join event_counts c on c.event_type = e.event_type limit 1 \\gx`;
  const { code, stdout, stderr } = await caudal(["sql", "app-events", "-n", NAMESPACE, "-f", "-"], script);
  expect(stderr).toBe('NULL is shown as "none"\n');
  expect(stdout).toMatch(
    /event_counts\s+table\s+metrics writes it\n\(1 row\)\n── row 1 ─+\nuser_id {2}u\d+\ncount {4}\d+\n\(1 row\)\n$/,
  );
  expect(code).toBe(0);
});

describe("a stream", () => {
  const ask = async (sql: string) =>
    await caudal([
      "sql",
      "cli-streams",
      "-n",
      NAMESPACE,
      "-o",
      "json",
      "-e",
      "set 'auto.offset.reset' = 'earliest'",
      "-e",
      sql,
    ]);
  // Only so are lists merged by name: a client-side apply of a custom resource replaces them.
  const applyPipeline = async (yaml: string) =>
    await kubectl(["-n", NAMESPACE, "apply", "--server-side", "-f", "-"], yaml);
  beforeAll(async () => {
    await applyPipeline(STREAMS_PIPELINE);
    await untilCondition("cli-streams", "Ready", "True", 300);
  });
  afterAll(async () => {
    await kubectl(
      ["-n", NAMESPACE, "delete", "streampipeline", "cli-streams", "--ignore-not-found", "--timeout=120s"],
      "",
      150_000,
    );
  });

  it("is a transform that CREATE STREAM writes into the pipeline, and runs", async () => {
    const created = await ask(
      "create stream cli-even as select id, tick, tick * 10 as tens from cli-ticks where tick % 2 = 0",
    );
    expect(created.stderr).toContain(
      "written into StreamPipeline/cli-streams by the field manager caudal-sql-cli-even",
    );
    expect(created.code).toBe(0);
    await untilCondition("cli-streams", "Ready", "True", 300);
    expect((await ask("show streams")).stdout).toContain(
      '"stream":"cli-even","from":"cli-ticks","to":"topic cli-even"',
    );
    const { stdout } = await ask("select tick, tens from cli-even emit changes limit 5");
    const rows = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { tick: number; tens: number });
    expect(rows).toHaveLength(5);
    for (const { tick, tens } of rows) expect([tick % 2, tens]).toEqual([0, tick * 10]);
  });

  it("stays when the pipeline's file is applied again on the server's side, and goes with DROP STREAM", async () => {
    await applyPipeline(STREAMS_PIPELINE.replace("rate: 20", "rate: 21"));
    const specOf = async () => (await get("streampipeline", "cli-streams"))?.spec;
    expect(await specOf()).toMatchObject({ transforms: [{ name: "cli-even" }], generators: [{ rate: 21 }] });
    const dropped = await ask("drop stream cli-even");
    expect(dropped.stderr).toContain("the stream cli-even left StreamPipeline/cli-streams");
    const spec = await specOf();
    expect(spec?.["transforms"] ?? []).toEqual([]);
    expect((spec?.["topics"] as { name: string }[]).map(({ name }) => name)).toEqual(["cli-ticks"]);
    await untilCondition("cli-streams", "Ready", "True", 300);
  });
});

describe("a listener with TLS and SCRAM", () => {
  const namespace = "caudal-cli-safe";
  beforeAll(async () => {
    await kubectl(["create", "namespace", namespace]);
    await apply(
      smallKafka(
        "safe",
        "{ name: safe, port: 9094, type: internal, tls: true, authentication: { type: scram-sha-512 } }",
      ),
      namespace,
    );
    await apply(SAFE_PIPELINE, namespace);
    await untilCondition("safe", "Ready", "True", 300, undefined, namespace);
  });
  afterAll(async () => {
    // The topic goes with the pipeline, and while there is a Kafka to remove it from.
    for (const kinds of ["streampipelines", "kafkatopics,kafkausers", "kafkanodepools,kafkas"])
      await kubectl(["-n", namespace, "delete", kinds, "--all", "--timeout=120s"], "", 150_000);
    await kubectl(["delete", "namespace", namespace, "--timeout=120s"], "", 150_000);
  });

  it("is reached by the name in its certificate, with the pipeline's own user", async () => {
    const reach = ["sql", "safe", "-n", namespace, "-o", "json", "-e", "print ticks from beginning limit 3"];
    const { code, stdout, stderr } = await caudal(reach);
    expect(stderr).toBe("");
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { offset: number }).offset),
    ).toHaveLength(3);
    expect(code).toBe(0);
  });
});

describe("kubectl caudal", () => {
  const folder = mkdtempSync(join(tmpdir(), "caudal-plugin-"));
  const plugin = join(folder, "kubectl-caudal");
  beforeAll(() => symlinkSync(join(root, "cli/dist/main.js"), plugin));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is the bundled program, which kubectl starts by this name", async () => {
    const { stdout } = await run(plugin, ["sql", "app-events", "-n", NAMESPACE, "-e", "show tables"], { env });
    expect(stdout).toMatch(/event_counts\s+metrics/);
  });
});

const SAFE_PIPELINE = `
apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: safe }
spec:
  deletionPolicy: Delete
  kafka: { clusterRef: { name: safe, listener: safe } }
  topics:
    - name: ticks
      partitions: 1
      fields: [{ name: id, type: uuid }]
  generators:
    - { name: clock, topic: ticks, rate: 10 }
`;

const STREAMS_PIPELINE = `
apiVersion: caudal.dev/v1alpha1
kind: StreamPipeline
metadata: { name: cli-streams }
spec:
  deletionPolicy: Delete
  kafka: { clusterRef: { name: platform, listener: plain } }
  topics:
    - name: cli-ticks
      partitions: 2
      key: id
      fields: [{ name: id, type: uuid }, { name: tick, type: integer }]
  generators:
    - { name: clock, topic: cli-ticks, rate: 20, values: [{ field: tick, sequence: {} }] }
`;
