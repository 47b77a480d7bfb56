/** Sends records by Caudal's own producer, with their event time as Kafka's timestamp. */
import { BatchEncoder } from "@caudal/workloads/kafka/batch-encoder";
import { KafkaCluster } from "@caudal/workloads/kafka/cluster";
import { Producer } from "@caudal/workloads/kafka/producer";
import { describeError } from "@caudal/workloads/runtime/errors";
import { createMetrics } from "@caudal/workloads/runtime/metrics";

export interface Sender {
  add(partition: number, time: number, key: string, value: string): void;
  /** Sends the batches that are full, and waits while too many are on their way. */
  sendFull(): Promise<void>;
  /** Sends all there is, in one request, and waits until it is acknowledged. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** As the Java client does with `batch.size` of 64 KiB. */
const BATCH_BYTES = 64 * 1024;
const MOST_UNDERWAY = 64;
const WORTH_SAYING_MS = 1_000;

export function openSender(bootstrap: string, topic: string, say: (line: string) => void): Sender {
  const metrics = createMetrics({ namespace: "bench", pipeline: "bench", stage: "load", role: "generator" });
  const cluster = new KafkaCluster({ bootstrapServers: [bootstrap] }, { clientId: "bench-load", metrics });
  // A broker that has just started, or has just made the topic, refuses for a moment.
  const onProblem = (error: unknown, delayMs: number): void => {
    if (delayMs >= WORTH_SAYING_MS) say(`loading: ${describeError(error)}; trying again`);
  };
  const producer = new Producer(cluster, { metrics, onProblem });
  const open = new Map<number, BatchEncoder>();
  const full: [number, BatchEncoder][] = [];
  const underway: Promise<void>[] = [];
  return {
    add(partition, time, key, value) {
      let batch = open.get(partition);
      if (batch === undefined) open.set(partition, (batch = new BatchEncoder(BATCH_BYTES + 4096)));
      batch.append(time, key, value);
      if (batch.size < BATCH_BYTES) return;
      open.delete(partition);
      full.push([partition, batch]);
    },
    async sendFull() {
      for (const one of full.splice(0)) underway.push(producer.send(topic, new Map([one])));
      while (underway.length > MOST_UNDERWAY) await underway.shift();
    },
    async flush() {
      await this.sendFull();
      if (open.size > 0) underway.push(producer.send(topic, new Map(open)));
      open.clear();
      await Promise.all(underway.splice(0));
    },
    close: async () => await cluster.close(),
  };
}
