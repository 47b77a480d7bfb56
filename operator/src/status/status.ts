/** Facts in, the whole status out; written also after failures. */
import { CONDITION_TYPES, type ConditionType, label, type PipelineStatus } from "@caudal/crds";
import { holdsData } from "../plan/kinds.ts";
import { fails, type Finding, setCondition } from "./condition.ts";
import { plainTexts } from "../kube/plain-text.ts";
import { findConfigValid } from "./config-valid.ts";
import { findDatabaseReady } from "./database-ready.ts";
import type { Facts } from "./facts.ts";
import { findHealthy } from "./healthy.ts";
import { findReady } from "./ready.ts";
import { coarse, readsTopics, type StageView, viewStages } from "./stages.ts";
import { identifyTopics } from "./topic-identity.ts";
import { findTopicsReady } from "./topics-ready.ts";
import { findUnseen } from "./unseen.ts";
import { findWorkloadsReady } from "./workloads-ready.ts";

export interface StatusResult {
  readonly status: PipelineStatus;
  readonly stages: readonly StageView[];
}

export function statusOf(facts: Facts): StatusResult {
  const { pipeline, now } = facts.observation;
  const stages = viewStages(facts);
  const { topics, lost } = identifyTopics(facts);
  const parts: Partial<Record<ConditionType, Finding>> = {
    ConfigValid: findConfigValid(facts, stages),
    TopicsReady: findTopicsReady(facts),
    DatabaseReady: findDatabaseReady(facts),
    WorkloadsReady: findWorkloadsReady(facts, stages),
    Healthy: findHealthy(facts, stages, lost),
  };
  parts.Ready = findUnseen(facts, "StreamPipeline") ?? findDeleting(facts) ?? findReady(pipeline.spec.suspend, parts);
  const before = pipeline.status?.conditions ?? [];
  const at = { generation: pipeline.metadata.generation, now };
  const readers = stages.filter(({ stage }) => readsTopics(stage));
  const lags = readers.flatMap(({ lag }) => (lag === undefined ? [] : [lag]));
  // The largest is not known to be zero while one is not known.
  const lagKnown = lags.length > 0 && (lags.some((lag) => lag > 0) || lags.length === readers.length);
  return {
    stages,
    // Pods, servers and other operators wrote parts of it.
    status: plainTexts({
      observedGeneration: pipeline.metadata.generation,
      conditions: CONDITION_TYPES.flatMap((type) => {
        const finding = parts[type];
        return finding === undefined ? [] : [setCondition(type, finding, before, at)];
      }),
      stages: stages.map(({ summary }) => summary),
      stagesReady: `${stages.filter(({ ready }) => ready).length}/${stages.length}`,
      ...(!lagKnown ? {} : { lag: coarse(Math.max(...lags)) }),
      ...(topics.length > 0 && { topics: [...topics] }),
      ...(lost.length > 0 && { lostTopics: [...lost] }),
      ...releasedOf(facts),
    }),
  };
}

function findDeleting({ deleting }: Facts): Finding | undefined {
  return deleting === undefined ? undefined : fails("Deleting", `the pipeline is being deleted: ${deleting}`);
}

function releasedOf({ observation }: Facts): Pick<PipelineStatus, "released"> {
  const released = [...observation.children.values()]
    .filter((object) => holdsData(object) && object.metadata.labels?.[label.released] === "true")
    .map(({ kind, metadata }) => ({ kind, name: metadata.name }))
    .sort((a, b) => (`${a.kind}/${a.name}` < `${b.kind}/${b.name}` ? -1 : 1));
  return released.length === 0 ? {} : { released };
}
