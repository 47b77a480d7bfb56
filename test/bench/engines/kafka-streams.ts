import { join } from "node:path";
import type { Progress } from "../../cluster/host/progress.ts";
import type { Command, Stage } from "./engine.ts";
import { buildPeer, type Peer, peerEngine } from "./peer.ts";

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

/** Topics that the transform writes. */
export const streamsTopics: readonly string[] = ["streams-1", "streams-2", "streams-3"];

let transformFolder = "";

export async function prepareStreamsTransform(progress: Progress): Promise<void> {
  transformFolder = await progress.step(
    "building the peer kafka-streams",
    async () => await buildPeer("kafka-streams"),
  );
}

/** A program that writes each event of a topic to {@link streamsTopics}, as small as a JVM is made for it. */
export function streamsTransform(folder: string, bootstrap: string, topic: string): Command {
  const classpath = [join(transformFolder, "build/classes"), join(transformFolder, "lib/*")].join(":");
  const jvm = ["-Xmx128m", "-XX:+UseSerialGC", "-Duser.timezone=UTC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"];
  return {
    cwd: folder,
    program: "java",
    args: [...jvm, `-Djava.io.tmpdir=${folder}`, "-cp", classpath, "StreamsTransform"],
    env: {
      TZ: "UTC",
      BENCH_ID: "small-streams",
      BENCH_FOLDER: folder,
      BENCH_BOOTSTRAP: bootstrap,
      BENCH_TOPIC: topic,
      BENCH_OUT: streamsTopics.join(","),
      BENCH_COMMIT_MS: String(commitMs(true, "latency")),
    },
  };
}
