/** What is asked about the SQL of a pipeline, and what the answer means for it. */
import { createHash } from "node:crypto";
import type {
  Aggregator,
  AggregatorConfig,
  StageSummary,
  StreamPipeline,
  TopicConfig,
  TransformConfig,
} from "@caudal/crds";
import { canonical } from "../canonical.ts";
import { type StageSpec, stagesOf } from "../stages.ts";
import { buildAggregatorConfig, buildTransformConfig, topicConfig } from "../workload-config.ts";
import type { Problem } from "../problem.ts";

export interface SqlQuestion {
  readonly aggregators: readonly {
    readonly path: string;
    readonly config: AggregatorConfig;
    /** Topics that get rows of its tables. */
    readonly targets: readonly TopicConfig[];
  }[];
  readonly transforms: readonly { readonly path: string; readonly config: TransformConfig }[];
}

/** What the outputs of transforms get is by the stage's path in the spec. */
export interface SqlAnswer {
  readonly problems: readonly Found[];
  readonly transforms: readonly { readonly path: string; readonly columns: readonly Column[] }[];
}

interface Found {
  readonly path: string;
  readonly message: string;
  /** Where it is not the SQL itself. */
  readonly reason?: string;
}

export interface SqlFindings {
  readonly problems: readonly Problem[];
  /** What the outputs of transforms get, by the stage's name. */
  readonly columns?: Columns;
}

type Column = NonNullable<StageSummary["columns"]>[number];
export type Columns = ReadonlyMap<string, readonly Column[]>;

/** @returns undefined where no stage has SQL */
export function questionOf(pipeline: StreamPipeline): SqlQuestion | undefined {
  const aggregators = stagesOf(pipeline).flatMap((stage) => {
    if (stage.role !== "aggregator") return [];
    return {
      path: pathOf(stage),
      config: buildAggregatorConfig(pipeline, stage),
      targets: targetsOf(pipeline, stage),
    };
  });
  const transforms = stagesOf(pipeline).flatMap((stage) => {
    if (stage.role !== "transform") return [];
    return { path: pathOf(stage), config: buildTransformConfig(pipeline, stage) };
  });
  return aggregators.length + transforms.length === 0 ? undefined : { aggregators, transforms };
}

/** Asks about a pipeline's SQL, and waits for the answer. */
export async function findSqlProblems(
  pipeline: StreamPipeline,
  ask: (question: SqlQuestion) => Promise<SqlAnswer>,
): Promise<SqlFindings> {
  const question = questionOf(pipeline);
  return question === undefined ? { problems: [] } : findingsOf(await ask(question));
}

/** Processor time after which a check of a pipeline's SQL is ended, in milliseconds. */
export const SQL_CPU_MS = 20_000;

/** What to look for where a check was ended at a bound. */
export function boundHint({ aggregators, transforms }: SqlQuestion): string {
  const paths = [...aggregators, ...transforms].map(({ path }) => path).join(", ");
  return `look in ${paths} for constants that are large to compute, such as repeat('x', 1000000000) or range(…)`;
}

export function findingsOf(answer: SqlAnswer): SqlFindings {
  const problems = answer.problems.map(({ path, message, reason = "SqlInvalid" }) => ({
    reason,
    message: `${path}: ${message}`,
  }));
  const columns = new Map(answer.transforms.map(({ path, columns: inferred }) => [nameOf(path), inferred]));
  return columns.size === 0 ? { problems } : { problems, columns };
}

function targetsOf({ spec }: StreamPipeline, { tables }: Aggregator): readonly TopicConfig[] {
  const names = new Set(tables.flatMap(({ emit }) => emit?.final.topic ?? []));
  return [...names].map((name) => topicConfig(spec, name));
}

function pathOf({ role, name }: StageSpec): string {
  return `spec.${role}s[${name}]`;
}

/** The name of the stage at a path such as `spec.transforms[approve]`. */
function nameOf(path: string): string {
  return path.slice(path.indexOf("[") + 1, -1);
}

/** A hash of what an answer depends on: the number of replicas says nothing about SQL. */
export function keyOf({ aggregators, transforms }: SqlQuestion): string {
  const meaning = [...aggregators, ...transforms].map(({ config, ...rest }) => ({
    ...rest,
    config: { ...config, replicas: 0 },
  }));
  return createHash("sha256").update(canonical(meaning)).digest("hex");
}
