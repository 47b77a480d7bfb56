import { describe, expect, test } from "vitest";
import type { AggregatorConfig } from "@caudal/crds";
import { compilePlan } from "@caudal/pipeline/duckdb";
import { meaningDifferences } from "./meaning-difference.ts";

const base: AggregatorConfig = {
  topic: {
    name: "events",
    timestamp: "at",
    fields: [
      { name: "id", type: "string", nullable: true },
      { name: "kind", type: "string", nullable: true },
      { name: "points", type: "integer", nullable: true },
      { name: "at", type: "timestamp", nullable: false },
      { name: "later", type: "timestamp", nullable: false },
    ],
  },
  watermark: { maxDelayMs: 1_000, idleTimeoutMs: 60_000, maxAheadMs: 300_000 },
  lateEvents: "Update",
  deadLetterTopic: "dlq",
  tables: [
    {
      name: "t",
      window: { tumbling: { size: "1m" } },
      groupBy: ["id"],
      aggregates: ["count(*) as n", "max(points) as most"],
      where: "points > 0",
    },
  ],
  replicas: 1,
};
type Table = AggregatorConfig["tables"][number];
const table =
  (change: Partial<Table>) =>
  (config: AggregatorConfig): AggregatorConfig => ({
    ...config,
    tables: config.tables.map((one) => ({ ...one, ...change })),
  });
const topic =
  (change: Partial<AggregatorConfig["topic"]>) =>
  (config: AggregatorConfig): AggregatorConfig => ({
    ...config,
    topic: { ...config.topic, ...change },
  });
const meaning = async (config: AggregatorConfig) => (await compilePlan(config)).tables[0]?.meaning;
const points = (type: string) =>
  base.topic.fields.map((field) => (field.name === "points" ? { ...field, type: type as typeof field.type } : field));

describe("a definition that differs from the table's", () => {
  const cases: [string, (config: AggregatorConfig) => AggregatorConfig, readonly string[]][] = [
    [
      "in the window",
      table({ window: { tumbling: { size: "5m" } } }),
      ["window was tumbling of 60000 ms and is tumbling of 300000 ms"],
    ],
    [
      "in the kind of window",
      table({ window: { session: { gap: "1m" } } }),
      ["window was tumbling of 60000 ms and is session of gap 60000 ms"],
    ],
    ["in a group that is new", table({ groupBy: ["id", "kind"] }), ["groupBy kind is new"]],
    [
      "in a group that is another",
      table({ groupBy: ["kind"] }),
      ["groupBy id is no longer there", "groupBy kind is new"],
    ],
    [
      "in a group's expression",
      table({ groupBy: ["lower(id) as id"] }),
      ["groupBy id was id of VARCHAR and is lower(id) of VARCHAR"],
    ],
    ["in an aggregate that is gone", table({ aggregates: ["count(*) as n"] }), ["aggregate most is no longer there"]],
    [
      "in an aggregate's function",
      table({ aggregates: ["count(*) as n", "min(points) as most"] }),
      ["aggregate most was "],
    ],
    ["in the condition", table({ where: "points > 10" }), ["where was ", "points > 10"]],
    ["in the type of a field", topic({ fields: points("bigint") }), ["field points was integer and is bigint"]],
    ["in the time", topic({ timestamp: "later" }), ["the topic's timestamp was at and is later"]],
    ["in the topic", topic({ name: "others" }), ["the topic was events and is others"]],
  ];
  test.each(cases)("%s says so", async (_name, change, parts) => {
    const said = meaningDifferences((await meaning(base)) ?? null, await meaning(change(base))).join("; ");
    for (const part of parts) expect(said).toContain(part);
  });

  test("in nothing, or from one that is not known, says nothing", async () => {
    const same = await meaning(base);
    expect(meaningDifferences(same ?? null, same)).toEqual([]);
    expect(meaningDifferences(null, same)).toEqual([]);
  });
});
