/** The cluster as a person sees it: through kubectl, with the kubeconfig that `npm run demo` leaves. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = join(import.meta.dirname, "..", "..", "..");

export const kubeconfig = process.env["KUBECONFIG"] ?? join(root, ".cluster", "kubeconfig");
const own = join(root, ".cluster", "bin", "kubectl");
const program = existsSync(own) ? own : "kubectl";

/** Namespace of the demonstration: its Kafka, its pipeline, and the pipelines of these tests. */
export const NAMESPACE = "caudal-demo";
export const SYSTEM_NAMESPACE = "caudal-system";

/** What kubectl printed on standard output; an error holds what it printed on standard error. */
export function kubectl(args: readonly string[], input?: string, timeoutMs = 60_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      ["--kubeconfig", kubeconfig, ...args],
      { timeout: timeoutMs, maxBuffer: 256 * 1024 * 1024, encoding: "utf8" },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`kubectl ${args.join(" ")}: ${stderr.trim() || error.message}`));
      },
    );
    child.stdin?.end(input ?? "");
  });
}

export interface KubeObject {
  metadata: {
    name: string;
    uid: string;
    generation: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    deletionTimestamp?: string;
  };
  spec: Record<string, unknown>;
  status?: Record<string, unknown>;
}

export const apply = (yaml: string, namespace = NAMESPACE) => kubectl(["-n", namespace, "apply", "-f", "-"], yaml);

export async function get<T = KubeObject>(kind: string, name: string, namespace = NAMESPACE): Promise<T | undefined> {
  const text = await kubectl(["-n", namespace, "get", kind, name, "--ignore-not-found", "-o", "json"]);
  return text.trim() === "" ? undefined : (JSON.parse(text) as T);
}

export async function list<T = KubeObject>(kind: string, selector: string, namespace = NAMESPACE): Promise<T[]> {
  return (JSON.parse(await kubectl(["-n", namespace, "get", kind, "-l", selector, "-o", "json"])) as { items: T[] })
    .items;
}

export interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
  observedGeneration?: number;
}
export interface Pipeline extends KubeObject {
  status?: {
    observedGeneration?: number;
    conditions?: Condition[];
    stages?: {
      name: string;
      state: string;
      replicas: number;
      readyReplicas: number;
      lag?: string;
      slot?: { wal: string; retained: string };
      message?: string;
    }[];
    released?: { kind: string; name: string }[];
  };
}

/** Polls until `look` gives something; fails with the last thing that it said it saw. */
export async function until<T>(
  what: string,
  seconds: number,
  look: () => Promise<T | undefined | false>,
  seen: () => unknown = () => "",
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      last = seen();
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline)
      throw new Error(
        `not within ${seconds} s: ${what}; last seen: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
      );
    await sleep(1_000);
  }
}

/** Waits until a condition of the pipeline has this status for the pipeline's current generation. */
export async function untilCondition(
  name: string,
  type: string,
  status: "True" | "False",
  seconds: number,
  reason?: string,
  namespace = NAMESPACE,
): Promise<Condition> {
  let last: Pipeline | undefined;
  return until(
    `${type}=${status}${reason === undefined ? "" : ` (${reason})`} on StreamPipeline/${name}`,
    seconds,
    async () => {
      last = await get<Pipeline>("streampipeline", name, namespace);
      const condition = last?.status?.conditions?.find((one) => one.type === type);
      return (
        condition !== undefined &&
        condition.status === status &&
        condition.observedGeneration === last?.metadata.generation &&
        (reason === undefined || condition.reason === reason) &&
        condition
      );
    },
    () => last?.status?.conditions,
  );
}

/** Pods of a stage that are not being deleted, oldest first. */
export async function stagePods(pipeline: string, stage: string): Promise<KubeObject[]> {
  const pods = await list("pods", `caudal.dev/pipeline=${pipeline},caudal.dev/stage=${stage}`);
  return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
}
