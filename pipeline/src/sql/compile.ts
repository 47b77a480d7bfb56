/** From an aggregator's configuration to its plan, or to what is wrong with its SQL. */
import type { AggregatorConfig } from "@caudal/crds";
import { checkFields, inScope } from "./event-scope.ts";
import { hashOfMeaning, meaningOf } from "./meaning.ts";
import type { AggregatorPlan, TablePlan } from "./plan.ts";
import { fieldSql } from "./quote.ts";
import { SqlError, type SqlProblem } from "./sql-error.ts";
import { compileTable } from "./compile-table.ts";

export interface Compiled {
  /** null when there are problems. */
  readonly plan: AggregatorPlan | null;
  readonly problems: readonly SqlProblem[];
}

/**
 * Compiles an aggregator. The same configuration gives the same plan everywhere. SQL is bound and its constants are
 * computed on the way: for SQL of strangers call this in a process with limits (`checkSql`).
 *
 * @param path of the aggregator in the spec, such as `spec.aggregators[metrics]`
 */
export async function compile(config: AggregatorConfig, path = "aggregator"): Promise<Compiled> {
  const problems = checkFields(config.topic);
  if (problems.length > 0) return { plan: null, problems };
  return await inScope(config.topic, [], async (scope) => {
    const where = config.where === undefined ? undefined : await scope.condition(config.where, `${path}.where`);
    const tables: TablePlan[] = [];
    for (const table of config.tables) {
      const compiled = await compileTable(scope, table, `${path}.tables[${table.name}]`);
      if (compiled === undefined) continue;
      const meaning = meaningOf(compiled, where, config.topic);
      tables.push({ ...compiled, hash: hashOfMeaning(meaning), meaning });
    }
    if (scope.problems.length > 0) return { plan: null, problems: scope.problems };
    const plan = { fields: where?.fields ?? [], tables: inWriteOrder(tables, config.topic.key) };
    return { plan: where === undefined ? plan : { where: where.sql, ...plan }, problems: [] };
  });
}

/**
 * The plan of a configuration that has been checked.
 *
 * @throws SqlError with all problems
 */
export async function compilePlan(config: AggregatorConfig): Promise<AggregatorPlan> {
  const { plan, problems } = await compile(config);
  if (plan === null) throw new SqlError(problems.map((problem) => `${problem.path}: ${problem.message}`).join("; "));
  return plan;
}

/** Most groups expected first: those by the topic's key, then others with groups, then totals. */
function inWriteOrder(tables: readonly TablePlan[], key: string | undefined): readonly TablePlan[] {
  const rank = ({ groups }: TablePlan) =>
    groups.length === 0
      ? 2
      : key !== undefined && groups.some(({ expression }) => expression === fieldSql(key))
        ? 0
        : 1;
  return [...tables].sort((a, b) => rank(a) - rank(b));
}
