/** The table of stages: what each is doing, whether it is ready, and what blocks it. */
import { lagOf, type StageStatus, type StageSummary } from "@caudal/crds";
import type { PodObservation } from "../observe/observation.ts";
import { type StageSpec, stagesOf } from "@caudal/pipeline";
import { deploymentOf, type Facts } from "./facts.ts";
import type { KubeObject } from "../kube/object.ts";
import { plainText } from "../kube/plain-text.ts";
import { describeRollout, hasRolledOut, rolloutFailure } from "./readiness.ts";
import { nameSecrets } from "./named-secrets.ts";
import { findUnseen } from "./unseen.ts";

/** A heartbeat older than this is none. */
export const HEARTBEAT_MS = 60_000;
/** Transactions are over within a minute by default, and brokers end those that last for 15: what is open longer is told of. */
const TRANSACTION_MS = 3 * 60_000;

export interface StageView {
  readonly stage: StageSpec;
  readonly pods: readonly PodObservation[];
  readonly summary: StageSummary;
  readonly ready: boolean;
  /** Exact, for metrics; the summary's is coarse. */
  readonly lag: number | undefined;
  /** Why it is not ready. */
  readonly cause?: { readonly reason: string; readonly message: string };
}

/** One view a name: of two stages of one name, which are refused, the API server would not take both in status. */
export function viewStages(facts: Facts): StageView[] {
  const byName = new Map<string, StageSpec>();
  for (const stage of stagesOf(facts.observation.pipeline)) if (!byName.has(stage.name)) byName.set(stage.name, stage);
  return [...byName.values()].map((stage) => viewStage(facts, stage));
}

function viewStage(facts: Facts, stage: StageSpec): StageView {
  const { pipeline, pods: all, clock } = facts.observation;
  const deployment = deploymentOf(facts, stage);
  const pods = nameSecrets(
    all.filter((pod) => pod.stage === stage.name),
    facts.observation,
    stage,
  );
  const lag = readsTopics(stage) ? totalLag(pods) : undefined;
  const undecided = undecidedOf(pods, clock).reduce((sum, { records }) => sum + records, 0);
  const slot = slotOf(pods);
  const asked = podsAskedFor(deployment);
  const cause = causeOf(facts, stage, pods);
  const unseen = facts.observation.unseen.some(({ kind }) => kind === "Deployment" || kind === "Pod");
  const state = unseen
    ? "Unknown"
    : stateOf(stage, pods, pipeline.spec.suspend && deployment === undefined ? 0 : asked);
  const message = cause?.message ?? (lag === undefined ? unknownLag(stage, pods) : undefined);
  const columns = facts.columns?.get(stage.name);
  return {
    stage,
    pods,
    ready: cause === undefined,
    lag,
    ...(cause === undefined ? {} : { cause }),
    summary: {
      name: stage.name,
      role: stage.role,
      state,
      replicas: asked ?? 0,
      readyReplicas: Number(deployment?.status?.["readyReplicas"] ?? 0),
      ...(lag === undefined ? {} : { lag: coarse(lag) }),
      ...(undecided === 0 ? {} : { undecided: coarse(undecided) }),
      ...(slot === undefined ? {} : { slot }),
      ...(message === undefined ? {} : { message: plainText(message, 4000) }),
      ...(columns === undefined ? {} : { columns: [...columns] }),
    },
  };
}

/** Whether records of a topic can wait for a stage: nothing waits for a generator, and what waits for a source is its slot's. */
export function readsTopics({ role }: StageSpec): boolean {
  return role === "aggregator" || role === "transform";
}

/** As the Deployment says, which may not be what the spec wishes. */
function podsAskedFor(deployment: KubeObject | undefined): number | undefined {
  return deployment === undefined ? undefined : Number(deployment.spec?.["replicas"] ?? 1);
}

/** @param asked pods that the Deployment asks for; undefined where there is none */
function stateOf(stage: StageSpec, pods: readonly PodObservation[], asked: number | undefined): string {
  const states = pods.filter(({ terminating }) => !terminating).map(({ status }) => status?.value.state);
  if (asked === 0) return pods.length > 0 ? "Draining" : "Suspended";
  if (states.includes("Failed")) return "Failed";
  if (states.length > 0 && states.every((state) => state === "Completed")) return "Completed";
  if (states.includes("Running") || states.includes("Completed")) return "Running";
  if (states.includes("Draining")) return "Draining";
  return asked === undefined && stage.replicas === 0 ? "Suspended" : "Pending";
}

/** What keeps a stage from being ready, the nearest cause first. */
function causeOf(facts: Facts, stage: StageSpec, pods: readonly PodObservation[]): StageView["cause"] {
  const { pipeline, clock } = facts.observation;
  const unseen = findUnseen(facts, "Deployment", "Pod");
  if (unseen !== undefined) return { reason: unseen.reason, message: `stage ${stage.name}: ${unseen.message}` };
  if (facts.deleting !== undefined) return deletedCause(facts, stage, pods);
  if (pipeline.spec.suspend) return suspendedCause(facts, stage, pods);
  const held = facts.held.find((entry) => entry.stage.name === stage.name);
  if (held !== undefined) return { reason: held.reason, message: `stage ${stage.name}: ${held.message}` };
  const deployment = deploymentOf(facts, stage);
  if (deployment === undefined)
    return {
      reason: "DeploymentMissing",
      message: `stage ${stage.name}: its Deployment does not exist${facts.problems.length > 0 ? ": nothing is made while the spec is refused" : " yet: it is made at once, or ConfigValid and the operator's log say why not"}`,
    };
  // Its last word says more than that its container waits to be started again.
  const failed = pods.find(({ status, terminating }) => status?.value.state === "Failed" && !terminating);
  const error = failed?.status?.value.error;
  if (failed !== undefined)
    return {
      reason: error?.reason ?? "StageFailed",
      message: `stage ${stage.name}: Pod/${failed.name}: ${error?.message ?? "it failed; read its log"}`,
    };
  const blocked = pods.find((pod) => pod.blocked !== undefined && !pod.terminating);
  if (blocked?.blocked !== undefined && !blocked.ready)
    return {
      reason: blocked.blocked.reason,
      message: `stage ${stage.name}: Pod/${blocked.name}: ${blocked.blocked.reason}: ${blocked.blocked.message}`,
    };
  const title = `Deployment/${deployment.metadata.name}`;
  const stopped = rolloutFailure(deployment);
  if (stopped !== undefined) return { reason: "RolloutFailed", message: `stage ${stage.name}: ${title}: ${stopped}` };
  const ready = Number(deployment.status?.["readyReplicas"] ?? 0);
  if (!hasRolledOut(deployment) || ready < stage.replicas)
    return {
      reason: "RollingOut",
      message: `stage ${stage.name}: ${title}: ${describeRollout(deployment)}${unreadyPods(pods)}`,
    };
  return heartbeatCause(stage, pods, clock);
}

/** Pods that run and are not ready, with what they say of it. */
function unreadyPods(pods: readonly PodObservation[]): string {
  const told = pods
    .filter(({ ready, terminating }) => !ready && !terminating)
    .map(({ name, status }) => {
      const error = status?.value.error;
      return `Pod/${name} is not ready${error === undefined ? "" : ` (${error.reason}: ${error.message})`}`;
    });
  return told.length === 0 ? "" : `; ${told.slice(0, 3).join(", ")}; kubectl describe pod says more`;
}

function deletedCause(facts: Facts, stage: StageSpec, pods: readonly PodObservation[]): StageView["cause"] {
  if (pods.length > 0)
    return { reason: "Draining", message: `stage ${stage.name}: ${pods.length} of its pods still drain` };
  const deployment = deploymentOf(facts, stage);
  const what = deployment === undefined ? "is gone" : "is still there";
  return { reason: "Deleting", message: `stage ${stage.name}: its Deployment ${what}, and it has no pods` };
}

/** That it is to be suspended is a wish: what its Deployment asks for and which pods are there is what is told. */
function suspendedCause(facts: Facts, stage: StageSpec, pods: readonly PodObservation[]): StageView["cause"] {
  const deployment = deploymentOf(facts, stage);
  const asked = podsAskedFor(deployment) ?? 0;
  if (deployment !== undefined && asked > 0)
    return {
      reason: "NotSuspended",
      message: `stage ${stage.name}: Deployment/${deployment.metadata.name} still asks for ${asked} pods; it is scaled to zero as soon as it can be written`,
    };
  if (pods.length === 0) return { reason: "Suspended", message: `stage ${stage.name} is suspended` };
  return { reason: "Draining", message: `stage ${stage.name}: ${pods.length} of its pods still drain` };
}

function heartbeatCause(stage: StageSpec, pods: readonly PodObservation[], clock: number): StageView["cause"] {
  if (stage.replicas > 0 && pods.every(({ terminating }) => terminating))
    return {
      reason: "HeartbeatUnknown",
      message: `stage ${stage.name}: no pod has told its status yet: it is asked every few seconds once a pod runs`,
    };
  for (const pod of pods) {
    if (pod.terminating) continue;
    const { status } = pod;
    if (status === undefined)
      return {
        reason: "HeartbeatUnknown",
        message:
          `stage ${stage.name}: Pod/${pod.name} has not told its status yet` +
          (pod.askError === undefined ? "" : ` (GET :8080/status: ${pod.askError}; may the operator reach it?)`),
      };
    const age = clock - status.heartbeatAt;
    if (age > HEARTBEAT_MS)
      return {
        reason: "HeartbeatOld",
        message:
          `stage ${stage.name}: the last heartbeat of Pod/${pod.name} is older than a minute: its loop hangs (Kubernetes ` +
          "restarts it then), its node is gone, or the operator may not reach its port 8080" +
          (pod.askError === undefined ? "" : ` (GET :8080/status: ${pod.askError})`),
      };
  }
  return undefined;
}

/** Of all pods. What one of them does not know is not zero: the sum of the others is told where it is more than that. */
function totalLag(pods: readonly PodObservation[]): number | undefined {
  const lags = pods
    .filter(({ terminating }) => !terminating)
    .map(({ status }) => (status === undefined || standsAside(status.value) ? undefined : lagOf(status.value)));
  const sum = lags.reduce<number>((total, lag) => total + (lag ?? 0), 0);
  return lags.length === 0 || (sum === 0 && lags.includes(undefined)) ? undefined : sum;
}

/** A pod that has no partition because of an error says nothing about what waits. */
function standsAside({ partitions, error }: StageStatus): boolean {
  return partitions.length === 0 && error !== undefined;
}

/** Why the lag of a stage that is ready otherwise is not told. */
function unknownLag(stage: StageSpec, pods: readonly PodObservation[]): string | undefined {
  const why = pods.flatMap(({ status, terminating }) => (terminating ? [] : (status?.value.lagUnknown ?? [])));
  return why.length === 0 ? undefined : `stage ${stage.name}: how much waits is not known: ${why[0] ?? ""}`;
}

export interface Undecided {
  readonly topic: string;
  readonly partition: number;
  /** Where the transaction began. */
  readonly offset: number;
  readonly records: number;
  /** Epoch milliseconds. */
  readonly since: number;
}

/** Partitions in which a transaction has been open for so long that it may never end, by topic and number. */
export function undecidedOf(pods: readonly PodObservation[], clock: number): Undecided[] {
  const found = new Map<string, Undecided>();
  for (const { status, terminating } of pods) {
    if (terminating || status === undefined) continue;
    // Both dates are the pod's; what has passed since its heartbeat is ours.
    const age = (since: number) => status.value.heartbeat - since + clock - status.heartbeatAt;
    for (const { topic, partition, undecided } of status.value.partitions)
      if (undecided !== undefined && age(undecided.since) >= TRANSACTION_MS)
        found.set(`${topic}/${partition}`, { topic, partition, ...undecided });
  }
  return [...found.values()].sort((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  );
}

/** Of the process that has been heard last: one that stands by knows as much of the slot. */
function slotOf(pods: readonly PodObservation[]): StageSummary["slot"] {
  const [latest] = pods
    .flatMap(({ status }) => (status?.value.slot === undefined ? [] : [{ at: status.at, slot: status.value.slot }]))
    .sort((a, b) => b.at - a.at);
  if (latest === undefined) return undefined;
  const { wal, retained, behind } = latest.slot;
  return { wal: plainText(wal, 16), retained: coarseBytes(retained), behind: coarseBytes(behind) };
}

/** `<16Mi`, the size of a file of the log, `<64Mi`, `<256Mi`, `<1Gi` and so on. */
export function coarseBytes(bytes: number): string {
  for (let power = 24; power < 50; power += 2) {
    if (bytes >= 2 ** power) continue;
    const unit = power < 30 ? "Mi" : power < 40 ? "Gi" : "Ti";
    return `<${2 ** (power % 10)}${unit}`;
  }
  return "≥256Ti";
}

/** `0`, `<1k`, `<10k`, `<100k`, `<1M` and so on, so that status is not rewritten with every event. */
export function coarse(lag: number): string {
  if (lag === 0) return "0";
  for (let power = 3; power < 15; power++) {
    if (lag >= 10 ** power) continue;
    const unit = power < 6 ? "k" : power < 9 ? "M" : power < 12 ? "G" : "T";
    return `<${10 ** (power % 3)}${unit}`;
  }
  return "≥100T";
}
