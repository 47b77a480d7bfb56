/** The stages of a pipeline as one list, in the order of the spec. */
import type { Aggregator, Generator, StreamPipeline } from "@caudal/crds";

export type StageSpec = (Generator & { readonly role: "generator" }) | (Aggregator & { readonly role: "aggregator" });

export function stagesOf({ spec }: Pick<StreamPipeline, "spec">): StageSpec[] {
  return [
    ...(spec.generators ?? []).map((stage) => ({ ...stage, role: "generator" as const })),
    ...(spec.aggregators ?? []).map((stage) => ({ ...stage, role: "aggregator" as const })),
  ];
}
