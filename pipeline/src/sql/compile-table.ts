/** One table of an aggregator: its window, its groups and its aggregates. */
import { nameProblem, parseDuration, RESERVED_COLUMNS, type Table } from "@caudal/crds";
import { planAggregate, readAggregate } from "./aggregate.ts";
import { checkKinds } from "./determinism.ts";
import type { AggregateColumn, GroupColumn, TablePlan } from "./plan.ts";
import { fieldSpellings, fieldSql } from "./quote.ts";
import type { Scope } from "./scope.ts";
import { SqlError } from "./sql-error.ts";
import { systemColumnProblem } from "./system-columns.ts";
import { postgresType } from "./types.ts";
import { planWindow } from "./windows.ts";

/** A table without the hash of its meaning. */
export type TableDraft = Omit<TablePlan, "hash" | "meaning">;

/** @returns undefined when something is wrong, which is then among the scope's problems */
export async function compileTable(scope: Scope, table: Table, path: string): Promise<TableDraft | undefined> {
  const before = scope.problems.length;
  const window = await scope.attempt(`${path}.window`, () => planWindow(table.window));
  const where = table.where === undefined ? undefined : await scope.condition(table.where, `${path}.where`);
  const fields = new Set(where?.fields);
  const inputs = new Set(where?.fields);
  const groups: GroupColumn[] = [];
  for (const [index, text] of table.groupBy.entries()) {
    const group = await scope.attempt(`${path}.groupBy[${index}]`, () => compileGroup(scope, text));
    if (group === undefined) continue;
    groups.push(group.column);
    for (const field of group.fields) {
      fields.add(field);
      if (fieldSql(field) !== group.column.expression) inputs.add(field);
    }
  }
  const aggregates: AggregateColumn[] = [];
  for (const [index, text] of table.aggregates.entries()) {
    const aggregate = await scope.attempt(`${path}.aggregates[${index}]`, () => compileAggregate(scope, text));
    if (aggregate === undefined) continue;
    aggregates.push(aggregate.column);
    for (const field of aggregate.fields) {
      fields.add(field);
      if (aggregate.column.parts.some(({ expression }) => !fieldSpellings(field).includes(expression)))
        inputs.add(field);
    }
  }
  await scope.attempt(path, () => {
    checkNames(groups, aggregates);
  });
  if (window === undefined || scope.problems.length > before) return undefined;
  return {
    ...{ name: table.name, ...window, groups, aggregates, fields: [...fields].sort(), inputs: [...inputs].sort() },
    ...(where === undefined ? {} : { where: where.sql }),
    ...(table.retention === undefined ? {} : { retention: parseDuration(table.retention) }),
    ...(table.emit === undefined ? {} : { emit: table.emit.final }),
  };
}

async function compileGroup(scope: Scope, text: string) {
  const expression = await scope.parse(text);
  checkKinds(expression.node, scope.functions);
  const { sql, duckdbType, fields } = await scope.bind(expression, text);
  const [field] = expression.node.class === "COLUMN_REF" ? fields : [];
  if (expression.alias === "" && field === undefined)
    throw new SqlError(`it needs a name: write "${text.trim()} as name"`);
  const name = checkName(expression.alias === "" ? (field ?? "") : expression.alias);
  if (fields.length === 0) throw new SqlError("it is the same for all events: group by a field, or leave it out");
  const column: GroupColumn = {
    name,
    // A field is called as it is declared, however the spec writes it.
    expression: field === undefined ? sql : fieldSql(field),
    duckdbType,
    postgresType: postgresType(duckdbType, `group by ${name}`),
  };
  return { column, fields };
}

async function compileAggregate(scope: Scope, text: string) {
  const expression = await scope.parse(text);
  const call = readAggregate(expression, scope.functions);
  const { fields } = await scope.bind(expression, text, true);
  if (expression.alias === "") throw new SqlError(`it needs a name: write "${text.trim()} as name"`);
  const name = checkName(expression.alias);
  return { column: planAggregate(name, call, await scope.typeOf(call.argument)), fields };
}

function checkName(name: string): string {
  const problem = nameProblem(name);
  if (problem !== undefined) throw new SqlError(problem);
  if ((RESERVED_COLUMNS as readonly string[]).includes(name))
    throw new SqlError(`every table has a column ${name} of its own: write another name`);
  const system = systemColumnProblem(name);
  if (system !== undefined) throw new SqlError(system);
  return name;
}

function checkNames(groups: readonly GroupColumn[], aggregates: readonly AggregateColumn[]): void {
  const seen = new Set<string>();
  const names = [
    ...groups.map(({ name }) => name),
    ...aggregates.flatMap(({ name, parts }) => [
      name,
      ...parts.map(({ column }) => column).filter((part) => part !== name),
    ]),
  ];
  for (const name of names) {
    if (seen.has(name)) throw new SqlError(`two columns are called ${name}: write another name for one of them`);
    seen.add(name);
  }
}
