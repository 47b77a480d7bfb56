/** Columns and deltas without a row: the statements that write them ask everything of the database but about a row. */
import type { Delta, DeltaColumn } from "../../kernel/delta.ts";
import { storageOf } from "../../kernel/storage.ts";
import type { TablePlan } from "@caudal/pipeline/sql";

/** @param columns with the types that their values have in DuckDB */
export function noValues(columns: readonly { readonly duckdbType: string }[]): readonly DeltaColumn[] {
  return columns.map(({ duckdbType }) =>
    storageOf(duckdbType).kind === "text"
      ? { kind: "text", bytes: Buffer.alloc(0), lengths: new Int32Array(0) }
      : { kind: "number", values: new Float64Array(0), bigs: new Map() },
  );
}

export function noDelta(table: TablePlan): Delta {
  const none = new Float64Array(0);
  return {
    table,
    rows: 0,
    windowStart: none,
    ...(table.gap === undefined ? {} : { sessions: { lastEvent: none, group: none } }),
    groups: noValues(table.groups),
    parts: noValues(table.aggregates.flatMap(({ parts }) => parts)),
  };
}
