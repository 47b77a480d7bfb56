/** Whether a table's rows are what the topic that gets them is declared to hold. */
import type { Field, TopicConfig } from "@caudal/crds";
import type { AggregateColumn, GroupColumn, TablePlan } from "./plan.ts";

/** A column as it is in a record's value. */
interface Shown {
  readonly name: string;
  readonly postgresType: string;
  readonly nullable: boolean;
  /** Digits after the point, of PostgreSQL's numeric. */
  readonly scale?: number;
}

/** Types of fields that take what PostgreSQL's types are in JSON. */
const FITS: Readonly<Record<string, readonly string[]>> = {
  smallint: ["integer", "bigint"],
  integer: ["integer", "bigint"],
  bigint: ["bigint"],
  real: ["double"],
  "double precision": ["double"],
  boolean: ["boolean"],
  text: ["string"],
  uuid: ["uuid", "string"],
  date: ["date", "string"],
  time: ["string"],
  timestamp: ["timestamp", "string"],
  timestamptz: ["timestamp", "string"],
};

/** @returns what is wrong, in words that say what to write instead */
export function checkEmission(table: TablePlan, target: TopicConfig, source: TopicConfig): readonly string[] {
  const columns = shownColumns(table, source);
  const problems = target.fields.flatMap((field) => fieldProblem(field, columns, target.name) ?? []);
  const [group, ...others] = table.groups;
  if (target.key !== undefined && (group?.name !== target.key || others.length > 0))
    problems.push(
      `topic ${target.name} is keyed by ${target.key}, and the records by the table's groups (${table.groups.map(({ name }) => name).join(", ")}): group by ${target.key} alone, or leave out the topic's key`,
    );
  return problems;
}

function fieldProblem({ name, type, nullable }: Field, columns: readonly Shown[], topic: string): string | undefined {
  const field = `the field ${name} of topic ${topic}`;
  const column = columns.find((candidate) => candidate.name === name);
  if (column === undefined)
    return nullable
      ? undefined
      : `${field} is not nullable, and the table has no column ${name}: remove it, or name one of ${columns.map((one) => one.name).join(", ")}`;
  const fitting = fittingTypes(column);
  if (!fits(column, type))
    return `${field} is of type ${type}, which does not take the column's ${column.postgresType}: declare it as ${fitting.join(" or ")}`;
  return column.nullable && !nullable ? `${field} may be NULL in the table: declare it with nullable: true` : undefined;
}

function fits(column: Shown, type: string): boolean {
  const decimal = /^decimal\((\d+),(\d+)\)$/.exec(type);
  if (decimal === null) return fittingTypes(column).includes(type);
  if (column.scale === undefined) return false;
  const [precision, scale] = [Number(decimal[1]), Number(decimal[2])];
  // A sum may be longer than any in practice: what would not fit before the point is told by whoever reads it.
  return precision >= scale && scale >= column.scale;
}

function fittingTypes({ postgresType, scale }: Shown): readonly string[] {
  if (scale === undefined) return FITS[postgresType] ?? [];
  const decimal = `decimal(38,${scale})`;
  return scale === 0 ? ["bigint", decimal, "string"] : [decimal, "string"];
}

function shownColumns({ groups, aggregates }: TablePlan, source: TopicConfig): readonly Shown[] {
  const required = new Set(source.fields.filter(({ nullable }) => !nullable).map(({ name }) => name));
  const own = (name: string, postgresType: string): Shown => ({ name, postgresType, nullable: false });
  return [
    own("window_start", "timestamptz"),
    own("window_end", "timestamptz"),
    ...groups.map((group) => shownGroup(group, required)),
    ...aggregates.map((aggregate) => shownAggregate(aggregate, required)),
    own("revision", "bigint"),
  ];
}

function shownGroup({ name, postgresType, expression, duckdbType }: GroupColumn, required: ReadonlySet<string>): Shown {
  return withScale({ name, postgresType, nullable: !required.has(expression) }, duckdbType);
}

function shownAggregate({ name, postgresType, parts }: AggregateColumn, required: ReadonlySet<string>): Shown {
  const [part] = parts;
  // A row has one event or more, so that a required field's values give one.
  const nullable = part?.function !== "count" && !required.has(part?.expression ?? "");
  return withScale({ name, postgresType, nullable }, part?.duckdbType ?? "");
}

function withScale(column: Shown, duckdbType: string): Shown {
  if (!column.postgresType.startsWith("numeric")) return column;
  return { ...column, scale: Number(/^DECIMAL\(\d+,(\d+)\)$/.exec(duckdbType)?.[1] ?? 0) };
}
