/** Record blocks, and what a kernel makes of them, for tests. */
import type { AggregatorConfig } from "@caudal/crds";
import { NULL_VALUE, type RecordBlock } from "../../kafka/record-block.ts";
import { compilePlan } from "@caudal/pipeline/duckdb";
import type { Delta } from "../delta.ts";
import { columnText } from "../delta-text.ts";
import { Kernel, type KernelOptions } from "../kernel.ts";

/** A value as it is produced: text, bytes, an object (as JSON), null for a tombstone. */
export type Value = string | Buffer | object | null;

export const NOW = Date.parse("2026-01-01T00:00:00Z");

/** What the reader makes of records with these values. */
export function blockOf(values: readonly Value[], timestamps?: readonly number[]): RecordBlock {
  const bytes = values.map((value) =>
    value === null || Buffer.isBuffer(value)
      ? value
      : Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
  );
  let end = 0;
  const starts = Int32Array.from(bytes, (value) => {
    const start = end + 2;
    end = start + (value?.length ?? 0) + 1;
    return start;
  });
  const times = Float64Array.from(values, (_, row) => timestamps?.[row] ?? NOW);
  return {
    topic: "events",
    partition: 0,
    count: values.length,
    nextOffset: values.length,
    leaderEpoch: 0,
    offsets: Float64Array.from(values, (_, row) => row),
    timestamps: times,
    // No key, anything, the value, no headers.
    bytes: Buffer.concat(
      bytes.flatMap((value) => [Buffer.from([1, 0x7d]), value ?? Buffer.alloc(0), Buffer.from([0])]),
    ),
    starts,
    heads: starts.map((start) => start - 2),
    tails: Int32Array.from(bytes, (value, row) => (starts[row] ?? 0) + (value?.length ?? 0) + 1),
    ends: Int32Array.from(bytes, (value, row) => (value === null ? NULL_VALUE : (starts[row] ?? 0) + value.length)),
    traceparents: [],
    original: (row) => ({
      offset: row,
      timestamp: times[row] ?? -1,
      key: null,
      value: bytes[row] ?? null,
      headers: [],
    }),
  };
}

export async function kernelOf(config: AggregatorConfig, options: Partial<KernelOptions> = {}): Promise<Kernel> {
  return await Kernel.open(await compilePlan(config), config.topic, {
    maxAheadMs: config.watermark.maxAheadMs,
    lateEvents: config.lateEvents,
    ...options,
  });
}

/** A delta with its values as text: NULL as null, times of windows as ISO 8601. */
export interface TextDelta {
  readonly windowStart: readonly string[];
  readonly groups: readonly (readonly (string | null)[])[];
  readonly parts: readonly (readonly (string | null)[])[];
}

export function textOf(delta: Delta | undefined): TextDelta {
  if (delta === undefined) return { windowStart: [], groups: [], parts: [] };
  const { table, windowStart, groups, parts } = delta;
  const types = table.aggregates.flatMap((aggregate) => aggregate.parts.map(({ duckdbType }) => duckdbType));
  return {
    windowStart: Array.from(windowStart, (ms) => new Date(ms).toISOString()),
    groups: groups.map((column, index) => columnText(column, table.groups[index]?.duckdbType ?? "")),
    parts: parts.map((column, index) => columnText(column, types[index] ?? "")),
  };
}

/** Rows of a delta as `window_start | groups | parts`, NULL as `-`. */
export function rowsOf(delta: Delta | undefined): readonly string[] {
  if (delta === undefined) return [];
  const { windowStart, groups, parts } = textOf(delta);
  const shown = (columns: readonly (readonly (string | null)[])[], row: number) =>
    columns.map((column) => column[row] ?? "-").join(" ");
  return windowStart.map((start, row) => `${start.slice(11, 16)} | ${shown(groups, row)} | ${shown(parts, row)}`);
}
