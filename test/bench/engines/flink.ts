import { opens, type Peer, peerEngine } from "./peer.ts";

function flink(name: Peer["name"], state: "hashmap" | "rocksdb", inWords: string) {
  return peerEngine({
    name,
    sources: "flink",
    mainClass: "FlinkPeer",
    jvm: ["-Xmx3g", ...opens],
    env: () => ({ BENCH_STATE: state }),
    configuration: () =>
      `Flink 2.2.0 SQL, ${inWords}, parallelism 2, checkpoint every 10 s exactly once, JDBC upserts, heap 3 GiB`,
  });
}

export const flinkHeap = flink("flink", "hashmap", "state on the heap");
export const flinkRocksdb = flink("flink-rocksdb", "rocksdb", "state in RocksDB");
