/**
 * Ends transactions that brokers have forgotten. Seen with Kafka 4.3.1: one that is decided when its coordinator starts
 * again gets no end in partitions that have no leader at that moment, because the coordinator takes these for deleted,
 * and counts as over nevertheless. Its records stay undecided for ever, and committed reads stop before them.
 */
import type { Logger } from "pino";
import { describeError, reasonOf } from "../runtime/errors.ts";
import { pause } from "../runtime/retry.ts";
import type { KafkaCluster } from "./cluster.ts";
import { endedTransactions, type OpenTransaction, openTransactions, partitionsOf } from "./transaction-states.ts";
import { type TransactionEnd, TransactionalWriter } from "./transactions.ts";

/** Writers that are alike: replicas of one another, or one after another. */
export interface Writers {
  /** Whether a transactional id is one of theirs. */
  readonly own: (transactionalId: string) => boolean;
  /** Topics that they write to. */
  readonly topics: readonly string[];
  /** Keeps their place. */
  readonly group: string;
}

/** A transaction that was ended once more. */
export interface Ended {
  readonly transactionalId: string;
  readonly end: TransactionEnd;
  /** Partitions in which it was open: `topic/number`. */
  readonly partitions: readonly string[];
}

/** Milliseconds from look to look: committed reads wait for about as long. */
export const LOOK_MS = 15_000;

/**
 * Looks for such transactions of these writers, also of those that are gone, and writes the end that was decided into
 * all partitions where they may be open. A writer that lives is fenced by it, and opens its id anew.
 *
 * Forgotten is what is open in a partition before and after its coordinator said that it is over: what is merely slow
 * is not over, and what ended and began again has another first offset.
 *
 * @throws KafkaUnavailable; ProducerFenced when another process does the same
 */
export async function endForgotten(cluster: KafkaCluster, writers: Writers, signal?: AbortSignal): Promise<Ended[]> {
  const { own, topics, group } = writers;
  const before = await openTransactions(cluster, topics);
  if (before.length === 0) return [];
  const ended = await endedTransactions(cluster, [...new Set(before.map(({ producerId }) => producerId))]);
  const ours = ended.filter(({ transactionalId }) => own(transactionalId));
  if (ours.length === 0) return [];
  const still = new Set((await openTransactions(cluster, topics)).map(keyOf));
  const done: Ended[] = [];
  for (const { transactionalId, producerId, end } of ours) {
    const open = before.filter((one) => one.producerId === producerId && still.has(keyOf(one)));
    if (open.length === 0) continue;
    const writer = await TransactionalWriter.open(cluster, transactionalId, signal);
    await writer.endAgain(partitionsOf(open), group, end, signal);
    done.push({ transactionalId, end, partitions: open.map(({ topic, partition }) => `${topic}/${partition}`) });
  }
  return done;
}

/**
 * Ends the last transaction of each of these writers once more, in the partitions where it is open and in the group:
 * when nobody can read the group's place, which transaction holds it cannot be seen.
 *
 * @param but the id that is left out
 */
export async function endEvery(
  cluster: KafkaCluster,
  { own, topics, group }: Writers,
  but: string,
  signal?: AbortSignal,
): Promise<void> {
  const open = await openTransactions(cluster, topics);
  for (const { transactionalId, producerId, end } of await endedTransactions(cluster, [])) {
    if (!own(transactionalId) || transactionalId === but) continue;
    const writer = await TransactionalWriter.open(cluster, transactionalId, signal);
    const partitions = partitionsOf(open.filter((one) => one.producerId === producerId));
    await writer.endAgain(partitions, group, end, signal);
  }
}

/** Looks now and then until the signal, where `isOurs` says so: of several processes one is enough. It never rejects. */
export async function watchForgotten(
  cluster: KafkaCluster,
  writers: Writers,
  { signal, log, isOurs = () => true }: { signal: AbortSignal; log: Logger; isOurs?: () => boolean },
): Promise<void> {
  while (!signal.aborted) {
    await pause(LOOK_MS, signal).catch(() => undefined);
    if (signal.aborted || !isOurs()) continue;
    try {
      tellEnded(log, await endForgotten(cluster, writers, signal));
    } catch (error) {
      log.debug({ reason: reasonOf(error), error: describeError(error) }, "could not look for forgotten transactions");
    }
  }
}

export function tellEnded(log: Logger, ended: readonly Ended[]): void {
  for (const one of ended) log.warn(one, "ended a transaction that a broker had forgotten");
}

const keyOf = ({ topic, partition, producerId, startOffset }: OpenTransaction): string =>
  `${topic}/${partition} ${producerId} ${startOffset}`;
