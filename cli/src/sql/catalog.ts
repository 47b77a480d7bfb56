/** What a pipeline has, by the names that statements use. Pure. */
import { type StreamPipeline, tableTitle, type TopicConfig, type Transform } from "@caudal/crds";
import { readingStagesOf, stagesOf, type StageSpec, topicConfig } from "@caudal/pipeline";

export interface Catalog {
  /** Declared topics, and those of dead letters, which have no fields. */
  readonly topics: readonly CatalogTopic[];
  readonly tables: readonly CatalogTable[];
  readonly streams: readonly CatalogStream[];
  readonly connectors: readonly CatalogConnector[];
}

export interface CatalogTopic {
  readonly config: TopicConfig;
  /** Stages that get what they cannot read into it. */
  readonly deadLettersOf: readonly string[];
}

export interface CatalogTable {
  readonly name: string;
  readonly stage: string;
  readonly topic: string;
  /** Of an aggregate: such as `tumbling 1m`. */
  readonly window: string | null;
  readonly key: readonly string[];
}

export interface CatalogStream {
  readonly transform: Transform;
  readonly state: string;
}

export interface CatalogConnector {
  readonly name: string;
  readonly type: string;
  readonly topic: string;
  readonly table: string;
  /** RUNNING, or the state and what blocks it. */
  readonly status: string;
}

export function catalogOf(pipeline: StreamPipeline): Catalog {
  const stages = stagesOf(pipeline);
  return {
    topics: topicsOf(pipeline),
    tables: stages.flatMap(tablesOf),
    streams: (pipeline.spec.transforms ?? []).map((transform) => ({
      transform,
      state: stateOf(pipeline, transform.name),
    })),
    connectors: stages.flatMap((stage) =>
      stage.role !== "source"
        ? []
        : {
            name: stage.name,
            type: `postgres ${stage.postgres.mode}`,
            topic: stage.topic,
            table: stage.postgres.table,
            status: stateOf(pipeline, stage.name),
          },
    ),
  };
}

function topicsOf(pipeline: StreamPipeline): readonly CatalogTopic[] {
  const { spec } = pipeline;
  const letters = Map.groupBy(readingStagesOf(pipeline), ({ deadLetterTopic }) => deadLetterTopic);
  const names = new Set([...spec.topics.map(({ name }) => name), ...letters.keys()]);
  return [...names].map((name) => ({
    config: topicConfig(spec, name),
    deadLettersOf: (letters.get(name) ?? []).map((stage) => stage.name),
  }));
}

function tablesOf(stage: StageSpec): CatalogTable[] {
  const of = { stage: stage.name, topic: stage.topic };
  if (stage.role === "aggregator")
    return stage.tables.map(({ name, window: { tumbling, hopping, session }, groupBy }) => ({
      ...of,
      name: tableTitle(name),
      window:
        tumbling !== undefined
          ? `tumbling ${tumbling.size}`
          : hopping !== undefined
            ? `hopping ${hopping.size} every ${hopping.advance}`
            : `session ${session?.gap ?? ""}`,
      key: ["window_start", ...groupBy.map((text) => text.replace(/^.*\s+as\s+/i, ""))],
    }));
  if (stage.role !== "transform") return [];
  return stage.to.flatMap(({ table }) =>
    table === undefined ? [] : { ...of, name: tableTitle(table.name), window: null, key: table.key ?? [] },
  );
}

/** As the operator sees the stage: RUNNING, or what is in its way. */
function stateOf({ status }: StreamPipeline, name: string): string {
  const stage = status?.stages?.find((one) => one.name === name);
  if (stage === undefined) return "PENDING";
  const state = stage.state.toUpperCase();
  return stage.message === undefined || stage.message === "" ? state : `${state}: ${stage.message}`;
}
