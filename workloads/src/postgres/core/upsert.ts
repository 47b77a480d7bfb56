/** The prepared statement that merges one delta into its table. Pure: SQL out. */
import type { Delta, DeltaColumn } from "../../kernel/delta.ts";
import type { Merge, TablePlan } from "@caudal/pipeline/sql";
import { binaryArray, windowStarts } from "./binary-array.ts";
import { identifier, qualified, storage } from "./identifiers.ts";
import { milliseconds, uniqueParts } from "./table-ddl.ts";

/** One statement a table, whatever the number of rows: columns come as arrays. */
export interface UpsertStatement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
  readonly writesRows: true;
}

/** How a stored part and a new one become one; NULL is neutral in each. */
const merges: Readonly<Record<Merge, (stored: string, added: string) => string>> = {
  add: (stored, added) => `coalesce(${stored} + ${added}, ${stored}, ${added})`,
  least: (stored, added) => `least(${stored}, ${added})`,
  greatest: (stored, added) => `greatest(${stored}, ${added})`,
};

export function upsertText(table: TablePlan): string {
  const groups = table.groups.map((group) => identifier(group.name));
  const parts = uniqueParts(table);
  const given = [`"window_start"`, ...groups, ...parts.map((part) => identifier(part.column))];
  const types = [
    "timestamptz",
    ...table.groups.map((group) => group.postgresType),
    ...parts.map((part) => part.postgresType),
  ];
  const end = table.panes ? "" : `, "window_end"`;
  const endValue = table.panes ? "" : `, "window_start" + ${milliseconds(table.size)}`;
  const sets = parts.map((part) => {
    const column = identifier(part.column);
    return `${column} = ${merges[part.merge](`t.${column}`, `excluded.${column}`)}`;
  });
  return `insert into ${qualified(storage(table))} as t (${given.join(", ")}${end})
select ${given.join(", ")}${endValue}
from unnest(${types.map((type, index) => `$${index + 1}::${type}[]`).join(", ")}) as d(${given.join(", ")})
on conflict (${[...groups, `"window_start"`].join(", ")}) do update set
${[...sets, `"updated_at" = now()`].map((set) => `  ${set}`).join(",\n")}`;
}

/** @param delta rows in bytewise order: two workers then lock common rows in one order */
export function upsert(delta: Delta): UpsertStatement {
  const { table, windowStart } = delta;
  return {
    name: `upsert ${table.name}`,
    text: upsertText(table),
    values: [windowStarts(windowStart), ...groupArrays(delta), ...partArrays(delta)],
    writesRows: true,
  };
}

/** The delta's group columns, as statements take them. */
export function groupArrays({ table, groups }: Delta): readonly Buffer[] {
  return table.groups.map((group, index) => binaryArray(group, columnOf(groups, index)));
}

/** The delta's parts, each stored column once. */
export function partArrays({ table, parts }: Delta): readonly Buffer[] {
  const columns = table.aggregates.flatMap((aggregate) => aggregate.parts.map((part) => part.column));
  return uniqueParts(table).map((part) => binaryArray(part, columnOf(parts, columns.indexOf(part.column))));
}

function columnOf(columns: readonly DeltaColumn[], index: number): DeltaColumn {
  const column = columns[index];
  if (column === undefined) throw new RangeError(`a delta has no column ${index}`);
  return column;
}
