/** The engines by the names that the command line knows. */
import type { EngineName } from "../options.ts";
import { caudal } from "./caudal.ts";
import type { Engine } from "./engine.ts";
import { flinkHeap, flinkRocksdb } from "./flink.ts";
import { kafkaStreamsAtLeastOnce, kafkaStreamsExactlyOnce } from "./kafka-streams.ts";
import { spark } from "./spark.ts";

export const engines: Readonly<Record<EngineName, Engine>> = {
  caudal,
  flink: flinkHeap,
  "flink-rocksdb": flinkRocksdb,
  "kafka-streams": kafkaStreamsAtLeastOnce,
  "kafka-streams-eos": kafkaStreamsExactlyOnce,
  spark,
};
