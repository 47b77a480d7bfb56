import type { Stage } from "./engine.ts";
import { type Peer, peerEngine } from "./peer.ts";

/** Results leave Kafka Streams at its commit: often, where rows are to be seen soon. */
const commitMs = (exactlyOnce: boolean, mode: Stage["mode"]): number =>
  mode === "throughput" ? 10_000 : exactlyOnce ? 100 : 1_000;

function kafkaStreams(name: Peer["name"], exactlyOnce: boolean) {
  return peerEngine({
    name,
    sources: "kafka-streams",
    mainClass: "KafkaStreamsPeer",
    jvm: ["-Xmx2g"],
    env: (mode) => ({
      BENCH_GUARANTEE: exactlyOnce ? "exactly_once_v2" : "at_least_once",
      BENCH_COMMIT_MS: String(commitMs(exactlyOnce, mode)),
      BENCH_FLUSH_MS: mode === "throughput" ? "1000" : "200",
    }),
    configuration: (mode) =>
      `Kafka Streams 4.3.1 DSL, ${exactlyOnce ? "exactly_once_v2" : "at_least_once"}, RocksDB stores, ` +
      `commit every ${commitMs(exactlyOnce, mode) / 1000} s, 2 threads, heap 2 GiB, grace 24 h`,
  });
}

export const kafkaStreamsAtLeastOnce = kafkaStreams("kafka-streams", false);
export const kafkaStreamsExactlyOnce = kafkaStreams("kafka-streams-eos", true);
