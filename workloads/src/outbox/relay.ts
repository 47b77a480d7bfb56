/**
 * Sends the outbox to its topics, each row once: records and the number of the last row go into one transaction of
 * Kafka, and whoever leads next reads that number after it has fenced the one before. The rows are deleted after.
 */
import { BATCH_BYTES, BatchEncoder } from "../kafka/batch-encoder.ts";
import type { KafkaCluster } from "../kafka/cluster.ts";
import { partitionOf } from "../kafka/core/murmur2.ts";
import { takeOver } from "../kafka/take-over.ts";
import type { TopicBatches, TransactionalWriter } from "../kafka/transactions.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Owner } from "../postgres/core/table-decision.ts";
import { installationOf, type OutboxRow, readOutbox, trimOutbox } from "../postgres/outbox.ts";
import type { Metrics } from "../runtime/metrics.ts";

export interface RelayOptions {
  readonly cluster: KafkaCluster;
  readonly owner: Owner;
  /** Transactional id, and group that keeps the place. */
  readonly id: string;
  /** A topic that exists as long as the stage: the group's place is kept under its first partition. */
  readonly sourceTopic: string;
  /** Topic by table. */
  readonly topics: ReadonlyMap<string, string>;
  readonly metrics: Pick<Metrics, "emittedRecords">;
  readonly signal: AbortSignal;
}

const ROWS = 5_000;

/** What is known since this process became the only one that sends. */
interface Session {
  readonly writer: TransactionalWriter;
  readonly installation: string;
  /** Rows up to it are in their topics. */
  sent: number;
}

export class Relay {
  readonly name = "outbox";
  readonly #options: RelayOptions;
  #session: Session | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  async turn(connection: Connection): Promise<boolean> {
    const { owner } = this.#options;
    // Asked of the database first: a process whose session there is gone leads no longer, and must fence nobody.
    const waiting = await readOutbox(connection, owner, this.#session?.sent ?? -1, ROWS);
    if (waiting.length === 0) return false;
    this.#session ??= await this.#begin(connection);
    const session = this.#session;
    const rows = waiting.filter(({ seq }) => seq > session.sent);
    if (rows.length > 0) await this.#send(session, rows);
    await trimOutbox(connection, owner, session.sent);
    return true;
  }

  end(): void {
    this.#session = undefined;
  }

  async #begin(connection: Connection): Promise<Session> {
    const { cluster, id, sourceTopic, topics, signal } = this.#options;
    const installation = await installationOf(connection);
    const succession = {
      transactionalId: id,
      place: { group: id, topic: sourceTopic, partition: 0 },
      topics: [...new Set(topics.values())],
    };
    const { writer, place } = await takeOver(cluster, succession, signal);
    // Another database's numbers say nothing about the rows of this one.
    return { writer, installation, sent: place?.metadata === installation ? place.offset : -1 };
  }

  async #send(session: Session, rows: readonly OutboxRow[]): Promise<void> {
    const { cluster, id, sourceTopic, topics, metrics, signal } = this.#options;
    try {
      const partitions = new Map<string, number>();
      for (const topic of new Set(topics.values()))
        partitions.set(topic, (await cluster.topic(topic)).partitions.length);
      const { batches, last, counts } = encode(rows, topics, partitions);
      const place = { group: id, topic: sourceTopic, partition: 0, offset: last, metadata: session.installation };
      if (batches.size > 0) await session.writer.write(batches, place, signal);
      session.sent = last;
      for (const [topic, count] of counts) metrics.emittedRecords.inc({ topic }, count);
    } catch (error) {
      // Whether it was written is not known: the place says it to the writer that is opened next.
      this.#session = undefined;
      throw error;
    }
  }
}

/** As many rows, in order, as fit into one batch for each partition. Rows of tables that send nothing any more are passed over. */
function encode(
  rows: readonly OutboxRow[],
  topics: ReadonlyMap<string, string>,
  partitions: ReadonlyMap<string, number>,
): { readonly batches: TopicBatches; readonly last: number; readonly counts: ReadonlyMap<string, number> } {
  const batches = new Map<string, Map<number, BatchEncoder>>();
  const counts = new Map<string, number>();
  const now = Date.now();
  let last = -1;
  for (const { seq, table, key, value } of rows) {
    const topic = topics.get(table);
    if (topic !== undefined) {
      const bytes = key === null ? null : Buffer.from(key);
      const partition = bytes === null ? 0 : partitionOf(bytes, partitions.get(topic) ?? 1);
      const ofTopic = batches.get(topic) ?? new Map<number, BatchEncoder>();
      const batch = ofTopic.get(partition) ?? new BatchEncoder();
      if (batch.count > 0 && batch.size + value.length > BATCH_BYTES) break;
      batch.append(now, bytes, value);
      batches.set(topic, ofTopic.set(partition, batch));
      counts.set(topic, (counts.get(topic) ?? 0) + 1);
    }
    last = seq;
  }
  return { batches, last, counts };
}
