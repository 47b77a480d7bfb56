import { describe, expect, test } from "vitest";
import type { StreamPipeline } from "@caudal/crds";
import { givenPipeline } from "@caudal/pipeline/testing";
import { buildKafkaTopics } from "./kafka-topic.ts";

const specs = (pipeline: StreamPipeline) =>
  Object.fromEntries(buildKafkaTopics(pipeline).map(({ metadata, spec }) => [metadata.name, spec]));

test("a topic is as the spec says; what the broker decides is left out", () => {
  expect(specs(givenPipeline())["app-events"]).toEqual({ partitions: 6, config: { "retention.ms": "604800000" } });
});

test("without a number of partitions it has three", () => {
  const pipeline = givenPipeline((spec) => (spec.topics = [{ name: "app-events", managed: true }]));
  expect(specs(pipeline)["app-events"]).toEqual({ partitions: 3 });
});

test("topics that exist already, and those of a Kafka outside, are not made", () => {
  const unmanaged = givenPipeline((spec) => (spec.topics = [{ name: "app-events", managed: false }]));
  expect(Object.keys(specs(unmanaged))).toEqual(["app-events-metrics-dlq"]);
  const outside = givenPipeline((spec) => (spec.kafka = { external: { bootstrapServers: "a:9092" } }));
  expect(specs(outside)).toEqual({});
});

describe("a dead-letter topic", () => {
  test("has one partition, 14 days, and room for the reason beside the source's largest record", () => {
    expect(specs(givenPipeline())["app-events-metrics-dlq"]).toEqual({
      partitions: 1,
      config: { "max.message.bytes": "1114124", "retention.ms": "1209600000" },
    });
  });

  test("that the spec declares is as declared", () => {
    const pipeline = givenPipeline((spec) =>
      spec.topics.push({ name: "app-events-metrics-dlq", managed: true, partitions: 9 }),
    );
    expect(specs(pipeline)["app-events-metrics-dlq"]).toEqual({ partitions: 9 });
  });

  test("that two stages share is made once, for the larger records", () => {
    const pipeline = givenPipeline((spec) => {
      spec.topics.push({ name: "big", managed: true, config: { "max.message.bytes": "5000000" } });
      const [first] = spec.aggregators ?? [];
      if (first === undefined) throw new TypeError("the example has an aggregator");
      spec.aggregators = [
        { ...first, deadLetterTopic: "dlq" },
        { ...first, name: "other", topic: "big", deadLetterTopic: "dlq" },
      ];
    });
    expect(buildKafkaTopics(pipeline).filter(({ metadata }) => metadata.name === "dlq")).toHaveLength(1);
    expect(specs(pipeline)["dlq"]?.["config"]).toMatchObject({ "max.message.bytes": "5065536" });
  });
});

test("topics belong to nobody's garbage collection, and name their Kafka and their pipeline", () => {
  const [topic] = buildKafkaTopics(givenPipeline());
  expect(topic?.metadata.ownerReferences).toBeUndefined();
  expect(topic?.metadata.labels).toMatchObject({
    "strimzi.io/cluster": "platform",
    "caudal.dev/pipeline": "app-events",
  });
  expect(topic?.metadata.annotations).toMatchObject({ "caudal.dev/owner": "u1", "caudal.dev/generation": "2" });
});
