/** The tables and views that people read, from a table's plan. Pure: SQL out. */
import { createHash } from "node:crypto";
import type { AggregateColumn, Merge, Part, TablePlan } from "@caudal/pipeline/sql";
import { identifier, literal, placeOf, qualified, storage } from "./identifiers.ts";
import { createGroupLocks } from "./session-groups.ts";

/** A column as PostgreSQL's catalogue names its type. */
export interface Column {
  readonly name: string;
  readonly type: string;
}

/**
 * Columns of the stored rows. People's columns come first and in the order of the spec; parts that are not shown
 * themselves come last.
 */
export function storedColumns(table: TablePlan): readonly Column[] {
  const columns: Column[] = [{ name: "window_start", type: "timestamptz" }];
  if (!table.panes) columns.push({ name: "window_end", type: "timestamptz" });
  columns.push(...table.groups.map((group) => ({ name: group.name, type: group.postgresType })));
  if (!table.panes)
    columns.push(...table.aggregates.map((aggregate) => ({ name: aggregate.name, type: aggregate.postgresType })));
  columns.push({ name: "revision", type: "bigint" }, { name: "updated_at", type: "timestamptz" });
  columns.push(...hiddenParts(table).map((part) => ({ name: part.column, type: part.postgresType })));
  return columns.map((column) => ({ ...column, type: catalogueType(column.type) }));
}

/** Statements that make the table (and the view of its panes), in order. */
export function createTable(table: TablePlan): readonly string[] {
  const place = qualified(storage(table));
  const groups = table.groups.map((group) => identifier(group.name));
  const columns = storedColumns(table).map((column) => `  ${identifier(column.name)} ${definition(table, column)}`);
  const statements = [
    // No updated column is indexed and pages keep room, so that updates stay on their page (HOT).
    `create table ${place} (\n${columns.join(",\n")}\n) with (fillfactor = 70)`,
    `create unique index on ${place} (${[...groups, `"window_start"`].join(", ")}) nulls not distinct`,
  ];
  if (table.gap !== undefined) return [...statements, ...createGroupLocks(table)];
  return table.panes ? [...statements, ...createView(table)] : statements;
}

/** Statements that make the view of a table's panes, or make it what it should be. */
export function createView(table: TablePlan): readonly string[] {
  const view = qualified(placeOf(table.name));
  return [
    `create or replace view ${view} as\n${viewQuery(table)}`,
    `comment on view ${view} is ${literal(viewComment(table))}`,
  ];
}

/** What the view's comment says, which tells whether its definition is that of this release. */
export function viewComment(table: TablePlan): string {
  const definition = createHash("sha256").update(viewQuery(table)).digest("hex").slice(0, 12);
  return `Windows, added up from the panes in ${qualified(storage(table))} (definition ${definition}).`;
}

/** Adds panes up to windows: a window is there when one of its panes has rows and none is older than what is kept. */
function viewQuery(table: TablePlan): string {
  const groups = table.groups.map((group) => identifier(group.name));
  const parts = uniqueParts(table);
  const overlapping = Math.ceil(table.size / table.advance);
  const size = milliseconds(table.size);
  const windows = [
    `    select date_bin(${milliseconds(table.advance)}, p."window_start", timestamptz 'epoch') - back.step * ${milliseconds(table.advance)} as "window_start"`,
    ...groups.map((group) => `p.${group}`),
    ...parts.map((part) => `p.${identifier(part.column)}`),
    `p."revision"`,
    `p."updated_at", p."window_start" as "#pane"`,
  ];
  const merged = [
    `  select "window_start"`,
    ...groups,
    ...parts.map((part) => `${mergedPart(part)} as ${identifier(part.column)}`),
    `sum("revision")::bigint as "revision"`,
    `max("updated_at") as "updated_at"`,
  ];
  const shown = [
    `select "window_start"`,
    `"window_start" + ${size} as "window_end"`,
    ...groups,
    ...table.aggregates.map(
      (aggregate) => `(${aggregate.value})::${aggregate.postgresType} as ${identifier(aggregate.name)}`,
    ),
    `"revision"`,
    `"updated_at"`,
  ];
  const floor = `select c.floor from caudal.claims c where c.table_name = ${literal(table.name)}`;
  return `${shown.join(", ")}
from (
${merged.join(", ")}
  from (
${windows.join(", ")}
    from ${qualified(storage(table))} p cross join generate_series(0, ${overlapping - 1}) as back(step)
  ) as w
  where "window_start" + ${size} > "#pane"
    and "window_start" + ${size} > coalesce((${floor}), timestamptz '-infinity')
  group by ${["1", ...groups.map((_, index) => String(index + 2))].join(", ")}
) as m`;
}

/** Parts of all aggregates, each column once: two aggregates may share one. */
export function uniqueParts(table: TablePlan): readonly Part[] {
  const seen = new Map<string, Part>();
  for (const part of table.aggregates.flatMap((aggregate) => aggregate.parts))
    if (!seen.has(part.column)) seen.set(part.column, part);
  return [...seen.values()];
}

const mergeFunction: Readonly<Record<Merge, string>> = { add: "sum", least: "min", greatest: "max" };

/** Expression that aggregates a part's column over rows. PostgreSQL has no min and max of booleans, and of uuids since 18. */
export function mergedPart({ column, merge, postgresType }: Part): string {
  const name = identifier(column);
  if (postgresType === "boolean") return `${merge === "least" ? "bool_and" : "bool_or"}(${name})`;
  const value = postgresType === "uuid" ? `${name}::text collate "C"` : name;
  return `${mergeFunction[merge]}(${value})::${postgresType}`;
}

/** Whether an aggregate's one part is itself what people see. */
function isPart(aggregate: AggregateColumn): boolean {
  return aggregate.parts.some((part) => part.column === aggregate.name);
}

function hiddenParts(table: TablePlan): readonly Part[] {
  const shown = table.panes ? new Set<string>() : new Set(table.aggregates.filter(isPart).map(({ name }) => name));
  return uniqueParts(table).filter((part) => !shown.has(part.column));
}

function definition(table: TablePlan, column: Column): string {
  if (column.name === "window_start" || column.name === "window_end") return `${column.type} not null`;
  if (column.name === "revision") return `${column.type} not null default 0`;
  if (column.name === "updated_at") return `${column.type} not null default now()`;
  const aggregate = table.panes ? undefined : table.aggregates.find(({ name }) => name === column.name);
  // Texts are compared bytewise here as in the kernel: min, max and the order in which rows are locked agree.
  if (aggregate === undefined || isPart(aggregate))
    return column.type === "text" ? `${column.type} collate "C"` : column.type;
  return `${column.type} generated always as ((${aggregate.value})::${column.type}) stored`;
}

export function milliseconds(ms: number): string {
  return `interval '${ms} milliseconds'`;
}

/** The name that `format_type` gives: what is asked for and what is there can then be compared as text. */
export function catalogueType(type: string): string {
  const [, base = type, modifier = ""] = /^([a-z0-9_ ]+?)\s*(\([0-9, ]+\))?$/i.exec(type) ?? [];
  const alias: Readonly<Record<string, string>> = {
    timestamptz: "timestamp with time zone",
    timestamp: "timestamp without time zone",
    varchar: "character varying",
    bool: "boolean",
    int: "integer",
    int2: "smallint",
    int4: "integer",
    int8: "bigint",
    float4: "real",
    float8: "double precision",
    decimal: "numeric",
  };
  const name = base.toLowerCase();
  return `${alias[name] ?? name}${modifier.replaceAll(" ", "")}`;
}
