import { opens, peerEngine } from "./peer.ts";

export const spark = peerEngine({
  name: "spark",
  sources: "spark",
  mainClass: "SparkPeer",
  jvm: ["-Xmx4g", "-Djdk.reflect.useDirectMethodHandle=false", ...opens],
  env: () => ({ SPARK_LOCAL_IP: "127.0.0.1" }),
  configuration: () =>
    "Spark 4.0.0 Structured Streaming, local[2], update mode, three queries, the backlog in one micro-batch, heap 4 GiB",
});
