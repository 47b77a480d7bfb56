/** Names in SQL. */
import type { TablePlan } from "../../sql/plan.ts";

/** A quoted identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A quoted text literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Where the rows of a table's plan are kept: the table itself, or its panes, which a view of the table's name adds up. */
export function storage(table: Pick<TablePlan, "name" | "panes">): { readonly schema: string; readonly name: string } {
  return table.panes ? { schema: "caudal", name: `${table.name}_panes` } : { schema: "public", name: table.name };
}

export function qualified({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${identifier(schema)}.${identifier(name)}`;
}
