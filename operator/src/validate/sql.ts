/** SQL of the aggregators, bound by DuckDB in a process of its own; what was asked once is not asked again. */
import { createHash } from "node:crypto";
import type { Aggregator, AggregatorConfig, StreamPipeline, TopicConfig } from "@caudal/crds";
import { canonical } from "../plan/hash.ts";
import { stagesOf } from "../plan/stages.ts";
import { buildAggregatorConfig, topicConfig } from "../plan/workload-config.ts";
import type { Problem } from "../status/facts.ts";

export interface SqlQuestion {
  readonly aggregators: readonly {
    readonly path: string;
    readonly config: AggregatorConfig;
    /** Topics that get rows of its tables. */
    readonly targets: readonly TopicConfig[];
  }[];
}

/** Throws where the SQL could not be checked, which says nothing about it. */
export type AskSql = (question: SqlQuestion) => Promise<{ readonly problems: readonly Found[] }>;

interface Found {
  readonly path: string;
  readonly message: string;
  /** Where it is not the SQL itself. */
  readonly reason?: string;
}

export interface SqlFindings {
  readonly problems: readonly Problem[];
  /** The check itself failed. */
  readonly unchecked?: Problem;
}

const CACHE_SIZE = 1000;

export class SqlChecks {
  readonly #ask: AskSql;
  readonly #known = new Map<string, readonly Problem[]>();

  constructor(ask: AskSql) {
    this.#ask = ask;
  }

  async check(pipeline: StreamPipeline): Promise<SqlFindings> {
    const aggregators = stagesOf(pipeline).flatMap((stage) => {
      if (stage.role !== "aggregator") return [];
      const path = `spec.aggregators[${stage.name}]`;
      return { path, config: buildAggregatorConfig(pipeline, stage), targets: targetsOf(pipeline, stage) };
    });
    if (aggregators.length === 0) return { problems: [] };
    const key = keyOf({ aggregators });
    const known = this.#known.get(key);
    if (known !== undefined) return { problems: known };
    try {
      const { problems: said } = await this.#ask({ aggregators });
      const problems = said.map(({ path, message, reason = "SqlInvalid" }) => ({
        reason,
        message: `${path}: ${message}`,
      }));
      this.#remember(key, problems);
      return { problems };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return {
        problems: [],
        unchecked: { reason: "SqlNotChecked", message: `the SQL could not be checked: ${message}` },
      };
    }
  }

  #remember(key: string, problems: readonly Problem[]): void {
    const oldest = this.#known.keys().next().value;
    if (this.#known.size >= CACHE_SIZE && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, problems);
  }
}

function targetsOf({ spec }: StreamPipeline, { tables }: Aggregator): readonly TopicConfig[] {
  const names = new Set(tables.flatMap(({ emit }) => emit?.final.topic ?? []));
  return [...names].map((name) => topicConfig(spec, name));
}

/** The number of replicas says nothing about SQL. */
function keyOf({ aggregators }: SqlQuestion): string {
  const meaning = aggregators.map(({ config, ...rest }) => ({ ...rest, config: { ...config, replicas: 0 } }));
  return createHash("sha256").update(canonical(meaning)).digest("hex");
}
