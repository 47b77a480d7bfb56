/** Configurations of topics, tables and aggregators for tests. */
import type { AggregatorConfig, TopicConfig } from "@caudal/crds";

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
