/** Topics of a running pipeline: what is in them, and their records as they come. */
import { KafkaCluster, type TopicInfo } from "@caudal/workloads/kafka/cluster";
import { TopicMissing } from "@caudal/workloads/kafka/errors";
import { listOffsets } from "@caudal/workloads/kafka/offsets";
import { TopicReader } from "@caudal/workloads/kafka/reader";
import type { RecordBlock } from "@caudal/workloads/kafka/record-block";
import { createMetrics } from "@caudal/workloads/runtime/metrics";
import { ClusterFailed } from "../errors.ts";
import type { KafkaWay } from "./live.ts";

export interface TopicSize {
  readonly partitions: number;
  /** Offsets between the log's beginning and its end: records, and marks of transactions. */
  readonly records: number;
}

export interface Reading {
  /** From each partition's first record, or only what comes from now on. */
  readonly beginning: boolean;
  /** Goes on at the end, until the signal. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

const WAIT_MS = 250;

export class Topics {
  readonly #cluster: KafkaCluster;
  readonly #metrics = createMetrics({ namespace: "", pipeline: "", stage: "", role: "cli" });

  constructor({ connection, way }: KafkaWay) {
    const clientId = "caudal-cli";
    this.#cluster = new KafkaCluster(connection, { clientId, metrics: this.#metrics, ...(way && { way }) });
  }

  /** undefined for a topic that does not exist. @throws ClusterFailed */
  async size(name: string): Promise<TopicSize | undefined> {
    return await inKafka(async () => {
      const topic = await this.#find(name);
      if (topic === undefined) return undefined;
      const [first, last] = await this.#bounds(topic);
      const records = [...last].reduce((sum, [partition, end]) => sum + end - (first.get(partition) ?? 0), 0);
      return { partitions: topic.partitions.length, records };
    });
  }

  /**
   * Committed records of all partitions, of each in offset order. Blocks hold until the next ones are asked for.
   *
   * @throws ClusterFailed; the signal ends it without an error
   */
  async *read(name: string, { beginning, follow, signal }: Reading): AsyncGenerator<readonly RecordBlock[]> {
    const topic = await inKafka(async () => await this.#find(name));
    if (topic === undefined)
      throw new ClusterFailed(`there is no topic ${name}: SHOW TOPICS names those of the pipeline`);
    const [first, last] = await inKafka(async () => await this.#bounds(topic));
    const reader = new TopicReader(this.#cluster, topic, { metrics: this.#metrics, onProblem: () => undefined });
    const open = new Set<number>();
    for (const { partition } of topic.partitions) {
      const [from, end] = [first.get(partition) ?? 0, last.get(partition) ?? 0];
      if (!follow && from >= end) continue;
      open.add(partition);
      reader.read({ partition, offset: beginning ? from : end, epoch: -1 });
    }
    try {
      while (open.size > 0 && !signal.aborted) {
        const { blocks } = await inKafka(async () => await reader.next(WAIT_MS, signal)).catch((error: unknown) => {
          if (signal.aborted) return { blocks: [] };
          throw error;
        });
        if (blocks.length > 0) yield blocks;
        if (!follow)
          for (const { partition, nextOffset } of blocks)
            if (nextOffset >= (last.get(partition) ?? 0)) {
              open.delete(partition);
              reader.drop(partition);
            }
      }
    } finally {
      reader.close();
    }
  }

  async close(): Promise<void> {
    await this.#cluster.close();
  }

  async #find(name: string): Promise<TopicInfo | undefined> {
    try {
      return await this.#cluster.topic(name);
    } catch (error) {
      if (error instanceof TopicMissing) return undefined;
      throw error;
    }
  }

  async #bounds(topic: TopicInfo): Promise<readonly [first: Map<number, number>, last: Map<number, number>]> {
    return await Promise.all([
      listOffsets(this.#cluster, topic, "earliest"),
      listOffsets(this.#cluster, topic, "latest"),
    ]);
  }
}

/** Errors of the Kafka client say what is wrong in words for people. */
async function inKafka<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ClusterFailed) throw error;
    throw new ClusterFailed(`Kafka: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
