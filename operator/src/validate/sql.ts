/** SQL of the stages, bound by DuckDB in a process of its own; what was asked once is not asked again. */
import { createHash } from "node:crypto";
import type {
  Aggregator,
  AggregatorConfig,
  StageSummary,
  StreamPipeline,
  TopicConfig,
  TransformConfig,
} from "@caudal/crds";
import { canonical } from "../plan/hash.ts";
import { type StageSpec, stagesOf } from "../plan/stages.ts";
import { buildAggregatorConfig, buildTransformConfig, topicConfig } from "../plan/workload-config.ts";
import type { Problem } from "../status/facts.ts";

export interface SqlQuestion {
  readonly aggregators: readonly {
    readonly path: string;
    readonly config: AggregatorConfig;
    /** Topics that get rows of its tables. */
    readonly targets: readonly TopicConfig[];
  }[];
  readonly transforms: readonly { readonly path: string; readonly config: TransformConfig }[];
}

/** What the outputs of transforms get, by the stage's path in the spec. */
interface Answer {
  readonly problems: readonly Found[];
  readonly transforms: readonly { readonly path: string; readonly columns: readonly Column[] }[];
}

/** Throws where the SQL could not be checked, which says nothing about it. */
export type AskSql = (question: SqlQuestion) => Promise<Answer>;

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
  /** The check itself failed. */
  readonly unchecked?: Problem;
}

type Column = NonNullable<StageSummary["columns"]>[number];
export type Columns = ReadonlyMap<string, readonly Column[]>;

const CACHE_SIZE = 1000;

export class SqlChecks {
  readonly #ask: AskSql;
  readonly #known = new Map<string, SqlFindings>();

  constructor(ask: AskSql) {
    this.#ask = ask;
  }

  async check(pipeline: StreamPipeline): Promise<SqlFindings> {
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
      return { name: stage.name, path: pathOf(stage), config: buildTransformConfig(pipeline, stage) };
    });
    if (aggregators.length + transforms.length === 0) return { problems: [] };
    const question = { aggregators, transforms: transforms.map(({ path, config }) => ({ path, config })) };
    const key = keyOf(question);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    try {
      const { problems: said, transforms: answered } = await this.#ask(question);
      const problems = said.map(({ path, message, reason = "SqlInvalid" }) => ({
        reason,
        message: `${path}: ${message}`,
      }));
      const names = new Map(transforms.map(({ path, name }) => [path, name]));
      const columns = new Map(answered.map(({ path, columns: inferred }) => [names.get(path) ?? path, inferred]));
      const findings: SqlFindings = columns.size === 0 ? { problems } : { problems, columns };
      this.#remember(key, findings);
      return findings;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return {
        problems: [],
        unchecked: { reason: "SqlNotChecked", message: `the SQL could not be checked: ${message}` },
      };
    }
  }

  #remember(key: string, findings: SqlFindings): void {
    const oldest = this.#known.keys().next().value;
    if (this.#known.size >= CACHE_SIZE && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, findings);
  }
}

function targetsOf({ spec }: StreamPipeline, { tables }: Aggregator): readonly TopicConfig[] {
  const names = new Set(tables.flatMap(({ emit }) => emit?.final.topic ?? []));
  return [...names].map((name) => topicConfig(spec, name));
}

function pathOf({ role, name }: StageSpec): string {
  return `spec.${role}s[${name}]`;
}

/** The number of replicas says nothing about SQL. */
function keyOf({ aggregators, transforms }: SqlQuestion): string {
  const meaning = [...aggregators, ...transforms].map(({ config, ...rest }) => ({
    ...rest,
    config: { ...config, replicas: 0 },
  }));
  return createHash("sha256").update(canonical(meaning)).digest("hex");
}
