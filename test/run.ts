/**
 * `npm test`: every check and every suite, from nothing to one line `N passed, N failed`.
 *
 *   npm test                      all but the long parts
 *   npm test -- --long            all of it
 *   npm test -- unit api          only these parts
 *   npm test -- --keep            leave the cluster up afterwards
 */
import { spawn } from "node:child_process";
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import bundlePrograms from "./bundle.ts";
import { dockerAnswers } from "./cluster/docker/cluster.ts";
import { helmBinary, kubernetesBinaries, s3ServerBinary } from "./cluster/host/binaries.ts";
import { ClusterError } from "./cluster/host/errors.ts";
import { ensureTestPrograms } from "./cluster/host/packages.ts";
import { progressTo } from "./cluster/host/progress.ts";
import { buildBaseImages } from "./cluster/native/up.ts";

const root = join(import.meta.dirname, "..");
const results = join(root, ".cache", "test-results");

interface Part {
  name: string;
  what: string;
  /** One after another, in this order. The others run beside them, and go on where these leave a processor. */
  onCluster?: true;
  /** Left out unless it is asked for, by --long or by its name. */
  long?: true;
  commands: readonly Command[];
}
/** A command that is one test by its exit code, or a vitest project that counts its own. */
type Command =
  | { readonly run: readonly string[]; readonly title: string }
  | { readonly vitest: string; readonly filesAtOnce?: number };

/** Those that need no cluster in the order in which they are begun: what is short fills the end. */
const parts: readonly Part[] = [
  {
    name: "demo",
    what: "everything from nothing to app-events, on a real cluster",
    onCluster: true,
    commands: [
      { title: "npm run demo fills the three tables", run: ["npm", "run", "-s", "demo"] },
      { title: "operator and stages started without a warning", run: ["node", "test/demo/quiet.ts"] },
    ],
  },
  {
    name: "contract",
    what: "Strimzi's and CloudNativePG's contracts",
    onCluster: true,
    commands: [{ vitest: "contract", filesAtOnce: 2 }],
  },
  {
    name: "charts",
    what: "helm lint, template, install, upgrade, test, uninstall; the dashboard's queries",
    onCluster: true,
    commands: [{ vitest: "charts", filesAtOnce: 2 }],
  },
  { name: "e2e", what: "end to end, with faults", onCluster: true, commands: [{ vitest: "e2e", filesAtOnce: 2 }] },
  {
    name: "e2e-long",
    what: "200,000 events with kills, and operators that take their time",
    onCluster: true,
    long: true,
    commands: [{ vitest: "e2e-long", filesAtOnce: 2 }],
  },
  {
    name: "static",
    what: "generated files, types, lint, formatting",
    commands: [
      { title: "generated files are what the schema gives", run: ["npm", "run", "-s", "verify"] },
      { title: "the types check", run: ["npm", "run", "-s", "typecheck"] },
      { title: "the linter finds nothing", run: ["npm", "run", "-s", "lint"] },
      { title: "the code is formatted", run: ["npm", "run", "-s", "format:check"] },
    ],
  },
  {
    name: "engine",
    what: "the workloads on a real broker and PostgreSQL",
    commands: [{ vitest: "engine", filesAtOnce: 2 }],
  },
  {
    name: "engine-long",
    what: "the workloads, while they, their brokers and servers are killed",
    long: true,
    commands: [{ vitest: "engine-long", filesAtOnce: 2 }],
  },
  {
    name: "chaos",
    what: "random faults, and every guard taken out once",
    long: true,
    commands: [{ vitest: "chaos", filesAtOnce: 2 }],
  },
  {
    name: "api-long",
    what: "the operator crashes at every write",
    long: true,
    commands: [{ vitest: "api-long" }],
  },
  { name: "api", what: "the operator on a real API server", commands: [{ vitest: "api", filesAtOnce: 2 }] },
  { name: "hostile", what: "a tenant who means harm", commands: [{ vitest: "hostile", filesAtOnce: 2 }] },
  { name: "unit", what: "pure parts, beside the code", commands: [{ vitest: "unit" }] },
  { name: "telemetry", what: "traces to a collector", commands: [{ vitest: "telemetry" }] },
];

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * The cluster that the demonstration has just made; without that part KUBECONFIG may name another, for the contract.
 * A KUBECONFIG that happens to be set never gets the faults of a whole run.
 */
function environment(): NodeJS.ProcessEnv {
  const own = join(root, ".cluster", "kubeconfig");
  return { ...process.env, KUBECONFIG: runs("demo") ? own : (process.env["KUBECONFIG"] ?? own) };
}

/** Runs one command with its output in a file; resolves to its exit code, 124 after `minutes`. */
function run(command: readonly string[], log: string, minutes: number): Promise<number> {
  const [file = "", ...args] = command;
  const output = openSync(log, "a");
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, env: environment(), stdio: ["ignore", output, output] });
    const timer = setTimeout(() => {
      console.error(`test: gave up on \`${command.join(" ")}\` after ${minutes} minutes`);
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), 20_000).unref();
    }, minutes * 60_000);
    const ended = (code: number) => {
      clearTimeout(timer);
      closeSync(output);
      resolve(code);
    };
    child.on("error", (error) => {
      console.error(`test: cannot start \`${file}\`: ${error.message}`);
      ended(127);
    });
    child.on("exit", (code, signal) => ended(code ?? (signal === "SIGTERM" ? 124 : 1)));
  });
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

/** The failures of a report, each with the first lines of its message; also of files that failed as a whole. */
function* failuresOf({ testResults }: Report): Generator<string> {
  const lines = (message: string | undefined) => (message ?? "").split("\n").slice(0, 12).join("\n    ");
  for (const { name, message, assertionResults } of testResults) {
    if (message !== "") yield `${relative(root, name)}\n    ${lines(message)}`;
    for (const { fullName, status, failureMessages } of assertionResults)
      if (status === "failed") yield `${relative(root, name)} > ${fullName}\n    ${lines(failureMessages?.[0])}`;
  }
}

/** What vitest counted; a run that wrote no report is one failure. */
function countReport(file: string, code: number): Count {
  try {
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    failures.push(...failuresOf(report));
    const failed = report.numFailedTests === 0 && (!report.success || code !== 0) ? 1 : report.numFailedTests;
    return { passed: report.numPassedTests, failed, skipped: report.numPendingTests + report.numTodoTests };
  } catch (error) {
    failures.push(`vitest left no report (exit code ${code}): ${String(error)}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

async function runCommand(command: Command, log: string): Promise<Count> {
  if ("vitest" in command) {
    const file = join(results, `${command.vitest}.json`);
    const options = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    if (command.filesAtOnce !== undefined) options.push(`--maxWorkers=${command.filesAtOnce}`);
    return countReport(file, await run(["vitest", "run", "--project", command.vitest, ...options], log, 40));
  }
  const before = existsSync(log) ? statSync(log).size : 0;
  const code = await run(command.run, log, 40);
  const printed = readFileSync(log).subarray(before).toString().trimEnd().split("\n");
  appendFileSync(log, `${code === 0 ? "✓" : "✗"} ${command.title}\n`);
  if (code !== 0) failures.push(`${command.title} (exit code ${code})\n    ${printed.slice(-12).join("\n    ")}`);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

function add(to: Count, count: Count): void {
  for (const key of ["passed", "failed", "skipped"] as const) to[key] += count[key];
}

const seconds = (since: number) => Math.round((Date.now() - since) / 1000);

/** Runs the commands of a part one after another, and shows what they printed when it is done. */
async function runPart(part: Part): Promise<{ count: Count; line: string }> {
  const start = Date.now();
  const log = join(results, `${part.name}.log`);
  console.log(`${String(seconds(began)).padStart(5)} s  ${part.name} begins: ${part.what}`);
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const command of part.commands) add(count, await runCommand(command, log));
  const numbers = `${String(count.passed).padStart(4)} passed ${String(count.failed).padStart(3)} failed ${String(count.skipped).padStart(3)} skipped`;
  const line = `${part.name.padEnd(12)} ${numbers} ${String(seconds(start)).padStart(5)} s`;
  console.log(`\n═══ ${line}\n${readFileSync(log, "utf8")}`);
  return { count, line };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    keep: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
const unknown = positionals.filter((name) => !parts.some((part) => part.name === name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`test: no part is named ${unknown.join(", ")}`);
  console.log(
    `npm test -- [--long] [--keep] [part …]\n\n${parts
      .map(({ name, what, long }) => `  ${name.padEnd(12)} ${what}${long === true ? " (with --long)" : ""}`)
      .join("\n")}`,
  );
  process.exit(unknown.length > 0 ? 2 : 0);
}

rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
const chosen = parts.filter(({ name, long }) =>
  positionals.length === 0 ? long !== true || values.long : positionals.includes(name),
);
/** Whether one of these parts was chosen. */
function runs(...names: readonly string[]): boolean {
  return chosen.some(({ name }) => names.includes(name));
}
if (process.env["VENDOR_CRDS"] === undefined) {
  console.log(
    "test: VENDOR_CRDS is not set: the checks against the real CRDs of Strimzi and CloudNativePG are left out",
  );
}
const began = Date.now();
const total: Count = { passed: 0, failed: 0, skipped: 0 };
const lines: string[] = [];
/** Told at the end again: the parts' own output is long. */
const failures: string[] = [];

async function runNext(queue: Part[]): Promise<void> {
  for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
    const { count, line } = await runPart(part);
    add(total, count);
    lines.push(line);
  }
}

/**
 * What takes minutes to make, the first time: a test beside it would wait longer for its servers than it has. Programs
 * keep the processors busy, images wait for packages: side by side.
 *
 * @returns what removes the bundle that the parts share
 */
async function prepare(): Promise<() => Promise<void>> {
  const progress = progressTo();
  if (runs("engine", "engine-long", "telemetry", "chaos")) await ensureTestPrograms(progress);
  const programs = async () => {
    if (runs("api", "api-long", "hostile", "charts"))
      await progress.step("building Kubernetes (some 4 minutes the first time)", kubernetesBinaries);
    if (runs("charts")) await progress.step("building helm (a minute the first time)", helmBinary);
    if (runs("engine", "engine-long", "chaos"))
      await progress.step("building an S3 server (a minute the first time)", s3ServerBinary);
  };
  const images = async () => {
    if (runs("demo") && !(await dockerAnswers())) await buildBaseImages(progress);
  };
  await Promise.all([programs(), images()]);
  return runs("unit", "telemetry", "engine", "engine-long", "chaos", "e2e", "e2e-long")
    ? await bundlePrograms()
    : async () => undefined;
}

let removeBundle: () => Promise<void>;
try {
  removeBundle = await prepare();
} catch (error) {
  if (!(error instanceof ClusterError)) throw error;
  console.error(`\ntest: cannot begin. ${error.message}`);
  process.exit(1);
}
// Two at a time: often a test waits for something, and more would only make each other late.
const onCluster = chosen.filter((part) => part.onCluster);
const others = chosen.filter((part) => !part.onCluster);
await Promise.all([runNext(onCluster).then(async () => await runNext(others)), runNext(others)]);
if (!values.keep && chosen.some((part) => part.onCluster)) {
  const down: Part = {
    name: "down",
    what: "the cluster goes; --keep leaves it",
    commands: [{ title: "npm run demo:down", run: ["npm", "run", "-s", "demo:down"] }],
  };
  await runNext([down]);
}
await removeBundle();
for (const failure of failures) console.log(`\n✗ ${failure}`);
console.log(`\n${lines.join("\n")}\n${seconds(began)} s in all\n`);
const left = parts.filter((part) => !chosen.includes(part) && positionals.length === 0).map(({ name }) => name);
if (left.length > 0) console.log(`left out: ${left.join(", ")}; npm test -- --long runs them too\n`);
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
process.exitCode = total.failed === 0 ? 0 : 1;
