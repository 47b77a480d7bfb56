/** From an output's configuration to what writes it. */
import { type OutputConfig, outputGroup, type WorkloadConfig } from "@caudal/crds";
import { randomUUID } from "node:crypto";
import type { KafkaCluster } from "../kafka/cluster.ts";
import { rowsTable } from "../postgres/core/rows-table.ts";
import { callObserver, ownerOf } from "../postgres/session.ts";
import { ConfigInvalid } from "../runtime/errors.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import type { TransformPlan } from "@caudal/pipeline/sql";
import type { Output } from "./output.ts";
import { TableOutput } from "./table-output.ts";
import { TopicOutput } from "./topic-output.ts";

export interface OutputParts {
  readonly context: RuntimeContext;
  readonly config: OutputConfig;
  readonly plan: TransformPlan;
  readonly sourceTopic: string;
  /** Connections of this output alone. */
  readonly cluster: KafkaCluster;
}

/** Tells this process from others for as long as it lives; a pod's own name outlives its container. */
const PROCESS = process.env["POD_NAME"] ?? randomUUID();

/** Whether a transactional id is of a process that serves, or has served, the output with this group. */
export function isWriterOf(group: string): (transactionalId: string) => boolean {
  return (id) => id.startsWith(`${group}.`);
}

/**
 * The clients of Redis and S3 are loaded where they are used: they would be a third of the start.
 *
 * @throws ConfigInvalid
 */
export async function makeOutput({ context, config, plan, sourceTopic, cluster }: OutputParts): Promise<Output> {
  const workload = context.config;
  if (config.topic !== undefined) {
    const group = outputGroup(workload, config.name);
    return new TopicOutput(
      {
        cluster,
        topic: config.topic,
        group,
        transactionalId: `${group}.${PROCESS}`,
        own: isWriterOf(group),
        signal: context.drain.signal,
      },
      sourceTopic,
    );
  }
  if (config.table !== undefined)
    return new TableOutput({
      secret: secretOf(workload),
      owner: ownerOf(workload),
      generation: context.generation,
      table: rowsTable(config.table.name, config.table.key ?? [], plan.columns),
      onCall: callObserver(context.metrics),
      onRetry: () => context.metrics.retries.inc({ target: "postgres" }),
    });
  const { name } = config;
  const { columns } = plan;
  if (config.redis !== undefined) {
    const { redisOutput } = await import("./redis/open.ts");
    return redisOutput(config.redis, {
      owner: ownerOf(workload),
      name,
      columns,
      onCall: callObserver(context.metrics, "redis"),
    });
  }
  if (config.files !== undefined) {
    const { filesOutput } = await import("./files/open.ts");
    return filesOutput(config.files, {
      owner: ownerOf(workload),
      name,
      columns,
      database: secretOf(workload),
      onCall: callObserver(context.metrics),
      onStoreCall: callObserver(context.metrics, "files"),
    });
  }
  throw new ConfigInvalid(`the output ${config.name} names nowhere to write to`);
}

function secretOf({ database }: WorkloadConfig): string {
  if (database === undefined)
    throw new ConfigInvalid("a transform with tables or files needs `database` in its configuration");
  return database.secret;
}
