/** What of an aggregator's plan has to be evaluated, and the columns that each of its tables takes. */
import { type AggregatorPlan, type TablePlan, fieldSpellings, quote } from "@caudal/pipeline/sql";
import { type Column, makeColumn, type NumberColumn } from "./columns.ts";
import type { Computation, Computed, Condition } from "./evaluation.ts";
import type { ScanMemory } from "./scan-memory.ts";

/** Columns of one table of the plan. */
export interface TableColumns {
  readonly table: TablePlan;
  /** 1 where an event is in the table; null: all are. */
  readonly inside: NumberColumn | null;
  readonly groups: readonly Column[];
  /** By aggregate, by part; null counts every event. */
  readonly arguments: readonly (Column | null)[];
}

const ALL = "true";

/**
 * @param named columns by field name, of all fields that the plan's SQL reads
 * @param rows that a slice has at most
 */
export function planColumns(
  plan: AggregatorPlan,
  named: ReadonlyMap<string, Column>,
  memory: ScanMemory,
  rows: number,
): { readonly tables: readonly TableColumns[]; readonly computation: Computation } {
  const fields = new Map([...named].flatMap(([name, column]) => fieldSpellings(name).map((sql) => [sql, column])));
  const conditions: Condition[] = [];
  const values = new Map<string, Computed>();
  const tables = plan.tables.map((table, index): TableColumns => {
    const inside = table.where === undefined ? null : condition(table.where, index, memory.numberColumn(rows));
    if (inside !== null) conditions.push(inside);
    const columnOf = (sql: string, duckdbType: string): Column => {
      const field = fields.get(sql);
      if (field !== undefined) return field;
      const key = JSON.stringify([inside?.name, sql, duckdbType]);
      const known = values.get(key) ?? {
        name: quote(`#value ${values.size}`),
        sql,
        when: inside?.name ?? null,
        duckdbType,
        column: makeColumn(memory, duckdbType, rows),
      };
      values.set(key, known);
      return known.column;
    };
    return {
      table,
      inside: inside?.column ?? null,
      groups: table.groups.map((group) => columnOf(group.expression, group.duckdbType)),
      arguments: table.aggregates.flatMap(({ parts }) => {
        // Parts share their argument; all but a lone count say its type.
        const type = parts[0]?.function === "count" ? "BOOLEAN" : (parts[0]?.duckdbType ?? "BOOLEAN");
        return parts.map(({ expression }) =>
          expression === ALL ? null : columnOf(type === "BOOLEAN" ? counted(expression, fields) : expression, type),
        );
      }),
    };
  });
  const inputs = new Set([...plan.fields, ...plan.tables.flatMap((table) => table.inputs)]);
  return { tables, computation: { where: plan.where, conditions, values: [...values.values()], inputs } };
}

function condition(where: string, table: number, column: NumberColumn): Condition {
  return {
    name: quote(`#in ${table}`),
    sql: `coalesce((${where}), false)`,
    when: null,
    duckdbType: "BOOLEAN",
    column,
  };
}

/** What a lone count needs of its argument: whether it is NULL. A field is its own column. @param fields by their SQL */
function counted(expression: string, fields: ReadonlyMap<string, Column>): string {
  return fields.has(expression) ? expression : `case when (${expression}) is not null then true end`;
}
