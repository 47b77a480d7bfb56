/** `caudal status`: conditions and stages of pipelines. */
import type { StreamPipeline } from "@caudal/crds";
import type { Command } from "../command.ts";
import { ClusterFailed, EXIT_FAILED, UsageError } from "../errors.ts";
import { connectKube } from "../kube/connect.ts";
import { KUBE_HELP, KUBE_OPTIONS } from "../kube/options.ts";
import { listPipelines } from "../kube/live-in-cluster.ts";
import { chooseFormat } from "../output/choose.ts";
import { format } from "../output/format.ts";
import type { Result } from "../output/result.ts";

export const statusCommand: Command = {
  name: "status",
  summary: "show conditions and stages of pipelines",
  help: `caudal status [PIPELINE]

Shows the conditions of a pipeline, or of all in the namespace, and each stage with what blocks it. Exit code 1 where one
is not ready.

  -o, --output FORMAT       table, json or csv
${KUBE_HELP}`,
  options: { ...KUBE_OPTIONS, output: { type: "string", short: "o" } },
  async run(call) {
    const [name, ...more] = call.positionals;
    if (more.length > 0) throw new UsageError("name one pipeline: caudal status PIPELINE");
    const output = chooseFormat(call);
    const kube = connectKube(call);
    const all = await listPipelines(kube);
    const pipelines = name === undefined ? all : all.filter(({ metadata }) => metadata.name === name);
    if (pipelines.length === 0)
      throw new ClusterFailed(`namespace ${kube.namespace} has no pipeline${name === undefined ? "" : ` ${name}`}`);
    const [conditions, stages] = [conditionsOf(pipelines), stagesOf(pipelines)];
    process.stdout.write(format(conditions, output));
    if (stages.rows.length > 0) process.stdout.write(`${output === "json" ? "" : "\n"}${format(stages, output)}`);
    if (!pipelines.every(isReady)) process.exitCode = EXIT_FAILED;
  },
};

export function isReady({ metadata, status }: StreamPipeline): boolean {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "True" && ready.observedGeneration === metadata.generation;
}

export function conditionsOf(pipelines: readonly StreamPipeline[]): Result {
  return {
    columns: ["pipeline", "condition", "status", "reason", "message"].map((name) => ({ name, kind: "text" })),
    rows: pipelines.flatMap(({ metadata, status }) =>
      (status?.conditions ?? []).map((one) => [metadata.name, one.type, one.status, one.reason, one.message]),
    ),
  };
}

export function stagesOf(pipelines: readonly StreamPipeline[]): Result {
  return {
    columns: ["pipeline", "stage", "role", "state", "ready", "lag", "message"].map((name) => ({ name, kind: "text" })),
    rows: pipelines.flatMap(({ metadata, status }) =>
      (status?.stages ?? []).map(({ name, role, state, replicas, readyReplicas, lag, message }) => [
        ...[metadata.name, name, role, state, `${readyReplicas}/${replicas}`],
        ...[lag ?? null, message ?? null],
      ]),
    ),
  };
}
