/**
 * The dead-letter topic: each record as it was, with headers that say where it came from and why. A record may come
 * twice (at least once); (caudal-topic-id, caudal-partition, caudal-offset) identifies it, so that a redrive can tell.
 */
import { BATCH_BYTES, BatchEncoder, type Header } from "./batch-encoder.ts";
import type { KafkaCluster } from "./cluster.ts";
import { chunksOf } from "./core/chunks.ts";
import { partitionOf } from "./core/murmur2.ts";
import { RecordTooLarge } from "./errors.ts";
import type { Producer } from "./producer.ts";
import type { OriginalRecord } from "./record-block.ts";

export interface DeadLetter {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly record: OriginalRecord;
  /** CamelCase. */
  readonly reason: string;
  readonly detail: string;
  /** Of a late event: the tables whose window was closed. */
  readonly tables?: readonly string[];
}

export interface DeadLetterTarget {
  readonly deadLetterTopic: string;
  /** `<namespace>/<name>` */
  readonly pipeline: string;
  readonly stage: string;
}

/** Bytes of a key that are kept when the record does not even fit without its value. */
const KEPT_OF_KEY = 1024;
const OURS = "caudal-";

/**
 * Writes dead letters. When it returns, all are acknowledged by all in-sync replicas.
 *
 * A record that the topic does not take because of its size is sent with its value cut off, and the headers
 * `caudal-truncated: true` and `caudal-original-size` (bytes of the value).
 *
 * @param now epoch milliseconds, the time of the dead-letter records
 * @throws what {@link Producer.send} throws, but for RecordTooLarge
 */
export async function sendDeadLetters(
  cluster: KafkaCluster,
  producer: Producer,
  target: DeadLetterTarget,
  letters: readonly DeadLetter[],
  now: number,
  signal?: AbortSignal,
): Promise<void> {
  if (letters.length === 0) return;
  const partitions = (await cluster.topic(target.deadLetterTopic)).partitions.length;
  const byPartition = Map.groupBy(letters, ({ record, partition }) =>
    record.key === null ? partition % partitions : partitionOf(record.key, partitions),
  );
  for (const [partition, group] of byPartition)
    for (const chunk of chunksOf(group, sizeOf, BATCH_BYTES))
      await sendChunk(producer, target, partition, chunk, now, signal);
}

/** Sends records to one partition; where they are too large together, one by one, and where one is too large, cut. */
async function sendChunk(
  producer: Producer,
  target: DeadLetterTarget,
  partition: number,
  letters: readonly DeadLetter[],
  now: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const fits = async (some: readonly DeadLetter[]): Promise<boolean> => {
    const batch = new BatchEncoder();
    for (const letter of some) append(batch, target, letter, now);
    try {
      await producer.send(target.deadLetterTopic, new Map([[partition, batch]]), signal);
      return true;
    } catch (error) {
      if (error instanceof RecordTooLarge) return false;
      throw error;
    }
  };
  if (await fits(letters)) return;
  for (const letter of letters) {
    if (letters.length > 1 && (await fits([letter]))) continue;
    let most = letter.record.value?.length ?? 0;
    do most = Math.floor(most / 2);
    while (!(await fits([cutLetter(letter, most)])) && most > 0);
  }
}

/** A letter with at most `most` bytes of its value; with none, without its own headers and a long key as well. */
function cutLetter(letter: DeadLetter, most: number): DeadLetter {
  const { record } = letter;
  const headers = [
    ...(most > 0 ? record.headers.filter(([name]) => !name.startsWith(OURS)) : []),
    ["caudal-truncated", Buffer.from("true")] as const,
    ["caudal-original-size", Buffer.from(String(record.value?.length ?? 0))] as const,
  ];
  const value = record.value?.subarray(0, most) ?? null;
  const key = most > 0 ? record.key : (record.key?.subarray(0, KEPT_OF_KEY) ?? null);
  return { ...letter, record: { ...record, key, value, headers } };
}

function append(batch: BatchEncoder, target: DeadLetterTarget, letter: DeadLetter, now: number): void {
  const { record, topic, topicId, partition, reason, detail, tables } = letter;
  const origin: Header[] = [
    ["caudal-reason", reason],
    ["caudal-detail", detail],
    ["caudal-topic", topic],
    ["caudal-topic-id", topicId],
    ["caudal-partition", String(partition)],
    ["caudal-offset", String(record.offset)],
    ["caudal-timestamp", String(record.timestamp)],
    ["caudal-pipeline", target.pipeline],
    ["caudal-stage", target.stage],
    ...(tables === undefined ? [] : [["caudal-tables", tables.join(",")] as const]),
  ];
  // A record that was dead before may bring these names: what is true now replaces them.
  const names = new Set(origin.map(([name]) => name));
  batch.append(now, record.key, record.value, [...record.headers.filter(([name]) => !names.has(name)), ...origin]);
}

/** Bytes that a letter's record takes in a batch, at most but for its origin's names. */
function sizeOf({ record: { key, value, headers }, detail }: DeadLetter): number {
  const own = headers.reduce((sum, [name, content]) => sum + name.length + (content?.length ?? 0), 0);
  return (key?.length ?? 0) + (value?.length ?? 0) + own + detail.length + 512;
}
