/** A real Prometheus, Debian's, as a process of its own: on loopback, with data that goes when it stops. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { cached, contentKey } from "../../cluster/host/cache.ts";
import { poll } from "../../cluster/host/poll.ts";
import { run, succeeds } from "../../cluster/host/run.ts";

export type PrometheusProgram = "prometheus" | "promtool";

/** Path of a program of Debian's package; fetched and unpacked into the cache, and so never installed as a service. */
export async function prometheusProgram(name: PrometheusProgram): Promise<string> {
  if (await succeeds(name, ["--version"])) return name;
  const folder = await cached("prometheus", contentKey(["debian", process.arch]), async (unfinished) => {
    const download = async (): Promise<string> => await run("apt-get", ["download", "prometheus"], { cwd: unfinished });
    await download().catch(async () => {
      await run("apt-get", ["update", "--quiet"]);
      await download();
    });
    const [archive = ""] = (await readdir(unfinished)).filter((file) => file.endsWith(".deb"));
    await run("dpkg-deb", ["--extract", archive, "."], { cwd: unfinished });
    await rm(join(unfinished, archive));
  });
  return join(folder, "usr/bin", name);
}

/** One series of an instant query's answer. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface RuleState {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly alerts: readonly { labels: Record<string, string>; state: string }[];
}

export interface Prometheus {
  query(expression: string): Promise<Sample[]>;
  /** Label sets of the series that a selector chooses. */
  series(selector: string): Promise<Record<string, string>[]>;
  rules(): Promise<RuleState[]>;
  /** What it scrapes, each with its health and last error. */
  targets(): Promise<{ scrapeUrl: string; health: string; lastError: string }[]>;
  stop(): Promise<void>;
}

export interface PrometheusFiles {
  /** prometheus.yml as an object; `rule_files` is added. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The text of a rule file. */
  readonly rules: string;
}

export async function startPrometheus({ config, rules }: PrometheusFiles): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), "caudal-prometheus-"));
  const logFile = join(folder, "log");
  await writeFile(join(folder, "rules.yml"), rules);
  const complete = { ...config, rule_files: [join(folder, "rules.yml")] };
  await writeFile(join(folder, "prometheus.yml"), stringify(complete), { mode: 0o600 });
  const port = await freePort();
  const log = openSync(logFile, "w");
  const child = spawn(
    "setpriv",
    [
      ...["--pdeathsig", "KILL", await prometheusProgram("prometheus")],
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ["ignore", log, log] },
  );
  closeSync(log);
  const stop = async (): Promise<void> => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const ready = async (): Promise<true | undefined> => {
    if (child.exitCode !== null) throw new Error(`Prometheus ended:\n${(await readFile(logFile, "utf8")).slice(-2000)}`);
    return (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true ? true : undefined;
  };
  try {
    await poll(ready, {
      seconds: 120,
      onTimeout: async () => `Prometheus was not ready after 120 s:\n${(await readFile(logFile, "utf8")).slice(-2000)}`,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...client(url), stop };
}

function client(url: string): Omit<Prometheus, "stop"> {
  const ask = async <T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> => {
    const answer = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const body = (await answer.json()) as { status: string; data: T; error?: string };
    if (body.status !== "success") throw new Error(`Prometheus refuses ${JSON.stringify(parameters)}: ${body.error}`);
    return body.data;
  };
  return {
    query: async (query) => {
      interface Answer {
        result: { metric: Record<string, string>; value: [number, string] }[];
      }
      const { result } = await ask<Answer>("query", { query });
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
    series: async (selector) => await ask("series", { "match[]": selector }),
    rules: async () => (await ask<{ groups: { rules: RuleState[] }[] }>("rules")).groups.flatMap(({ rules }) => rules),
    targets: async () =>
      (await ask<{ activeTargets: { scrapeUrl: string; health: string; lastError: string }[] }>("targets"))
        .activeTargets,
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await once(server.close(), "close");
  return port;
}
