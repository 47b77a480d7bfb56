/**
 * An output to a topic: records and the reader's place in the source go into one transaction of Kafka. The place is an
 * offset of the output's consumer group, written under the generation in which the partitions were assigned: the group's
 * coordinator refuses it of a process that has lost them, and the transaction is undone (KIP-447).
 */
import type { JsonPath, TopicConfig } from "@caudal/crds";
import { placesIn } from "@caudal/pipeline/json";
import { BATCH_BYTES, type BatchEncoder } from "../kafka/batch-encoder.ts";
import type { KafkaCluster } from "../kafka/cluster.ts";
import { KafkaUnavailable, RecordTooLarge, TopicRecreated } from "../kafka/errors.ts";
import { Group, type GroupOffset, type Member } from "../kafka/group.ts";
import { openWriter, takeOverPlaces, whenStable } from "../kafka/take-over.ts";
import type { TopicBatches, TransactionalWriter } from "../kafka/transactions.ts";
import type { Position } from "../stage/ports.ts";
import { madeOf, OutputRefused } from "./errors.ts";
import type { Output, OutputBatch, Source } from "./output.ts";
import { RecordBatches } from "./record-batches.ts";

export interface TopicOutputOptions {
  readonly cluster: KafkaCluster;
  readonly topic: TopicConfig;
  /** The output's consumer group. */
  readonly group: string;
  /** Of this process alone. */
  readonly transactionalId: string;
  /** Whether an id is of any process that serves the output. */
  readonly own: (transactionalId: string) => boolean;
  /** Ends the wait for others; what is being written is finished. */
  readonly signal: AbortSignal;
}

/** A transaction of a process that is gone holds readers up for as long; none of ours takes seconds. */
const TRANSACTION_MS = 15_000;
const LEAST_BATCH_BYTES = 1024;
/** Until a transaction of the partitions' last owner has ended, however that one did. */
const PATIENCE_MS = 30_000;

export class TopicOutput implements Output {
  readonly wants = new Set(["records"] as const);
  readonly recordKey?: string;
  readonly placeOf: (column: string) => JsonPath | undefined;
  readonly #options: TopicOutputOptions;
  readonly #group: Group;
  #writer: TransactionalWriter | undefined;
  #member: Member | undefined;
  /** Less than at first where the topic takes less. */
  #batchBytes = BATCH_BYTES;
  readonly #batches = new RecordBatches();

  constructor(options: TopicOutputOptions, sourceTopic: string) {
    this.#options = options;
    const { cluster, topic, group: groupId } = options;
    if (topic.key !== undefined) this.recordKey = topic.key;
    this.placeOf = placesIn(topic);
    this.#group = new Group(cluster, { groupId, topic: sourceTopic, sessionMs: 0, rebalanceMs: 0 });
  }

  async stored(_source: Source, partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const places = await this.#group.committed(partitions);
    return new Map([...places].map(([partition, { offset }]) => [partition, offset]));
  }

  async positions(source: Source, assignee: Member, starts: ReadonlyMap<number, number>): Promise<readonly Position[]> {
    this.#member = assignee;
    if (starts.size === 0) return [];
    const { writer, places } = await this.#succeed(source.topic, [...starts.keys()]);
    const stored = new Map([...places].filter(([, { metadata }]) => !isLost(source, metadata)));
    const positions = [...starts].map(([partition, start]) =>
      positionOf(source, partition, start, stored.get(partition)),
    );
    const first = positions.filter(({ partition }) => !stored.has(partition));
    // A place from the beginning: what retention removes before anything was written is noticed as well.
    if (first.length > 0) await this.#write(writer, new Map(), source, first);
    return positions;
  }

  async commit(source: Source, batch: OutputBatch): Promise<void> {
    const { topic } = this.#options;
    const places = batch.moves.map(({ partition, to, toEpoch }) => ({ partition, offset: to, epoch: toEpoch }));
    for (;;) {
      const writer = await this.#open();
      const batches = await this.#encode(batch);
      try {
        await this.#write(writer, new Map(batches.size === 0 ? [] : [[topic.name, batches]]), source, places);
        this.#batches.recycle(batches.values());
        return;
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

  /** The writer, and where the group stands once whoever had the partitions before can change it no more. */
  async #succeed(topic: string, partitions: readonly number[]) {
    const { cluster, transactionalId, own, group, signal } = this.#options;
    if (this.#writer !== undefined) {
      const places = await whenStable(async () => await this.#group.committed(partitions), PATIENCE_MS, signal);
      return { writer: this.#writer, places };
    }
    const succession = {
      transactionalId,
      own,
      places: { group, topic, partitions },
      topics: [this.#options.topic.name],
      transactionMs: TRANSACTION_MS,
      patienceMs: PATIENCE_MS,
    };
    const taken = await takeOverPlaces(cluster, succession, signal);
    this.#writer = taken.writer;
    return taken;
  }

  /** What this process had begun is over when the writer is open. */
  async #open(): Promise<TransactionalWriter> {
    if (this.#writer !== undefined) return this.#writer;
    const { cluster, transactionalId, topic, group } = this.#options;
    const opening = { transactionalId, topics: [topic.name], group, transactionMs: TRANSACTION_MS };
    const { writer } = await openWriter(cluster, opening);
    this.#writer = writer;
    return writer;
  }

  async #write(
    writer: TransactionalWriter,
    batches: TopicBatches,
    source: Source,
    places: readonly Position[],
  ): Promise<void> {
    const { group } = this.#options;
    if (this.#member === undefined) throw new KafkaUnavailable(`${group}: no partitions are assigned`);
    const offsets = places.map(({ partition, offset, epoch }) => ({
      partition,
      offset,
      metadata: JSON.stringify({ topicId: source.topicId, epoch }),
    }));
    try {
      await writer.write(batches, { group, topic: source.topic, member: this.#member, offsets });
    } catch (error) {
      this.#writer = undefined;
      throw error;
    }
  }

  async #encode(batch: OutputBatch): Promise<ReadonlyMap<number, readonly BatchEncoder[]>> {
    if (batch.count === 0) return new Map();
    const { cluster, topic } = this.#options;
    const { partitions } = await cluster.topic(topic.name);
    return madeOf(batch, "a record", (rows) => this.#batches.encode(rows, partitions.length, this.#batchBytes));
  }
}

/** @throws TopicRecreated when the group's offset is of another topic */
function positionOf(source: Source, partition: number, start: number, stored: GroupOffset | undefined): Position {
  if (stored === undefined) return { partition, offset: start, epoch: -1 };
  const { topicId, epoch } = parsed(stored.metadata);
  if (topicId !== undefined && topicId !== source.topicId)
    throw new TopicRecreated(source.topic, topicId, source.topicId, [{ partition, nextOffset: stored.offset }]);
  return { partition, offset: stored.offset, epoch: epoch ?? -1 };
}

/** Whether a place is one in a topic of which a person has said that it is gone. */
function isLost({ topicId: current, lost = [] }: Source, metadata: string): boolean {
  const { topicId } = parsed(metadata);
  return topicId !== undefined && topicId !== current && lost.includes(topicId);
}

/** Offsets that a person has set have no metadata of ours. */
function parsed(metadata: string): { readonly topicId?: string; readonly epoch?: number } {
  try {
    return JSON.parse(metadata) as { topicId?: string; epoch?: number };
  } catch {
    return {};
  }
}
