/** What every session of a stage with PostgreSQL has in common. */
import { topicIdUuid, type WorkloadConfig } from "@caudal/crds";
import type { Metrics } from "../runtime/metrics.ts";
import type { CallObserver } from "./connection.ts";
import type { Owner } from "./core/table-decision.ts";

export function ownerOf({ pipeline, stage }: Pick<WorkloadConfig, "pipeline" | "stage">): Owner {
  return { pipeline: `${pipeline.namespace}/${pipeline.name}`, stage: stage.name, uid: pipeline.uid };
}

/** Ids, as the protocol has them, of topics of which a person has said that they are gone. */
export function lostTopicsOf({ lostTopics = [] }: Pick<WorkloadConfig, "lostTopics">): readonly string[] {
  return lostTopics.flatMap((id) => topicIdUuid(id) ?? []);
}

/** @param target what is called */
export function callObserver(metrics: Pick<Metrics, "externalCallSeconds">, target = "postgres"): CallObserver {
  return (operation, seconds, outcome) => {
    const labels = { target, operation: operation.replaceAll(" ", "_") };
    metrics.externalCallSeconds.observe({ ...labels, outcome: outcome === "ok" ? "ok" : "error" }, seconds);
  };
}
