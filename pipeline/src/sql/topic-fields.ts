/** Whether the columns of records are what the topic that gets them is declared to hold. */
import { type Field, pathOf, type TopicConfig } from "@caudal/crds";

/** A column as it is in a record's value. */
export interface Shown {
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
  jsonb: ["json"],
};

/**
 * @param what the columns are of, such as "the table"
 * @returns what is wrong, in words that say what to write instead
 */
export function checkTopicFields(columns: readonly Shown[], target: TopicConfig, what: string): string[] {
  // What is beside a record's value is no column: the key has a check of its own, the rest is Kafka's, or goes on.
  const inJson = target.fields.filter((field) => pathOf(field) !== undefined);
  return inJson.flatMap((field) => fieldProblem(field, columns, target.name, what) ?? []);
}

function fieldProblem(
  { name, type, nullable }: Field,
  columns: readonly Shown[],
  topic: string,
  what: string,
): string | undefined {
  const field = `the field ${name} of topic ${topic}`;
  const column = columns.find((candidate) => candidate.name === name);
  if (column === undefined)
    return nullable
      ? undefined
      : `${field} is not nullable, and ${what} has no column ${name}: remove it, or name one of ${columns.map((one) => one.name).join(", ")}`;
  const fitting = fittingTypes(column);
  if (!fits(column, type))
    return `${field} is of type ${type}, which does not take the column's ${column.postgresType}: declare it as ${fitting.join(" or ")}`;
  return column.nullable && !nullable ? `${field} may be NULL in ${what}: declare it with nullable: true` : undefined;
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

/** @param duckdbType of the column, which tells the digits of a numeric */
export function withScale(column: Omit<Shown, "scale">, duckdbType: string): Shown {
  if (!column.postgresType.startsWith("numeric")) return column;
  return { ...column, scale: Number(/^DECIMAL\(\d+,(\d+)\)$/.exec(duckdbType)?.[1] ?? 0) };
}
