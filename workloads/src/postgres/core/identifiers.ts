/** Names in SQL. */
import { createHash } from "node:crypto";
import { tableRef, type TableRef } from "@caudal/crds";
import type { TablePlan } from "@caudal/pipeline/sql";

/** A quoted identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A quoted text literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Where people find a table: its title (see tableTitle) taken apart. */
export function placeOf(title: string): TableRef {
  return tableRef(title);
}

/** Where the rows of a table's plan are kept: the table itself, or its panes, which a view of the table's name adds up. */
export function storage(table: Pick<TablePlan, "name" | "panes">): TableRef {
  return table.panes ? beside(table.name, "panes") : placeOf(table.name);
}

/** A name that leaves room for what is put behind it: as those of the first releases were. */
const SHORT = /^[a-z_][a-z0-9_]{0,47}$/;

/** A table of the engine's own beside one of that title; `caudal.forget_table` finds it by the same rule. */
export function beside(title: string, what: "panes" | "groups"): TableRef {
  return { schema: "caudal", name: `${shortName(title)}_${what}` };
}

/** A name of at most 48 characters for a table's title. */
export function shortName(title: string): string {
  return SHORT.test(title) ? title : `t_${createHash("md5").update(title).digest("hex").slice(0, 16)}`;
}

export function qualified({ schema, name }: TableRef): string {
  return `${identifier(schema)}.${identifier(name)}`;
}
