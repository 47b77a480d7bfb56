/** SQL of the aggregators, bound by DuckDB in a process of its own; what was asked once is not asked again. */
import { createHash } from "node:crypto";
import type { AggregatorConfig, StreamPipeline } from "@caudal/crds";
import { canonical } from "../plan/hash.ts";
import { stagesOf } from "../plan/stages.ts";
import { buildAggregatorConfig } from "../plan/workload-config.ts";
import type { Problem } from "../status/facts.ts";

export interface SqlQuestion {
  readonly aggregators: readonly { readonly path: string; readonly config: AggregatorConfig }[];
}

/** Throws where the SQL could not be checked, which says nothing about it. */
export type AskSql = (
  question: SqlQuestion,
) => Promise<{ readonly problems: readonly { readonly path: string; readonly message: string }[] }>;

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
      return { path: `spec.aggregators[${stage.name}]`, config: buildAggregatorConfig(pipeline, stage) };
    });
    if (aggregators.length === 0) return { problems: [] };
    const key = keyOf({ aggregators });
    const known = this.#known.get(key);
    if (known !== undefined) return { problems: known };
    try {
      const { problems: said } = await this.#ask({ aggregators });
      const problems = said.map(({ path, message }) => ({ reason: "SqlInvalid", message: `${path}: ${message}` }));
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

/** The number of replicas says nothing about SQL. */
function keyOf({ aggregators }: SqlQuestion): string {
  const meaning = aggregators.map(({ path, config }) => ({ path, config: { ...config, replicas: 0 } }));
  return createHash("sha256").update(canonical(meaning)).digest("hex");
}
