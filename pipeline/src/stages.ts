/** The stages of a pipeline as one list, in the order of the spec. */
import {
  type Aggregator,
  defaultDeadLetterTopic,
  type Generator,
  type Source,
  type StreamPipeline,
  tableTitle,
  type Transform,
} from "@caudal/crds";

export type StageSpec =
  | (Generator & { readonly role: "generator" })
  | (Source & { readonly role: "source"; readonly replicas: 1 })
  | (Transform & { readonly role: "transform" })
  | (Aggregator & { readonly role: "aggregator" });

export function stagesOf({ spec }: Pick<StreamPipeline, "spec">): StageSpec[] {
  return [
    ...(spec.generators ?? []).map((stage) => ({ ...stage, role: "generator" as const })),
    ...(spec.sources ?? []).map((stage) => ({ ...stage, role: "source" as const, replicas: 1 as const })),
    ...(spec.transforms ?? []).map((stage) => ({ ...stage, role: "transform" as const })),
    ...(spec.aggregators ?? []).map((stage) => ({ ...stage, role: "aggregator" as const })),
  ];
}

export type ReadingStage = Exclude<StageSpec, { role: "generator" }>;

/** The stages that read what others made, each with the topic of its dead letters. */
export function readingStagesOf(
  pipeline: Pick<StreamPipeline, "metadata" | "spec">,
): (ReadingStage & { readonly deadLetterTopic: string })[] {
  return stagesOf(pipeline).flatMap((stage) => {
    if (stage.role === "generator") return [];
    const deadLetterTopic = stage.deadLetterTopic ?? defaultDeadLetterTopic(pipeline.metadata.name, stage.name);
    return [{ ...stage, deadLetterTopic }];
  });
}

/** The tables that stages keep, each in its one spelling, with where it is declared. */
export function tablesOf(pipeline: Pick<StreamPipeline, "spec">): { readonly name: string; readonly path: string }[] {
  return stagesOf(pipeline).flatMap((stage) => {
    const path = `spec.${stage.role}s[${stage.name}]`;
    if (stage.role === "aggregator")
      return stage.tables.map(({ name }) => ({ name: tableTitle(name), path: `${path}.tables[${name}]` }));
    if (stage.role === "transform")
      return stage.to.flatMap(({ name, table }) =>
        table === undefined ? [] : [{ name: tableTitle(table.name), path: `${path}.to[${name}].table` }],
      );
    return [];
  });
}
