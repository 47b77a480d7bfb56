/** From an aggregator's configuration to its plan, or to what is wrong with its SQL. */
import type { AggregatorConfig } from "@caudal/crds";
import { readFunctions } from "./determinism.ts";
import { createTable, openDuckDB } from "./duckdb.ts";
import { duckdbTypeOf, fieldType } from "./fields.ts";
import { meaningOf } from "./meaning.ts";
import type { AggregatorPlan, TablePlan } from "./plan.ts";
import { Scope } from "./scope.ts";
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
  const problems = checkFields(config);
  if (problems.length > 0) return { plan: null, problems };
  const duckdb = await openDuckDB({ memoryLimit: "256MB", structuredErrors: true });
  try {
    const columns = config.topic.fields.map(({ name, type }): [string, string] => [name, duckdbTypeOf(type)]);
    // A topic without fields still has a table to bind against.
    await createTable(duckdb, "event", columns.length === 0 ? [["#row", "INTEGER"]] : columns);
    const scope = new Scope(
      duckdb,
      await readFunctions(duckdb),
      config.topic.fields.map(({ name }) => name),
    );
    const where = config.where === undefined ? undefined : await scope.condition(config.where, `${path}.where`);
    const tables: TablePlan[] = [];
    for (const table of config.tables) {
      const compiled = await compileTable(scope, table, `${path}.tables[${table.name}]`);
      if (compiled === undefined) continue;
      tables.push({ ...compiled, hash: meaningOf(compiled, where, config.topic) });
    }
    if (scope.problems.length > 0) return { plan: null, problems: scope.problems };
    const plan = { fields: where?.fields ?? [], tables: inWriteOrder(tables, config.topic.key) };
    return { plan: where === undefined ? plan : { where: where.sql, ...plan }, problems: [] };
  } finally {
    duckdb.close();
  }
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

function checkFields({ topic }: AggregatorConfig): readonly SqlProblem[] {
  const problems: SqlProblem[] = [];
  const seen = new Map<string, string>();
  for (const { name, type } of topic.fields) {
    const path = `spec.topics[${topic.name}].fields[${name}]`;
    if (fieldType(type) === undefined)
      problems.push({
        path: `${path}.type`,
        message: `there is no type ${type}: decimal(p,s) has 1 to 38 digits p, of which s are after the point`,
      });
    const twin = seen.get(name.toLowerCase());
    if (twin !== undefined)
      problems.push({
        path,
        message: `SQL does not tell ${name} from ${twin}: write names that differ in more than case`,
      });
    seen.set(name.toLowerCase(), name);
  }
  if (
    topic.timestamp !== undefined &&
    !topic.fields.some(({ name, type }) => name === topic.timestamp && type === "timestamp")
  )
    problems.push({
      path: `spec.topics[${topic.name}].timestamp`,
      message: `${topic.timestamp} is no field of type timestamp: name one, or leave timestamp out to use the record's own time`,
    });
  return problems;
}

/** Most groups expected first: those by the topic's key, then others with groups, then totals. */
function inWriteOrder(tables: readonly TablePlan[], key: string | undefined): readonly TablePlan[] {
  const rank = ({ groups }: TablePlan) =>
    groups.length === 0 ? 2 : key !== undefined && groups.some(({ expression }) => expression === key) ? 0 : 1;
  return [...tables].sort((a, b) => rank(a) - rank(b));
}
