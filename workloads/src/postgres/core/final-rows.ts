/** Rows of a table as they go to a topic, and their order. Pure: SQL out. */
import type { TablePlan } from "@caudal/pipeline/sql";
import { groupHash } from "./group-hash.ts";
import { identifier, literal, qualified, shortName, storage } from "./identifiers.ts";
import { mergedPart, milliseconds, uniqueParts } from "./table-ddl.ts";
import { endColumn } from "./window-ends.ts";

/** Rows go in the order of the end of their window, then of their group's hash; this one is after all hashes. */
export const LAST_HASH = "9223372036854775807";

export interface Index {
  readonly name: string;
  readonly columns: string;
}

/** The index by which final rows are found. */
export function finalRowsIndex(table: TablePlan): Index {
  const column = identifier(table.panes ? "window_start" : "window_end");
  const columns = table.groups.length === 0 ? column : `${column}, ${groupHash(table)}`;
  return { name: indexName(table, "final"), columns };
}

/** It is in the schema of the rows, whose own name may leave no room for more. */
function indexName(table: TablePlan, by: "final" | "end"): string {
  return `${table.panes ? storage(table).name : shortName(table.name)}_by_${by}`;
}

/** The index by which old rows are found. */
export function oldRowsIndex(table: TablePlan): Index {
  const { column } = endColumn(table);
  const index = finalRowsIndex(table);
  if (table.emit !== undefined && index.columns.startsWith(column)) return index;
  return { name: indexName(table, "end"), columns: column };
}

/**
 * Columns `key` and `value` of a row of the outbox. The key is the group's text, or a JSON array of several groups; NULL
 * without a group. The value is a JSON object; numbers of any length (numeric) are strings there.
 *
 * @param row alias of what has a column for each that people see, but updated_at
 */
export function recordColumns({ groups, aggregates }: TablePlan, row: string): string {
  const names = groups.map(({ name }) => `${row}.${identifier(name)}`);
  const key = names.length > 1 ? `json_build_array(${names.join(", ")})::text` : `${names[0] ?? "null"}::text`;
  const shown = [...groups, ...aggregates].map(({ name, postgresType }) => {
    const column = `${row}.${identifier(name)}`;
    return postgresType.startsWith("numeric") ? `${column}::text as ${identifier(name)}` : column;
  });
  const columns = [`${row}."window_start"`, `${row}."window_end"`, ...shown, `${row}."revision"`];
  return `${key} as key, (select row_to_json(v) from (select ${columns.join(", ")}) as v)::text as value`;
}

/**
 * A query of windows that are added up from panes, with a column for each that people see, but updated_at.
 *
 * @param end expression of the window's end
 * @param condition on the panes `p`
 */
export function windowsFromPanes(table: TablePlan, end: string, condition: string): string {
  const groups = table.groups.map(({ name }) => identifier(name));
  const merged = uniqueParts(table).map((part) => `${mergedPart(part)} as ${identifier(part.column)}`);
  const shown = table.aggregates.map(
    ({ value, postgresType, name }) => `(${value})::${postgresType} as ${identifier(name)}`,
  );
  const size = milliseconds(table.size);
  const starts = `generate_series(${end} - ${size}, ${end} - ${milliseconds(table.pane)}, ${milliseconds(table.pane)})`;
  return `select ${[`${end} - ${size} as "window_start"`, `${end} as "window_end"`, ...groups, ...shown, `"revision"`].join(", ")}
from (
  select ${[...groups, ...merged, `sum("revision")::bigint as "revision"`].join(", ")}
  from (select p.* from ${starts} as "#starts"(at) join ${qualified(storage(table))} p on p."window_start" = "#starts".at where ${condition}) as p
  ${groups.length === 0 ? "having count(*) > 0" : `group by ${groups.join(", ")}`}
) as m`;
}

/**
 * Few rows of a large table are found by its index: a plan that was made while it was small, or before anything was known
 * of it, must not read all of it.
 */
export const PLAN_BY_INDEX =
  "set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off; set local jit = off";

/** What is locked by everything that puts rows into the outbox of a stage: they are numbered in the order of the commits. */
export function outboxLock(pipeline: string, stage: string): string {
  return `pg_advisory_xact_lock(hashtextextended(${literal(`caudal outbox ${pipeline} ${stage}`)}, 0))`;
}
