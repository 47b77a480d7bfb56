/** Spec and observation in, the objects that should be out: pure, complete every time, sorted. */
import { type StreamPipeline, type WorkloadConfig } from "@caudal/crds";
import type { KubeObject } from "../kube/object.ts";
import type { Observation } from "../observe/observation.ts";
import { buildConfigMap, mountedConfigMap, readWorkloadConfig } from "./config-map.ts";
import { buildDatabaseCluster } from "./database-cluster.ts";
import { buildDatabaseRole } from "./database-role.ts";
import { buildDatabase } from "./database.ts";
import { buildDeployment, configHashOf } from "./deployment.ts";
import {
  type KafkaAccess,
  kafkaAccessOf,
  childName,
  type StageIdentity,
  secretsOf,
  type StageSpec,
  stagesOf,
  buildWorkloadConfig,
} from "@caudal/pipeline";
import { buildKafkaTopics } from "./kafka-topic.ts";
import { buildKafkaUser } from "./kafka-user.ts";
import { writeOrder } from "./kinds.ts";
import { buildPodDisruptionBudget } from "./pod-disruption-budget.ts";
import { buildDatabasePodMonitor, buildPodMonitor } from "./pod-monitor.ts";
import { missingSecrets } from "./missing-secrets.ts";
import { buildService } from "./service.ts";
import { contentHash, rollHash } from "./hash.ts";

/** What the operator's own configuration says about workloads. */
export interface WorkloadSettings {
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly imagePullSecrets: readonly string[];
  /** Passed on to every pod: where traces go. */
  readonly env: Readonly<Record<string, string>>;
}

/** Why a stage is not planned yet: the children that it has stay as they are. */
export interface Held {
  readonly stage: StageIdentity;
  readonly reason: string;
  readonly message: string;
}

export interface Plan {
  /** In the order in which they are written. */
  readonly objects: readonly KubeObject[];
  readonly held: readonly Held[];
  /** Kinds of which the plan cannot say what should be: that it holds none of them is no wish to have none. */
  readonly undecided: ReadonlySet<string>;
}

export function plan(observation: Observation, settings: WorkloadSettings): Plan {
  const { pipeline, installed } = observation;
  const access = kafkaAccessOf(pipeline, observation.kafka);
  const objects: KubeObject[] = [];
  if (installed.strimzi) objects.push(...buildKafkaTopics(pipeline), ...buildKafkaUser(pipeline, access));
  if (installed.cloudNativePg)
    objects.push(...buildDatabaseCluster(pipeline), ...buildDatabaseRole(pipeline), ...buildDatabase(pipeline));
  if (installed.podMonitors) objects.push(...buildDatabasePodMonitor(pipeline));

  const held: Held[] = [];
  for (const stage of stagesOf(pipeline)) {
    const result = planStage(observation, settings, access, stage);
    if ("reason" in result) held.push({ stage: { name: stage.name, role: stage.role }, ...result });
    else objects.push(...result.objects);
  }
  const rank = (object: KubeObject) => writeOrder.indexOf(object.kind);
  objects.sort((a, b) => rank(a) - rank(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
  return { objects, held, undecided: undecidedKinds(observation) };
}

/** Those whose definition is away, and the user while its Kafka is. */
function undecidedKinds({ pipeline, installed, kafka }: Observation): ReadonlySet<string> {
  const away = (there: boolean, ...kinds: readonly string[]) => (there ? [] : kinds);
  return new Set([
    ...away(installed.strimzi, "KafkaTopic", "KafkaUser"),
    ...away(installed.cloudNativePg, "Cluster", "DatabaseRole", "Database"),
    ...away(installed.podMonitors, "PodMonitor"),
    ...away(pipeline.spec.kafka.clusterRef === undefined || kafka !== undefined, "KafkaUser"),
  ]);
}

function planStage(
  observation: Observation,
  settings: WorkloadSettings,
  access: KafkaAccess,
  stage: StageSpec,
): { objects: KubeObject[] } | { reason: string; message: string } {
  const { pipeline, installed, children } = observation;
  const deployed = children.get(`Deployment/${childName(pipeline.metadata.name, stage.name)}`);
  const running = runningConfig(observation, stage);
  const wanted = buildWorkloadConfig(pipeline, stage, access, running?.kafka);
  if (wanted === undefined) return { reason: access.reason, message: access.message };
  const uses = secretsOf(pipeline, access, stage, observation.databaseCluster);
  const missing = missingSecrets(uses, observation.secrets);
  // A stage that runs keeps running with what it has read; a new one waits, instead of rolling when the secret comes.
  if (missing !== undefined && deployed === undefined) return missing;
  const content = contentHash(wanted);
  // The generation in it is the one since which the stage's configuration has been what it is.
  const same = running !== undefined && contentHash(running) === content;
  const config = same ? { ...wanted, pipeline: running.pipeline } : wanted;
  const hash =
    missing === undefined ? rollHash(content, uses, observation.secrets) : (configHashOf(deployed) ?? content);
  return {
    objects: [
      buildConfigMap(pipeline, stage, config, content),
      buildDeployment(pipeline, stage, { content, hash, uses, settings }),
      buildService(pipeline, stage),
      buildPodDisruptionBudget(pipeline, stage),
      ...(installed.podMonitors ? [buildPodMonitor(pipeline, stage)] : []),
    ],
  };
}

/** The configuration in the ConfigMap that the stage's Deployment mounts. */
function runningConfig({ pipeline, children }: Observation, stage: StageSpec): WorkloadConfig | undefined {
  const deployed = children.get(`Deployment/${childName(pipeline.metadata.name, stage.name)}`);
  const name = mountedConfigMap(deployed);
  const data = children.get(`ConfigMap/${name ?? ""}`)?.["data"] as Record<string, string> | undefined;
  return readWorkloadConfig(data?.["config.json"]);
}

/** Whether something outside is left when the pipeline's own children are gone, and has to be deleted with it. */
export function needsFinalizer({ spec }: Pick<StreamPipeline, "spec">): boolean {
  if (spec.sources?.some(({ postgres }) => postgres.mode === "cdc") === true) return true;
  if (spec.deletionPolicy !== "Delete") return false;
  const topics = spec.kafka.clusterRef !== undefined;
  const database = spec.database?.cluster !== undefined || spec.database?.clusterRef !== undefined;
  return topics || database;
}
