/** Record blocks and configurations for tests. */
import type { AggregatorConfig, TopicConfig } from "@caudal/crds";
import { type RecordBlock, ValueKind } from "../../kafka/record-block.ts";
import { compilePlan } from "../compile.ts";
import { Kernel, type KernelOptions } from "../kernel.ts";
import type { Delta } from "../plan.ts";

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
  const lines = bytes.map((value) => {
    const line = value === null || value.length === 0 ? Buffer.from('""') : Buffer.from(value);
    for (const [at, byte] of line.entries()) if (byte === 10 || byte === 13) line[at] = 32;
    return Buffer.concat([line, Buffer.from("\n")]);
  });
  let end = 0;
  const times = Float64Array.from(values, (_, row) => timestamps?.[row] ?? NOW);
  return {
    topic: "events",
    partition: 0,
    count: values.length,
    nextOffset: values.length,
    leaderEpoch: 0,
    offsets: Float64Array.from(values, (_, row) => row),
    timestamps: times,
    kinds: Uint8Array.from(bytes, (value) =>
      value === null ? ValueKind.Null : value.length === 0 ? ValueKind.Empty : ValueKind.Value,
    ),
    lines: Buffer.concat(lines),
    lineEnds: Uint32Array.from(lines, (line) => (end += line.length)),
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

type Fields = Readonly<Record<string, string>>;

/** @param fields by name, the type, with `?` behind it where nullable */
export function topicOf(fields: Fields, timestamp?: string): TopicConfig {
  const list = Object.entries(fields).map(([name, type]) => ({
    name,
    type: type.replace("?", ""),
    nullable: type.endsWith("?"),
  }));
  return { name: "events", fields: list, ...(timestamp === undefined ? {} : { timestamp }) };
}

type TableConfig = AggregatorConfig["tables"][number];

/** A table of one-minute windows that counts, unless told otherwise. */
export function tableOf(table: Partial<TableConfig> = {}): TableConfig {
  return {
    name: "counts",
    window: { tumbling: { size: "1m" } },
    groupBy: [],
    aggregates: ["count(*) as n"],
    ...table,
  };
}

export function configOf(
  topic: TopicConfig,
  tables: readonly TableConfig[],
  more: Partial<AggregatorConfig> = {},
): AggregatorConfig {
  return {
    topic,
    tables: [...tables],
    watermark: { maxDelayMs: 10_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 },
    lateEvents: "Update",
    deadLetterTopic: "dlq",
    replicas: 1,
    ...more,
  };
}

export async function kernelOf(config: AggregatorConfig, options: Partial<KernelOptions> = {}): Promise<Kernel> {
  return await Kernel.open(await compilePlan(config), config.topic, {
    maxAheadMs: config.watermark.maxAheadMs,
    lateEvents: config.lateEvents,
    ...options,
  });
}

/** Rows of a delta as `window_start | groups | parts`, NULL as `-`. */
export function rowsOf(delta: Delta | undefined): readonly string[] {
  if (delta === undefined) return [];
  const show = (columns: readonly (readonly (string | null)[])[], row: number) =>
    columns.map((column) => column[row] ?? "-").join(" ");
  return delta.windowStart.map(
    (start, row) => `${start.slice(11, 16)} | ${show(delta.groups, row)} | ${show(delta.parts, row)}`,
  );
}
