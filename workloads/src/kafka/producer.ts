/**
 * Writes record batches, acknowledged by all in-sync replicas and numbered (idempotent): a batch whose answer was lost
 * is sent again and recognised. Only when the broker has forgotten the producer may a batch come twice.
 */
import { initProducerIdV4 } from "@platformatic/kafka";
import type { Metrics } from "../runtime/metrics.ts";
import { isRetryable, retry } from "../runtime/retry.ts";
import type { BatchEncoder } from "./batch-encoder.ts";
import type { KafkaCluster, TopicInfo } from "./cluster.ts";
import { KafkaUnavailable, RecordTooLarge } from "./errors.ts";
import { produce } from "./produce.ts";
import { Code, protocolError, withCodes } from "./protocol-errors.ts";

export interface ProducerOptions {
  readonly metrics: Pick<Metrics, "retries">;
  /** Told of each failure that is tried again. */
  readonly onProblem: (error: unknown, delayMs: number) => void;
}

const SEQUENCES = 2 ** 31;

const forgotten = new Set<number>([
  Code.OutOfOrderSequence,
  Code.InvalidProducerEpoch,
  Code.InvalidProducerIdMapping,
  Code.UnknownProducerId,
]);

export class Producer {
  readonly #cluster: KafkaCluster;
  readonly #options: ProducerOptions;
  readonly #topics = new Map<string, TopicInfo>();
  readonly #sequences = new Map<string, number>();
  #identity: { readonly producerId: bigint; readonly producerEpoch: number } | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(cluster: KafkaCluster, options: ProducerOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /**
   * Sends one batch to each partition, and tries again until all are acknowledged. Calls take turns, in order.
   *
   * @throws RecordTooLarge when a batch exceeds the topic's max.message.bytes (the others may have been written), other
   * errors that are not retryable, and the signal's reason
   */
  async send(topic: string, batches: ReadonlyMap<number, BatchEncoder>, signal?: AbortSignal): Promise<void> {
    const sending = this.#turn.then(async () => await this.#sendAll(topic, new Map(batches), signal));
    this.#turn = sending.catch(() => undefined);
    await sending;
  }

  async #sendAll(topic: string, left: Map<number, BatchEncoder>, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#retry(topic, left, signal);
    } catch (error) {
      // Nobody knows which of these batches were written: their numbers must never be given to others.
      this.#forget();
      throw error;
    }
  }

  async #retry(topic: string, left: Map<number, BatchEncoder>, signal: AbortSignal | undefined): Promise<void> {
    await retry(
      async () => {
        const info = this.#topics.get(topic) ?? (await this.#cluster.topic(topic));
        this.#topics.set(topic, info);
        this.#identity ??= await this.#identify();
        const byLeader = Map.groupBy(left.keys(), (partition) => info.partitions[partition]?.leader ?? -1);
        const results = await Promise.allSettled(
          [...byLeader].map(async ([leader, partitions]) => {
            if (leader < 0) throw new KafkaUnavailable(`${topic}/${partitions.join()} has no leader now`);
            await this.#sendTo(leader, topic, partitions, left);
          }),
        );
        const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
        if (errors.length > 0) throw errors.find((error) => !isRetryable(error)) ?? errors[0];
      },
      {
        ...(signal === undefined ? {} : { signal }),
        maxMs: 5_000,
        onRetry: (error, _attempt, delayMs) => {
          this.#topics.delete(topic);
          this.#options.metrics.retries.inc({ target: "kafka" });
          this.#options.onProblem(error, delayMs);
        },
      },
    );
  }

  /** One request to one leader; what is acknowledged leaves `left`. */
  async #sendTo(
    leader: number,
    topic: string,
    partitions: readonly number[],
    left: Map<number, BatchEncoder>,
  ): Promise<void> {
    const records = partitions.flatMap((partition) => {
      const batch = left.get(partition);
      const baseSequence = this.#sequences.get(`${topic}/${partition}`) ?? 0;
      return batch === undefined || this.#identity === undefined
        ? []
        : [{ partition, batch, bytes: batch.finish({ ...this.#identity, baseSequence }) }];
    });
    const answer = await this.#cluster.call(
      leader,
      "produce",
      "produce",
      async (connection) => await withCodes(produce(connection, null, topic, records)),
    );
    let failure: Error | undefined;
    for (const { index: partition, errorCode } of answer.responses.flatMap((one) => one.partitionResponses)) {
      const batch = left.get(partition);
      if (batch === undefined) continue;
      if (errorCode === Code.None || errorCode === Code.DuplicateSequence) {
        left.delete(partition);
        const key = `${topic}/${partition}`;
        this.#sequences.set(key, ((this.#sequences.get(key) ?? 0) + batch.count) % SEQUENCES);
      } else failure = this.#failure(errorCode, `${topic}/${partition}`, batch) ?? failure;
    }
    if (failure !== undefined) throw failure;
  }

  #failure(code: number, place: string, batch: BatchEncoder): Error {
    if (code === Code.MessageTooLarge || code === Code.RecordListTooLarge)
      return new RecordTooLarge(
        `${place}: ${batch.count} records of ${batch.size} bytes exceed the topic's max.message.bytes`,
      );
    if (forgotten.has(code)) {
      this.#forget();
      return new KafkaUnavailable(`${place}: the broker has forgotten this producer (error ${code}); beginning anew`);
    }
    return protocolError(code, place);
  }

  #forget(): void {
    this.#identity = undefined;
    this.#sequences.clear();
  }

  async #identify(): Promise<{ producerId: bigint; producerEpoch: number }> {
    const answer = await this.#cluster.call(
      "any",
      "control",
      "init_producer_id",
      async (connection) => await withCodes(initProducerIdV4.api.async(connection, null, 0)),
    );
    if (answer.errorCode !== Code.None) throw protocolError(answer.errorCode, "a producer id");
    return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
  }
}
