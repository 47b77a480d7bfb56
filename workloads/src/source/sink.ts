/**
 * Where a source's records go: each call is one transaction of Kafka that holds records, dead letters and the place up
 * to which they are. Whoever opens the sink next goes on at that place.
 */
import { consumerGroup } from "@caudal/crds";
import { BATCH_BYTES, BatchEncoder, type Header } from "../kafka/batch-encoder.ts";
import type { KafkaCluster } from "../kafka/cluster.ts";
import { chunksOf } from "../kafka/core/chunks.ts";
import { partitionOf } from "../kafka/core/murmur2.ts";
import { RecordTooLarge } from "../kafka/errors.ts";
import { openWriter, takeOver } from "../kafka/take-over.ts";
import type { TransactionalWriter } from "../kafka/transactions.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import { activeTraceparent } from "../runtime/telemetry.ts";
import { type Place, PlaceInvalid, readPlace, writePlace } from "./core/place.ts";
import type { BadRow, Row } from "./core/table.ts";

/** A record, or a dead letter, and the place that holds when it has been sent. */
export interface Entry {
  readonly row: Row | BadRow;
  readonly place: Place;
}

/** Of one transaction, however its entries fall on partitions; a character of a value counts as three bytes. */
const CHUNK_BYTES = 3 * BATCH_BYTES;
const MOST_ENTRIES = 5_000;
/** Kafka's own default of offset.metadata.max.bytes. */
const MOST_OF_PLACE = 4_096;
/** Bytes of a key that are kept of a row that does not even fit as a dead letter. */
const KEPT_OF_KEY = 1_024;

export class Sink {
  readonly #context: RuntimeContext;
  readonly #cluster: KafkaCluster;
  readonly #topic: string;
  readonly #letters: string;
  readonly #group: string;
  #writer: TransactionalWriter;
  #sent: number;

  private constructor(
    context: RuntimeContext,
    cluster: KafkaCluster,
    target: { readonly topic: string; readonly letters: string },
    writer: TransactionalWriter,
    sent: number,
  ) {
    this.#context = context;
    this.#cluster = cluster;
    this.#topic = target.topic;
    this.#letters = target.letters;
    this.#group = consumerGroup(context.config);
    this.#writer = writer;
    this.#sent = sent;
  }

  /** Fences whoever wrote before. @returns the sink, and the place at which it goes on */
  static async open(
    context: RuntimeContext,
    cluster: KafkaCluster,
    target: { readonly topic: string; readonly letters: string },
  ): Promise<{ readonly sink: Sink; readonly place: Place | undefined }> {
    const group = consumerGroup(context.config);
    const succession = {
      transactionalId: group,
      place: { group, topic: target.topic, partition: 0 },
      topics: [target.topic, target.letters],
    };
    const { writer, place: kept } = await takeOver(cluster, succession, context.drain.signal);
    const sink = new Sink(context, cluster, target, writer, kept?.offset ?? 0);
    return { sink, place: kept === undefined ? undefined : readPlace(kept.metadata, group) };
  }

  /**
   * Sends in order, in as many transactions as it takes. When it throws, whether the last of them was committed is not
   * known, and this sink is of no use any more.
   */
  async write(entries: readonly Entry[]): Promise<void> {
    for (const chunk of chunksOf(entries, sizeOf, CHUNK_BYTES, MOST_ENTRIES)) await this.#commit(chunk);
  }

  /** Keeps a place at which nothing is sent. */
  async keep(place: Place): Promise<void> {
    await this.#transaction(new Map(), place, 0);
  }

  async #commit(entries: readonly Entry[]): Promise<void> {
    const last = entries.at(-1);
    if (last === undefined) return;
    try {
      const counts = await this.#encode(entries);
      await this.#transaction(counts.batches, last.place, entries.length);
      this.#count(entries, counts.bytes);
    } catch (error) {
      if (!(error instanceof RecordTooLarge)) throw error;
      await this.#reopen();
      await this.#divide(entries, last, error);
    }
  }

  /** Finds the record that is too large by halves; it becomes a dead letter, and one that is too large for that is cut. */
  async #divide(entries: readonly Entry[], last: Entry, error: RecordTooLarge): Promise<void> {
    if (entries.length > 1) {
      const middle = entries.length >> 1;
      await this.#commit(entries.slice(0, middle));
      await this.#commit(entries.slice(middle));
      return;
    }
    const { row, place } = last;
    const size = Buffer.byteLength(row.value ?? "");
    if (!("reason" in row)) {
      const detail = `${size} bytes exceed the topic's max.message.bytes`;
      await this.#commit([{ place, row: { ...row, reason: "RecordTooLarge", detail } }]);
    } else if (row.value !== null) {
      const key = Buffer.from(row.key).subarray(0, KEPT_OF_KEY).toString();
      await this.#commit([
        { place, row: { ...row, key, value: null, detail: `${row.detail}; ${size} bytes cut off` } },
      ]);
    } else throw error;
  }

  async #encode(entries: readonly Entry[]) {
    const batches = new Map<string, Map<number, BatchEncoder>>();
    const traceparent = activeTraceparent();
    const headers: Header[] = traceparent === undefined ? [] : [["traceparent", traceparent]];
    const now = Date.now();
    let bytes = 0;
    for (const { row } of entries) {
      const topic = "reason" in row ? this.#letters : this.#topic;
      const key = Buffer.from(row.key);
      const partition = partitionOf(key, await this.#partitions(topic));
      const ofTopic = batches.get(topic) ?? new Map<number, BatchEncoder>();
      const batch = ofTopic.get(partition) ?? new BatchEncoder();
      batch.append(now, key, row.value, "reason" in row ? this.#origin(row) : headers);
      batches.set(topic, ofTopic.set(partition, batch));
      bytes += row.value?.length ?? 0;
    }
    return { batches, bytes };
  }

  readonly #partitionCounts = new Map<string, number>();

  /** Asked once: keys stay where they are as long as this process lives. */
  async #partitions(topic: string): Promise<number> {
    const known = this.#partitionCounts.get(topic) ?? (await this.#cluster.topic(topic)).partitions.length;
    this.#partitionCounts.set(topic, known);
    return known;
  }

  async #transaction(batches: Map<string, Map<number, BatchEncoder>>, place: Place, sent: number): Promise<void> {
    const began = performance.now();
    const metadata = writePlace(place);
    if (Buffer.byteLength(metadata) > MOST_OF_PLACE)
      throw new PlaceInvalid(
        `a row's key is so long that Kafka cannot keep it as the place (${metadata.length} of ${MOST_OF_PLACE} bytes): key the rows by something shorter`,
      );
    const at = { group: this.#group, topic: this.#topic, partition: 0, metadata };
    await this.#writer.write(batches, { ...at, offset: this.#sent + sent }, this.#context.drain.signal);
    this.#sent += sent;
    this.#context.metrics.commitSeconds.observe((performance.now() - began) / 1000);
    this.#context.health.beat();
  }

  async #reopen(): Promise<void> {
    const opening = { transactionalId: this.#group, topics: [this.#topic, this.#letters], group: this.#group };
    ({ writer: this.#writer } = await openWriter(this.#cluster, opening, this.#context.drain.signal));
  }

  #count(entries: readonly Entry[], bytes: number): void {
    const { health, metrics } = this.#context;
    const bad = entries.flatMap(({ row }) => ("reason" in row ? [row.reason] : []));
    const events = entries.length - bad.length;
    metrics.events.inc({ topic: this.#topic }, events);
    metrics.batches.inc();
    metrics.bytes.inc(bytes);
    for (const reason of bad) metrics.deadLetters.inc({ reason });
    health.count({ events, letters: bad });
  }

  #origin({ reason, detail }: BadRow): Header[] {
    const { pipeline, stage, source } = this.#context.config;
    return [
      ["caudal-reason", reason],
      ["caudal-detail", detail],
      ["caudal-table", source?.postgres.table ?? ""],
      ["caudal-pipeline", `${pipeline.namespace}/${pipeline.name}`],
      ["caudal-stage", stage.name],
    ];
  }
}

const sizeOf = ({ row: { key, value } }: Entry): number => key.length + 3 * (value?.length ?? 0) + 64;
