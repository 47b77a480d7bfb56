/** Batches as a transform hands them to an output, made from plain rows. */
import type { DeltaColumn } from "../../../workloads/src/kernel/delta.ts";
import { storageOf } from "../../../workloads/src/kernel/storage.ts";
import type { OutputBatch, OutputColumn, OutputMove, Values } from "../../../workloads/src/transform/output.ts";

/** A row as its output should keep it; numbers are in their stored form (microseconds for times). */
export interface Row {
  readonly partition: number;
  readonly offset: number;
  /** Epoch milliseconds. */
  readonly time: number;
  readonly values: readonly (string | number | null)[];
}

export const column = (name: string, duckdbType: string): OutputColumn => ({
  name,
  duckdbType,
  postgresType: "text",
  nullable: true,
});

export function batchOf(
  columns: readonly OutputColumn[],
  moves: readonly OutputMove[],
  rows: readonly Row[],
): OutputBatch {
  const json = rows.map(({ values }) =>
    Buffer.from(JSON.stringify(Object.fromEntries(columns.map(({ name }, index) => [name, values[index] ?? null])))),
  );
  return {
    moves,
    count: rows.length,
    partitions: Int32Array.from(rows, ({ partition }) => partition),
    offsets: Float64Array.from(rows, ({ offset }) => offset),
    times: Float64Array.from(rows, ({ time }) => time),
    columns: columns.map(({ duckdbType }, index) =>
      columnOf(
        duckdbType,
        rows.map(({ values }) => values[index] ?? null),
      ),
    ),
    json: valuesOf(json),
    records: undefined,
  };
}

function columnOf(duckdbType: string, values: readonly (string | number | null)[]): DeltaColumn {
  if (storageOf(duckdbType).kind === "number")
    return {
      kind: "number",
      values: Float64Array.from(values, (value) => (value === null ? NaN : Number(value))),
      bigs: new Map(),
    };
  const texts = values.map((value) => (value === null ? null : Buffer.from(String(value))));
  return {
    kind: "text",
    bytes: Buffer.concat(texts.map((text) => text ?? Buffer.alloc(0))),
    lengths: Int32Array.from(texts, (text) => text?.length ?? -1),
  };
}

function valuesOf(texts: readonly Buffer[]): Values {
  const starts = new Int32Array(texts.length);
  const ends = new Int32Array(texts.length);
  let at = 0;
  for (const [index, { length }] of texts.entries()) {
    starts[index] = at;
    at += length;
    ends[index] = at;
  }
  return { bytes: Buffer.concat(texts), starts, ends };
}
