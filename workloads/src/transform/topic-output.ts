/**
 * An output to a topic: records and the reader's place in the source go into one transaction of Kafka. The place is an
 * offset of the output's consumer group, written under the generation in which the partitions were assigned: the group's
 * coordinator refuses it of a process that has lost them, and the transaction is undone (KIP-447).
 */
import type { TopicConfig } from "@caudal/crds";
import { BatchEncoder } from "../kafka/batch-encoder.ts";
import type { KafkaCluster } from "../kafka/cluster.ts";
import { partitionOf } from "../kafka/core/murmur2.ts";
import { KafkaUnavailable, RecordTooLarge, TopicRecreated } from "../kafka/errors.ts";
import { Group, type GroupOffset, type Member } from "../kafka/group.ts";
import { type TopicBatches, TransactionalWriter } from "../kafka/transactions.ts";
import { retry } from "../runtime/retry.ts";
import type { Position } from "../stage/ports.ts";
import { OutputRefused } from "./errors.ts";
import type { RecordKeys } from "./record-keys.ts";
import type { Output, OutputBatch, Source } from "./output.ts";

export interface TopicOutputOptions {
  readonly cluster: KafkaCluster;
  readonly topic: TopicConfig;
  readonly keys: RecordKeys;
  /** The output's consumer group. */
  readonly group: string;
  /** Of this process alone. */
  readonly transactionalId: string;
  readonly signal: AbortSignal;
}

/** A transaction of a process that is gone holds readers up for as long; none of ours takes seconds. */
const TRANSACTION_MS = 15_000;
/** Bytes of one batch: below the smallest max.message.bytes that is usual. */
const BATCH_BYTES = 512 * 1024;
const LEAST_BATCH_BYTES = 1024;
/** Until a transaction of the partitions' last owner has ended, however that one did. */
const STABLE_ATTEMPTS = 300;
const STABLE_MAX_MS = 200;

export class TopicOutput implements Output {
  readonly wants = new Set(["json", "records"] as const);
  readonly #options: TopicOutputOptions;
  readonly #group: Group;
  #writer: TransactionalWriter | undefined;
  #member: Member | undefined;
  /** Less than at first where the topic takes less. */
  #batchBytes = BATCH_BYTES;

  constructor(options: TopicOutputOptions, sourceTopic: string) {
    this.#options = options;
    const { cluster, group: groupId } = options;
    this.#group = new Group(cluster, { groupId, topic: sourceTopic, sessionMs: 0, rebalanceMs: 0 });
  }

  async positions(source: Source, assignee: Member, starts: ReadonlyMap<number, number>): Promise<readonly Position[]> {
    this.#member = assignee;
    if (starts.size === 0) return [];
    const writer = await this.#open();
    const stored = await retry(async () => await this.#group.committed([...starts.keys()]), {
      attempts: STABLE_ATTEMPTS,
      maxMs: STABLE_MAX_MS,
      signal: this.#options.signal,
      onRetry: () => undefined,
    });
    const positions = [...starts].map(([partition, start]) =>
      positionOf(source, partition, start, stored.get(partition)),
    );
    const first = positions.filter(({ partition }) => !stored.has(partition));
    // A place from the beginning: what retention removes before anything was written is noticed as well.
    if (first.length > 0) await this.#write(writer, new Map(), source, first);
    return positions;
  }

  async commit(source: Source, batch: OutputBatch): Promise<void> {
    const places = batch.moves.map(({ partition, to, toEpoch }) => ({ partition, offset: to, epoch: toEpoch }));
    for (;;) {
      const writer = await this.#open();
      const batches = await this.#encode(batch);
      try {
        return await this.#write(writer, batches, source, places);
      } catch (error) {
        if (!(error instanceof RecordTooLarge)) throw error;
        // Nothing of it is committed, for its end was never written.
        if (error.records === 1 || this.#batchBytes <= LEAST_BATCH_BYTES)
          throw new OutputRefused(error.message, "RecordTooLarge", { cause: error });
        this.#batchBytes = Math.max(LEAST_BATCH_BYTES, this.#batchBytes / 4);
      }
    }
  }

  async close(): Promise<void> {
    this.#writer = undefined;
    return await Promise.resolve();
  }

  /** What this process had begun is over when the writer is open. */
  async #open(): Promise<TransactionalWriter> {
    const { cluster, transactionalId, signal } = this.#options;
    this.#writer ??= await TransactionalWriter.open(cluster, transactionalId, signal, TRANSACTION_MS);
    return this.#writer;
  }

  async #write(
    writer: TransactionalWriter,
    batches: TopicBatches,
    source: Source,
    places: readonly Position[],
  ): Promise<void> {
    const { group, signal } = this.#options;
    if (this.#member === undefined) throw new KafkaUnavailable(`${group}: no partitions are assigned`);
    const offsets = places.map(({ partition, offset, epoch }) => ({
      partition,
      offset,
      metadata: JSON.stringify({ topicId: source.topicId, epoch }),
    }));
    try {
      await writer.write(batches, { group, topic: source.topic, member: this.#member, offsets }, signal);
    } catch (error) {
      this.#writer = undefined;
      throw error;
    }
  }

  async #encode(batch: OutputBatch): Promise<TopicBatches> {
    const { cluster, topic, keys } = this.#options;
    const { json, records, partitions: sources, count } = batch;
    if (json === undefined || records === undefined || count === 0) return new Map();
    const partitions = (await cluster.topic(topic.name)).partitions.length;
    const key = keys.of(batch);
    const encoders = new Map<number, BatchEncoder[]>();
    for (let row = 0; row < count; row++) {
      const own = key.ends[row] as number;
      const target =
        own < 0
          ? (sources[row] as number) % partitions
          : partitionOf(key.bytes.subarray(key.starts[row] as number, own), partitions);
      const list = encoders.get(target) ?? [];
      let encoder = list.at(-1);
      const bytes = (json.ends[row] as number) - (json.starts[row] as number);
      if (encoder === undefined || encoder.size + bytes > this.#batchBytes) {
        encoder = new BatchEncoder();
        encoders.set(target, [...list, encoder]);
      }
      encoder.appendFrom(records.timestamps[row] as number, row, key, json, records.headers);
    }
    return new Map([[topic.name, encoders]]);
  }
}

/** @throws TopicRecreated when the group's offset is of another topic */
function positionOf(source: Source, partition: number, start: number, stored: GroupOffset | undefined): Position {
  if (stored === undefined) return { partition, offset: start, epoch: -1 };
  const { topicId, epoch } = parsed(stored.metadata);
  if (topicId !== undefined && topicId !== source.topicId)
    throw new TopicRecreated(source.topic, topicId, source.topicId);
  return { partition, offset: stored.offset, epoch: epoch ?? -1 };
}

/** Offsets that a person has set have no metadata of ours. */
function parsed(metadata: string): { readonly topicId?: string; readonly epoch?: number } {
  try {
    return JSON.parse(metadata) as { topicId?: string; epoch?: number };
  } catch {
    return {};
  }
}
