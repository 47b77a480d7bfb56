/**
 * Takes a transactional id over from whoever wrote under it before, with the place that they have left. Brokers forget
 * transactions ({@link file://./forgotten.ts}): what is found undecided afterwards is ended as it was decided.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { retry } from "../runtime/retry.ts";
import type { KafkaCluster } from "./cluster.ts";
import { Coordinator } from "./coordinator.ts";
import { OffsetsUnstable } from "./errors.ts";
import { endEvery, type Writers } from "./forgotten.ts";
import { Group, type GroupOffset } from "./group.ts";
import { lastDecision, openPartitions } from "./transaction-states.ts";
import { TRANSACTION_MS, type TopicPartitions, type TransactionEnd, TransactionalWriter } from "./transactions.ts";

export interface Succession {
  readonly transactionalId: string;
  /** Where the place is kept: of the group, for the partition of a topic that exists as long as the writers. */
  readonly place: { readonly group: string; readonly topic: string; readonly partition: number };
  /** Topics that the writers write to. */
  readonly topics: readonly string[];
}

/** A succession whose place is one of several partitions. */
export interface SuccessionInPlaces extends Omit<Succession, "place"> {
  readonly places: { readonly group: string; readonly topic: string; readonly partitions: readonly number[] };
  /** Whether an id is of a writer that may have had the places before; none but the id itself by default. */
  readonly own?: Writers["own"];
  /** After which the broker undoes a transaction by itself. */
  readonly transactionMs: number;
  /** How long others, who have ids of their own, may take to end theirs. */
  readonly patienceMs: number;
}

export interface Opening extends Omit<Succession, "place"> {
  /** Keeps the place of all who wrote under the id. */
  readonly group: string;
  /** After which the broker undoes a transaction by itself. */
  readonly transactionMs?: number;
}

export interface TakenOver {
  readonly writer: TransactionalWriter;
  /** What was written last; undefined when nothing was. */
  readonly place: GroupOffset | undefined;
}

/** A transaction that ends in the usual way has done so by then. */
const PATIENCE_MS = 2_000;
const EVERY_MS = 100;
const ATTEMPTS = 8;

/**
 * Opens a writer. What was written under the id before is decided when this returns, in all of the topics' partitions.
 *
 * @returns how the last transaction before ended, too
 * @throws KafkaUnavailable
 */
export async function openWriter(
  cluster: KafkaCluster,
  { transactionalId, topics, group, transactionMs = TRANSACTION_MS }: Opening,
  signal?: AbortSignal,
): Promise<{ readonly writer: TransactionalWriter; readonly last: TransactionEnd }> {
  const coordinator = new Coordinator(cluster, "transactional id", transactionalId, "control");
  // Asked first: whoever opens the id overwrites it.
  const last = await retry(async () => await lastDecision(coordinator, transactionalId), {
    attempts: ATTEMPTS,
    onRetry: () => coordinator.forget(),
    ...optional(signal),
  });
  const writer = await TransactionalWriter.open(cluster, transactionalId, signal, transactionMs);
  const open = await openPartitions(cluster, topics, writer.producerId);
  if (open.length > 0) await writer.endAgain(open, group, last, signal);
  return { writer, last };
}

/** @throws KafkaUnavailable, also when what was written before cannot be told yet */
export async function takeOver(
  cluster: KafkaCluster,
  { transactionalId, place, topics }: Succession,
  signal?: AbortSignal,
): Promise<TakenOver> {
  const places = { group: place.group, topic: place.topic, partitions: [place.partition] };
  const succession = { transactionalId, topics, places, transactionMs: TRANSACTION_MS, patienceMs: PATIENCE_MS };
  const { writer, places: found } = await takeOverPlaces(cluster, succession, signal);
  return { writer, place: found.get(place.partition) };
}

/** @throws KafkaUnavailable, also when what was written before cannot be told yet */
export async function takeOverPlaces(
  cluster: KafkaCluster,
  { transactionalId, own, places, topics, transactionMs, patienceMs }: SuccessionInPlaces,
  signal?: AbortSignal,
): Promise<{ readonly writer: TransactionalWriter; readonly places: ReadonlyMap<number, GroupOffset> }> {
  const { group } = places;
  const kept = new Group(cluster, { groupId: group, topic: places.topic, sessionMs: 0, rebalanceMs: 0 });
  const read = async () => await kept.committed(places.partitions);
  const { writer, last } = await openWriter(cluster, { transactionalId, topics, group, transactionMs }, signal);
  const soon = await unlessUnstable(read, PATIENCE_MS, signal);
  if (soon !== undefined) return { writer, places: soon };
  await writer.endAgain(await allPartitions(cluster, topics), group, last, signal);
  const later = await unlessUnstable(read, patienceMs, signal);
  if (later !== undefined) return { writer, places: later };
  // No transaction lasts so long: it was forgotten, of a writer that has another id and has not come back.
  if (own !== undefined) await endEvery(cluster, { own, topics, group }, transactionalId, signal);
  return { writer, places: await whenStable(read, PATIENCE_MS, signal) };
}

async function allPartitions(cluster: KafkaCluster, topics: readonly string[]): Promise<TopicPartitions[]> {
  return await Promise.all(
    topics.map(async (name) => ({
      name,
      partitions: (await cluster.topic(name)).partitions.map(({ partition }) => partition),
    })),
  );
}

async function unlessUnstable<T>(
  read: () => Promise<T>,
  patienceMs: number,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  try {
    return await whenStable(read, patienceMs, signal);
  } catch (error) {
    if (error instanceof OffsetsUnstable) return undefined;
    throw error;
  }
}

export async function whenStable<T>(
  read: () => Promise<T>,
  patienceMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof OffsetsUnstable) || performance.now() > deadline) throw error;
    }
    await sleep(EVERY_MS, undefined, optional(signal));
  }
}

function optional(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
