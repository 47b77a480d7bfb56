/** The database that the SQL of one stage is bound against: a table `event` with the topic's fields and the lookups. */
import { nameProblem, readFieldPlace, type TopicConfig } from "@caudal/crds";
import { readFunctions } from "./determinism.ts";
import { createTable, openDuckDB } from "./duckdb.ts";
import { duckdbTypeOf, isFieldType } from "./fields.ts";
import { quote } from "./quote.ts";
import { Scope } from "./scope.ts";
import type { SqlProblem } from "./sql-error.ts";
import type { LookupPlan } from "./transform-plan.ts";

/** Compiles within a scope that is closed after it. */
export async function inScope<T>(
  topic: TopicConfig,
  lookups: readonly LookupPlan[],
  compile: (scope: Scope) => Promise<T>,
): Promise<T> {
  const duckdb = await openDuckDB({ memoryLimit: "256MB", structuredErrors: true });
  try {
    const columns = [
      ...topic.fields.map(({ name, type }): [string, string] => [name, duckdbTypeOf(type)]),
      ...lookups.map((lookup): [string, string] => [lookup.name, structOf(lookup)]),
    ];
    // A topic without fields still has a table to bind against.
    await createTable(duckdb, "event", columns.length === 0 ? [["#row", "INTEGER"]] : columns);
    const scope = new Scope(
      duckdb,
      await readFunctions(duckdb),
      topic.fields.map(({ name }) => name),
      lookups,
      columns.some(([, type]) => /\bJSON\b/.test(type)),
    );
    return await compile(scope);
  } finally {
    duckdb.close();
  }
}

/** Type of a lookup's row. */
export function structOf({ columns }: LookupPlan): string {
  return `struct(${columns.map(({ name, duckdbType }) => `${quote(name)} ${duckdbType}`).join(", ")})`;
}

/** Places of the topic's fields that cannot be. */
export function checkPlaces({ name: topic, fields }: TopicConfig): readonly SqlProblem[] {
  return fields.flatMap((field) => {
    const place = readFieldPlace(field);
    return typeof place === "string"
      ? { path: `spec.topics[${topic}].fields[${field.name}].from`, reason: "FieldPlaceInvalid", message: place }
      : [];
  });
}

/** What is wrong with the topic's own fields. */
export function checkFields(topic: TopicConfig): readonly SqlProblem[] {
  const problems: SqlProblem[] = [...checkPlaces(topic)];
  const seen = new Map<string, string>();
  for (const { name, type } of topic.fields) {
    const unsayable = nameProblem(name);
    if (unsayable !== undefined) problems.push({ path: `spec.topics[${topic.name}].fields`, message: unsayable });
    const path = `spec.topics[${topic.name}].fields[${name}]`;
    if (!isFieldType(type))
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
