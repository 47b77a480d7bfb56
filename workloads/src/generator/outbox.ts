/** Collects events as record batches, one a partition, until they are sent together. */
import { BATCH_BYTES, BatchEncoder, type Header } from "../kafka/batch-encoder.ts";
import { partitionOf } from "../kafka/core/murmur2.ts";
import type { Producer } from "../kafka/producer.ts";
import type { Event } from "./core/event.ts";

/** Keys come again and again: so many partitions are remembered. */
const KNOWN_KEYS = 16_384;

export class Outbox {
  readonly #partitions: number;
  #batches = new Map<number, BatchEncoder>();
  readonly #partitionsOfKeys = new Map<string, number>();
  #events = 0;
  #full = false;

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  get events(): number {
    return this.#events;
  }

  /** Whether it is time to send. */
  get full(): boolean {
    return this.#full;
  }

  /** Keys go where Kafka's own clients put them; events without key take turns. */
  add(event: Event, number: number, timestamp: number, headers: readonly Header[]): void {
    const partition = event.key === null ? number % this.#partitions : this.#partitionOf(event.key);
    let batch = this.#batches.get(partition);
    if (batch === undefined) this.#batches.set(partition, (batch = new BatchEncoder()));
    batch.append(timestamp, event.key, event.value, headers);
    this.#events++;
    if (batch.size >= BATCH_BYTES) this.#full = true;
  }

  #partitionOf(key: string): number {
    const known = this.#partitionsOfKeys.get(key);
    if (known !== undefined) return known;
    const partition = partitionOf(Buffer.from(key), this.#partitions);
    if (this.#partitionsOfKeys.size < KNOWN_KEYS) this.#partitionsOfKeys.set(key, partition);
    return partition;
  }

  /** Sends what is there and waits for the acknowledgement. @returns bytes sent */
  async flush(producer: Producer, topic: string): Promise<number> {
    const batches = this.#batches;
    this.#batches = new Map();
    this.#events = 0;
    this.#full = false;
    if (batches.size === 0) return 0;
    await producer.send(topic, batches);
    return [...batches.values()].reduce((bytes, batch) => bytes + batch.size, 0);
  }
}
