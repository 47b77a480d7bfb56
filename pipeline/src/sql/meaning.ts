/** What a table means: equal ones may go on with each other's rows, others may not. */
import { createHash } from "node:crypto";
import type { TopicConfig } from "@caudal/crds";
import type { TableDraft } from "./compile-table.ts";
import type { Bound } from "./scope.ts";

/** Raised when the same SQL would be stored in another way than before. */
const FORMAT = 1;

/**
 * @param where the aggregator's own condition
 * @returns JSON of the topic, the event time, the SQL, the types of the fields that it reads, and the window; not of
 *   lateEvents, maxAhead and other policies, which change nothing about rows that are there
 */
export function meaningOf(table: TableDraft, where: Bound | undefined, topic: TopicConfig): string {
  const read = new Set([...table.fields, ...(where?.fields ?? [])]);
  return JSON.stringify({
    format: FORMAT,
    topic: topic.name,
    timestamp: topic.timestamp ?? null,
    fields: topic.fields
      .filter(({ name }) => read.has(name))
      .map(({ name, type, from }) => [name, type, ...(from === undefined ? [] : [from])])
      .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1)),
    where: [where?.sql ?? null, table.where ?? null],
    window: [table.size, table.advance, table.pane, table.panes, ...(table.gap === undefined ? [] : ["session"])],
    groups: table.groups.map(({ name, expression, duckdbType }) => [name, expression, duckdbType]),
    parts: table.aggregates.map(({ name, value, parts }) => [
      name,
      value,
      parts.map((part) => [part.column, part.function, part.expression, part.duckdbType]),
    ]),
  });
}

export function hashOfMeaning(meaning: string): string {
  return createHash("sha256").update(meaning).digest("hex");
}
