/** Plans of two tables, and deltas for them, where no SQL has to be compiled. */
import type { Delta, DeltaColumn } from "../../../workloads/src/kernel/delta.ts";
import type { TablePlan } from "../../../pipeline/src/sql/plan.ts";

export const minute: TablePlan = {
  name: "per_minute",
  hash: "plan 1",
  size: 60_000,
  advance: 60_000,
  pane: 60_000,
  panes: false,
  fields: [],
  inputs: [],
  groups: [{ name: "kind", expression: "kind", duckdbType: "VARCHAR", postgresType: "text" }],
  aggregates: [
    {
      name: "n",
      postgresType: "bigint",
      value: '"n"',
      parts: [
        { column: "n", postgresType: "bigint", duckdbType: "BIGINT", merge: "add", function: "count", expression: "1" },
      ],
    },
    {
      name: "mean",
      postgresType: "double precision",
      value: '"_mean_s" / nullif("_mean_n", 0)',
      parts: [
        {
          column: "_mean_s",
          postgresType: "double precision",
          duckdbType: "DOUBLE",
          merge: "add",
          function: "sum",
          expression: "v",
        },
        {
          column: "_mean_n",
          postgresType: "bigint",
          duckdbType: "BIGINT",
          merge: "add",
          function: "count",
          expression: "v",
        },
      ],
    },
    {
      name: "lowest",
      postgresType: "double precision",
      value: '"lowest"',
      parts: [
        {
          column: "lowest",
          postgresType: "double precision",
          duckdbType: "DOUBLE",
          merge: "least",
          function: "min",
          expression: "v",
        },
      ],
    },
  ],
};
export const hopping: TablePlan = { ...minute, name: "per_three_minutes", hash: "plan 2", size: 180_000, panes: true };
export const delta = (
  table: TablePlan,
  rows: readonly (readonly [string, string | null, string, string | null, string])[],
): Delta => ({
  table,
  rows: rows.length,
  windowStart: Float64Array.from(rows, ([start]) => Date.parse(`2026-01-01T00:${start}:00Z`)),
  groups: [texts(rows.map(([, kind]) => kind))],
  parts: [
    numbers(rows.map(([, , n]) => n)),
    numbers(rows.map(([, , , sum]) => sum)),
    numbers(rows.map(([, , , , n]) => n)),
    numbers(rows.map(([, , , sum]) => sum)),
  ],
});

function texts(values: readonly (string | null)[]): DeltaColumn {
  const lengths = Int32Array.from(values, (value) => (value === null ? -1 : Buffer.byteLength(value)));
  return { kind: "text", bytes: Buffer.from(values.join("")), lengths };
}

function numbers(values: readonly (string | null)[]): DeltaColumn {
  return { kind: "number", values: Float64Array.from(values, (value) => Number(value ?? NaN)), bigs: new Map() };
}
