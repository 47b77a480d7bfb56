/** What brokers know of transactions: a coordinator of its transactional ids, a leader of what is open in its partitions (KIP-664). */
import { describeProducersV0, describeTransactionsV0, listTransactionsV0 } from "@platformatic/kafka";
import type { KafkaCluster } from "./cluster.ts";
import type { Coordinator } from "./coordinator.ts";
import { KafkaForbidden, KafkaUnavailable, TopicMissing } from "./errors.ts";
import { Code, protocolError, withCodes } from "./protocol-errors.ts";
import type { TopicPartitions, TransactionEnd } from "./transactions.ts";

/** A transaction that has records in a partition, and no end there. */
export interface OpenTransaction {
  readonly topic: string;
  readonly partition: number;
  readonly producerId: bigint;
  /** Of its first record there. */
  readonly startOffset: bigint;
}

/** A transaction of which its coordinator says that its end is written in all its partitions. */
export interface EndedTransaction {
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly end: TransactionEnd;
}

const DECIDED_TO_COMMIT = new Set(["PrepareCommit", "CompleteCommit"]);
const NONE = -1n;

/**
 * How the last transaction of an id ended or is to end; "abort" also when there was none, or none that has an end yet.
 * Opening the id anew overwrites it.
 */
export async function lastDecision(coordinator: Coordinator, transactionalId: string): Promise<TransactionEnd> {
  const answer = await coordinator.ask(
    "describe_transactions",
    async (connection) => await withCodes(describeTransactionsV0.api.async(connection, [transactionalId])),
  );
  const [found] = answer.transactionStates;
  const code = found?.errorCode ?? Code.TransactionalIdNotFound;
  if (code === Code.TransactionalIdNotFound) return "abort";
  if (code !== Code.None) throw protocolError(code, `the transactional id ${transactionalId}`);
  return DECIDED_TO_COMMIT.has(found?.transactionState ?? "") ? "commit" : "abort";
}

/**
 * What is open in the topics' partitions, whoever writes it. A topic that is missing, or that this user may write to
 * and not read, is passed over.
 *
 * @throws KafkaUnavailable
 */
export async function openTransactions(cluster: KafkaCluster, topics: readonly string[]): Promise<OpenTransaction[]> {
  const found = await Promise.all(topics.map(async (topic) => await openIn(cluster, topic)));
  return found.flat();
}

/** The topics' partitions in which a transaction of this producer is open. @throws KafkaUnavailable */
export async function openPartitions(
  cluster: KafkaCluster,
  topics: readonly string[],
  producerId: bigint,
): Promise<TopicPartitions[]> {
  return partitionsOf((await openTransactions(cluster, topics)).filter((open) => open.producerId === producerId));
}

/** By topic, each partition once. */
export function partitionsOf(open: readonly OpenTransaction[]): TopicPartitions[] {
  return [...Map.groupBy(open, ({ topic }) => topic)].map(([name, list]) => ({
    name,
    partitions: [...new Set(list.map(({ partition }) => partition))],
  }));
}

async function openIn(cluster: KafkaCluster, topic: string): Promise<OpenTransaction[]> {
  try {
    const { partitions } = await cluster.topic(topic);
    const leaders = Map.groupBy(partitions, ({ leader }) => leader);
    const found = await Promise.all(
      [...leaders].map(async ([leader, led]) => {
        const partitionIndexes = led.map(({ partition }) => partition);
        return await openAt(cluster, leader, topic, partitionIndexes);
      }),
    );
    return found.flat();
  } catch (error) {
    if (error instanceof TopicMissing || error instanceof KafkaForbidden) return [];
    throw error;
  }
}

async function openAt(
  cluster: KafkaCluster,
  leader: number,
  topic: string,
  partitionIndexes: number[],
): Promise<OpenTransaction[]> {
  if (leader < 0) throw new KafkaUnavailable(`${topic}/${partitionIndexes.join()} has no leader now`);
  const answer = await cluster.call(
    leader,
    "control",
    "describe_producers",
    async (connection) =>
      await withCodes(describeProducersV0.api.async(connection, [{ name: topic, partitionIndexes }])),
  );
  return answer.topics
    .flatMap(({ partitions }) => partitions)
    .flatMap(({ partitionIndex: partition, errorCode, activeProducers }) => {
      if (errorCode !== Code.None) throw protocolError(errorCode, `writers of ${topic}/${partition}`);
      return activeProducers
        .filter(({ currentTxnStartOffset }) => currentTxnStartOffset > NONE)
        .map(({ producerId, currentTxnStartOffset: startOffset }) => ({ topic, partition, producerId, startOffset }));
    });
}

/**
 * The ids whose last transaction is over, as all coordinators know them.
 *
 * @param producerIds whose ids are asked for; of none, all ids are

 * @throws KafkaUnavailable
 */
export async function endedTransactions(
  cluster: KafkaCluster,
  producerIds: readonly bigint[],
): Promise<EndedTransaction[]> {
  const lists = await Promise.all(
    cluster.brokers.map(async (broker) => {
      const answer = await cluster.call(
        broker,
        "control",
        "list_transactions",
        async (connection) =>
          await withCodes(
            listTransactionsV0.api.async(connection, ["CompleteCommit", "CompleteAbort"], [...producerIds], NONE, null),
          ),
      );
      if (answer.errorCode !== Code.None) throw protocolError(answer.errorCode, "the list of transactions");
      return answer.transactionStates;
    }),
  );
  return lists.flat().map(({ transactionalId, producerId, transactionState }) => ({
    transactionalId,
    producerId,
    end: DECIDED_TO_COMMIT.has(transactionState) ? "commit" : "abort",
  }));
}
