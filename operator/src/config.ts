/** The operator's own configuration: environment variables, each with its line in --help. */
import { hostname } from "node:os";

export interface OperatorConfig {
  readonly workloadImage: string;
  readonly imagePullPolicy: string;
  readonly imagePullSecrets: readonly string[];
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly ownNamespace: string;
  readonly identity: string;
  readonly leaderElection: boolean;
  readonly leaseName: string;
  readonly hmacSecretName: string;
  readonly port: number;
  readonly workers: number;
  readonly resyncMs: number;
  readonly logLevel: string;
  /** Passed on to workloads. */
  readonly workloadEnv: Readonly<Record<string, string>>;
}

/** The configuration cannot be used; the message names the variable. */
export class ConfigError extends Error {
  readonly code = "ECONFIG";
  readonly reason = "ConfigInvalid";
  readonly retryable = false;
}

export const help = `caudal-operator: turns StreamPipelines into topics, databases and workloads.

usage: node main.js [--help]

Environment:
  WORKLOAD_IMAGE               image of the workloads (required)
  WORKLOAD_IMAGE_PULL_POLICY   Always, IfNotPresent or Never (IfNotPresent)
  WORKLOAD_IMAGE_PULL_SECRETS  names of Secrets in the pipelines' namespaces, separated by commas
  WATCH_NAMESPACES             namespaces to look after, separated by commas; all of them when empty
  POD_NAMESPACE, POD_NAME      where and as whom the operator runs (default, the host's name)
  LEADER_ELECTION              true or false (true)
  LEASE_NAME                   Lease by which one operator leads (caudal-operator)
  HMAC_SECRET_NAME             Secret with the key by which changed Secrets are noticed; made if it is missing
                               (caudal-operator-hmac-key)
  HTTP_PORT                    port of /metrics, /livez and /readyz (8080)
  WORKERS                      pipelines that are reconciled at once (4)
  RESYNC_SECONDS               each pipeline is looked at again after this time (60)
  LOG_LEVEL                    trace, debug, info, warn or error (info)
  KUBECONFIG                   the cluster, when not in a pod
  OTEL_EXPORTER_OTLP_ENDPOINT  where traces go; none when it is unset. OTEL_EXPORTER_*, OTEL_TRACES_SAMPLER* and
                               OTEL_PROPAGATORS are passed on to the workloads
`;

const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];
const PASSED_ON = /^OTEL_(EXPORTER_|TRACES_SAMPLER|PROPAGATORS$|BSP_)/;

export function readConfig(env: NodeJS.ProcessEnv): OperatorConfig {
  const workloadImage = env["WORKLOAD_IMAGE"] ?? "";
  if (workloadImage === "") throw new ConfigError("WORKLOAD_IMAGE is not set: name the image of the workloads");
  return {
    workloadImage,
    imagePullPolicy: oneOf(env, "WORKLOAD_IMAGE_PULL_POLICY", PULL_POLICIES, "IfNotPresent"),
    imagePullSecrets: list(env["WORKLOAD_IMAGE_PULL_SECRETS"]),
    namespaces: list(env["WATCH_NAMESPACES"]),
    ownNamespace: env["POD_NAMESPACE"] || "default",
    identity: env["POD_NAME"] || `${hostname()}-${process.pid}`,
    leaderElection: oneOf(env, "LEADER_ELECTION", ["true", "false"], "true") === "true",
    leaseName: env["LEASE_NAME"] || "caudal-operator",
    hmacSecretName: env["HMAC_SECRET_NAME"] || "caudal-operator-hmac-key",
    port: wholeNumber(env, "HTTP_PORT", 8080, 0, 65535),
    workers: wholeNumber(env, "WORKERS", 4, 1, 64),
    resyncMs: wholeNumber(env, "RESYNC_SECONDS", 60, 1, 3600) * 1000,
    logLevel: oneOf(env, "LOG_LEVEL", LOG_LEVELS, "info"),
    workloadEnv: Object.fromEntries(
      Object.entries(env)
        .filter((entry): entry is [string, string] => PASSED_ON.test(entry[0]) && entry[1] !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  };
}

function list(text = ""): string[] {
  const names = text.split(",").map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ""))].sort();
}

function oneOf(env: NodeJS.ProcessEnv, name: string, allowed: readonly string[], otherwise: string): string {
  const value = env[name] || otherwise;
  if (!allowed.includes(value)) throw new ConfigError(`${name} is "${value}": set it to one of ${allowed.join(", ")}`);
  return value;
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, otherwise: number, min: number, max: number): number {
  const text = env[name] || String(otherwise);
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new ConfigError(`${name} is "${text}": set it to a whole number from ${min} to ${max}`);
  return value;
}
