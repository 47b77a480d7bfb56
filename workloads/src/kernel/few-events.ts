/**
 * A few events as a relation of DuckDB that is no table: lists, which are the parameters of a statement that stays planned.
 * Tables that are emptied and filled cost ten times as much as a small evaluation.
 */
import type { DuckDBPreparedStatement, DuckDBType } from "@duckdb/node-api";
import { quote } from "@caudal/pipeline/sql";
import type { Column } from "./columns.ts";
import { NULL_CODE } from "./dictionary.ts";
import { ROW } from "./event-columns.ts";
import { storageOf } from "./storage.ts";

/** Up to here events are few: beyond it copying each value as an object costs more than a table. */
export const FEW_ROWS = 64;

/** A query with parameters, and what gives them their values. */
export interface BoundQuery {
  readonly query: string;
  bind(statement: DuckDBPreparedStatement): void;
}

/** Values beside the events' own: one list each, as long as there are events. */
export interface BesideEvents {
  /** Texts, null for NULL, by the name under which {@link structs} read them: no field may have it. */
  readonly lists: ReadonlyMap<string, readonly (string | null)[]>;
  /** Expressions over them, each `… as name`. */
  readonly structs: readonly string[];
}

/** Name, DuckDB type and column of a field. */
export type EventField = readonly [name: string, duckdbType: string, column: Column];

export class FewEvents {
  readonly #fields: readonly EventField[];

  constructor(fields: readonly EventField[]) {
    this.#fields = fields;
  }

  /** Whether these rows can be given so. Numbers that a double does not hold cannot. */
  holds(rows: Int32Array): boolean {
    return (
      rows.length <= FEW_ROWS && this.#fields.every(([, , column]) => column.kind === "text" || column.bigs.size === 0)
    );
  }

  /** The rows, which {@link holds} says can be given, with the values beside them. */
  async relation(rows: Int32Array, beside?: BesideEvents): Promise<BoundQuery> {
    const { DOUBLE, INTEGER, LIST, listValue, VARCHAR } = await import("@caudal/pipeline/duckdb-library");
    const more = [...(beside?.lists ?? [])];
    // Without its type a parameter has the statement planned anew each time.
    const lists: { readonly name: string; readonly type: DuckDBType; readonly values: readonly unknown[] }[] = [
      { name: ROW, type: INTEGER, values: [...rows] },
      ...this.#fields.map(([, , column], index) => {
        const type = column.kind === "text" ? VARCHAR : DOUBLE;
        return { name: `c${index}`, type, values: valuesOf(column, rows) };
      }),
      ...more.map(([name, values]) => ({ name: quote(name), type: VARCHAR, values })),
    ];
    const unnested = lists.map(({ name, type }, index) => `unnest($${index + 1}::${type.toString()}[]) as ${name}`);
    const values = this.#fields.map(
      ([name, duckdbType, column], index) => `${valueOf(`c${index}`, duckdbType, column)} as ${quote(name)}`,
    );
    return {
      query: `select ${[ROW, ...values, ...(beside?.structs ?? [])].join(", ")} from (select ${unnested.join(", ")})`,
      bind: (statement) => {
        for (const [index, { type, values: items }] of lists.entries())
          statement.bindList(index + 1, listValue(items as never), LIST(type));
      },
    };
  }
}

function valuesOf(column: Column, rows: Int32Array): readonly (string | number | null)[] {
  if (column.kind === "number") return Array.from(rows, (row) => column.values[row] as number);
  const { dictionary, values } = column;
  return Array.from(rows, (row) => {
    const code = values[row] as number;
    return code === NULL_CODE ? null : dictionary.text(code);
  });
}

/** Expression of a field's value, from what its column holds: a text, or a number with NaN for NULL. */
export function valueOf(raw: string, duckdbType: string, { kind }: Column): string {
  if (kind === "text") return `${raw}::${duckdbType}`;
  return `case when not isnan(${raw}) and isfinite(${raw}) then ${storageOf(duckdbType).value(raw)} end`;
}
