/** Whether a table's rows are what the topic that gets them is declared to hold. */
import type { TopicConfig } from "@caudal/crds";
import type { AggregateColumn, GroupColumn, TablePlan } from "./plan.ts";
import { fieldSpellings } from "./quote.ts";
import { checkTopicFields, type Shown, withScale } from "./topic-fields.ts";

/** @returns what is wrong, in words that say what to write instead */
export function checkEmission(table: TablePlan, target: TopicConfig, source: TopicConfig): readonly string[] {
  const moved = target.fields.filter(({ from }) => from !== undefined);
  const problems = [
    ...moved.map(
      ({ name, from }) =>
        `rows of a table are written under the names of their columns, and the field ${name} of topic ${target.name} is read from ${from ?? ""}: leave \`from\` out`,
    ),
    ...(moved.length > 0 ? [] : checkTopicFields(shownColumns(table, source), target, "the table")),
  ];
  const [group, ...others] = table.groups;
  if (target.key !== undefined && (group?.name !== target.key || others.length > 0))
    problems.push(
      `topic ${target.name} is keyed by ${target.key}, and the records by the table's groups (${table.groups.map(({ name }) => name).join(", ")}): group by ${target.key} alone, or leave out the topic's key`,
    );
  return problems;
}

function shownColumns({ groups, aggregates }: TablePlan, source: TopicConfig): readonly Shown[] {
  const required = new Set(
    source.fields.filter(({ nullable }) => !nullable).flatMap(({ name }) => fieldSpellings(name)),
  );
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
