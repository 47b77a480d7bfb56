/** Helm as a user runs it, and what a chart renders to. */
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { helmBinary, kubernetesBinaries } from "../../cluster/host/binaries.ts";
import { repository } from "../../cluster/host/paths.ts";
import { run } from "../../cluster/host/run.ts";
import type { Manifest } from "./manifest.ts";

/** The API version that templates are rendered for; a helm built from source claims a very old one by itself. */
const kubeVersion = "1.34.0";

export type ChartName = "caudal" | "platform";

export const chartFolder = (chart: ChartName): string => join(repository, "charts", chart);
const valuesFile = (name: string): string => join(import.meta.dirname, "..", "values", `${name}.yaml`);

/** What helm printed on stdout; an error holds all that it printed. */
export async function helm(args: readonly string[], kubeconfig?: string): Promise<string> {
  return await run(await helmBinary(), args, { env: kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig } });
}

/** What kubectl printed on stdout. */
export async function kubectl(kubeconfig: string, args: readonly string[], input?: string): Promise<string> {
  const { kubectl: program } = await kubernetesBinaries();
  return await run(program, ["--kubeconfig", kubeconfig, ...args], input === undefined ? {} : { input });
}

export interface RenderOptions {
  readonly release?: string;
  readonly namespace?: string;
  /** Names of files in test/charts/values. */
  readonly values?: readonly string[];
  /** Arguments of `--set`. */
  readonly set?: readonly string[];
}

/** The options as arguments of helm. */
export function valueArgs({ values = [], set = [] }: RenderOptions): string[] {
  return [...values.flatMap((name) => ["--values", valuesFile(name)]), ...set.flatMap((pair) => ["--set", pair])];
}

/** Everything that a chart renders to, hooks included; a document that is not valid YAML is an error. */
export async function render(chart: ChartName, options: RenderOptions = {}): Promise<Manifest[]> {
  const { release = chart, namespace = "caudal-system" } = options;
  const text = await helm([
    "template",
    release,
    chartFolder(chart),
    ...["--namespace", namespace, "--kube-version", kubeVersion],
    ...valueArgs(options),
  ]);
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0] as Error;
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}
