/** What is found in the SQL of a pipeline's stages, and what they give. */
import type { AggregatorConfig, TopicConfig, TransformConfig } from "@caudal/crds";
import { compile } from "./compile.ts";
import { compileTransform } from "./compile-transform.ts";
import { checkEmission } from "./emission.ts";
import type { TablePlan } from "./plan.ts";
import type { SqlProblem } from "./sql-error.ts";

export interface CheckInput {
  readonly aggregators: readonly {
    /** Where it is in the spec, such as `spec.aggregators[metrics]`. */
    readonly path: string;
    readonly config: AggregatorConfig;
    /** Topics that get rows of its tables. */
    readonly targets?: readonly TopicConfig[];
  }[];
  readonly transforms?: readonly {
    /** Where it is in the spec, such as `spec.transforms[approve]`. */
    readonly path: string;
    readonly config: TransformConfig;
  }[];
}

export interface CheckedTable {
  /** The aggregator's path. */
  readonly path: string;
  readonly table: string;
  readonly hash: string;
  /** Groups and aggregates as people see them, with PostgreSQL's types. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

export interface CheckedTransform {
  /** The transform's path. */
  readonly path: string;
  /** What its outputs get, with PostgreSQL's types. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

export interface CheckOutput {
  readonly problems: readonly SqlProblem[];
  readonly tables: readonly CheckedTable[];
  readonly transforms: readonly CheckedTransform[];
}

/** Compiles all stages and describes what they give. */
export async function checkAll(input: CheckInput): Promise<CheckOutput> {
  const problems: SqlProblem[] = [];
  const tables: CheckedTable[] = [];
  for (const { path, config, targets = [] } of input.aggregators) {
    const compiled = await compile(config, path);
    problems.push(...compiled.problems);
    for (const table of compiled.plan?.tables ?? [])
      for (const target of targets.filter(({ name }) => name === table.emit?.topic))
        for (const message of checkEmission(table, target, config.topic))
          problems.push({
            path: `${path}.tables[${table.name}].emit.final.topic`,
            reason: "EmissionInvalid",
            message,
          });
    tables.push(...(compiled.plan?.tables ?? []).map((table) => describeTable(path, table)));
  }
  const transforms: CheckedTransform[] = [];
  for (const { path, config } of input.transforms ?? []) {
    const { plan, problems: found } = await compileTransform(config, path);
    problems.push(...found);
    if (plan !== null)
      transforms.push({ path, columns: plan.columns.map(({ name, postgresType }) => ({ name, type: postgresType })) });
  }
  return { problems, tables, transforms };
}

function describeTable(path: string, { name, hash, groups, aggregates }: TablePlan): CheckedTable {
  const columns = [...groups, ...aggregates].map((column) => ({ name: column.name, type: column.postgresType }));
  return { path, table: name, hash, columns };
}
