/**
 * Takes a transactional id over from whoever wrote under it before, with the place that they have left.
 *
 * Brokers forget transactions: one that is decided when its coordinator starts again gets no end in partitions that have
 * no leader at that moment, and counts as over nevertheless (seen with Kafka 4.3.1: a broker that was killed, when it
 * comes back; the coordinator takes such partitions for deleted ones). Its records and its place would stay undecided
 * for ever, and committed reads would stop before them. So whoever finds the place undecided writes the end again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describeTransactionsV0 } from "@platformatic/kafka";
import { retry } from "../runtime/retry.ts";
import type { KafkaCluster } from "./cluster.ts";
import { Coordinator } from "./coordinator.ts";
import { OffsetsUnstable } from "./errors.ts";
import { Group, type GroupOffset } from "./group.ts";
import { Code, protocolError, withCodes } from "./protocol-errors.ts";
import { TRANSACTION_MS, type TransactionEnd, TransactionalWriter } from "./transactions.ts";

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
  /** After which the broker undoes a transaction by itself. */
  readonly transactionMs: number;
  /** How long others, who have ids of their own, may take to end theirs. */
  readonly patienceMs: number;
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
const DECIDED_TO_COMMIT = new Set(["PrepareCommit", "CompleteCommit"]);

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
  { transactionalId, places, topics, transactionMs, patienceMs }: SuccessionInPlaces,
  signal?: AbortSignal,
): Promise<{ readonly writer: TransactionalWriter; readonly places: ReadonlyMap<number, GroupOffset> }> {
  const last = await lastDecision(cluster, transactionalId, signal);
  const writer = await TransactionalWriter.open(cluster, transactionalId, signal, transactionMs);
  const group = new Group(cluster, { groupId: places.group, topic: places.topic, sessionMs: 0, rebalanceMs: 0 });
  const read = async () => await group.committed(places.partitions);
  try {
    return { writer, places: await whenStable(read, PATIENCE_MS, signal) };
  } catch (error) {
    if (!(error instanceof OffsetsUnstable)) throw error;
  }
  const partitions = await Promise.all(
    topics.map(async (name) => ({
      name,
      partitions: (await cluster.topic(name)).partitions.map((one) => one.partition),
    })),
  );
  await writer.endAgain(partitions, places.group, last, signal);
  return { writer, places: await whenStable(read, patienceMs, signal) };
}

/** How the last transaction of the id was to end: read before the id is taken over, which is all that is kept of it. */
async function lastDecision(
  cluster: KafkaCluster,
  transactionalId: string,
  signal: AbortSignal | undefined,
): Promise<TransactionEnd> {
  const coordinator = new Coordinator(cluster, "transactional id", transactionalId, "control");
  const ask = async () => {
    const answer = await coordinator.ask(
      "describe_transactions",
      async (connection) => await withCodes(describeTransactionsV0.api.async(connection, [transactionalId])),
    );
    const [found] = answer.transactionStates;
    const code = found?.errorCode ?? Code.TransactionalIdNotFound;
    if (code === Code.TransactionalIdNotFound) return "";
    if (code !== Code.None) throw protocolError(code, `the transactional id ${transactionalId}`);
    return found?.transactionState ?? "";
  };
  const state = await retry(ask, { attempts: ATTEMPTS, onRetry: () => coordinator.forget(), ...optional(signal) });
  return DECIDED_TO_COMMIT.has(state) ? "commit" : "abort";
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
