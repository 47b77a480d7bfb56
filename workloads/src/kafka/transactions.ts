/**
 * Writes record batches and a place in one transaction of Kafka (KIP-98). The place is kept as an offset of a consumer
 * group, so that whoever comes next under the same transactional id knows exactly what was written: opening a writer
 * ends what the one before had begun, and fences it.
 *
 *   InitProducerId → (AddPartitionsToTxn → AddOffsetsToTxn → Produce … → TxnOffsetCommit → EndTxn) …
 */
import {
  addOffsetsToTxnV3,
  addPartitionsToTxnV3,
  endTxnV3,
  initProducerIdV4,
  txnOffsetCommitV3,
} from "@platformatic/kafka";
import { pause, retry } from "../runtime/retry.ts";
import type { BatchEncoder } from "./batch-encoder.ts";
import type { KafkaCluster, TopicInfo } from "./cluster.ts";
import { Coordinator } from "./coordinator.ts";
import { KafkaUnavailable, MembershipLost, ProducerFenced, RecordTooLarge } from "./errors.ts";
import type { GroupOffset, Member } from "./group.ts";
import { produce } from "./produce.ts";
import { Code, protocolError, withCodes } from "./protocol-errors.ts";
import { openPartitions } from "./transaction-states.ts";

/** Where a writer has come, kept by the group for one partition; the topic has to exist. */
export interface Place {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string;
}

/** Where a reader of a whole topic has come: a place in each of its partitions. */
export interface Places {
  readonly group: string;
  readonly topic: string;
  /** Whoever the partitions were assigned to: of an older generation nothing is written any more (KIP-447). */
  readonly member: Member;
  readonly offsets: readonly GroupOffset[];
}

/** Batches by topic and partition: one each, or several that are written in their order. */
export type TopicBatches = ReadonlyMap<string, ReadonlyMap<number, BatchEncoder | readonly BatchEncoder[]>>;

export interface TopicPartitions {
  readonly name: string;
  readonly partitions: number[];
}

export type TransactionEnd = "commit" | "abort";

/** The broker undoes a transaction that lasts longer, also of a writer that is gone: until then readers wait at it. */
export const TRANSACTION_MS = 30_000;
/** A transaction that ended a moment ago may still be written down. */
const SETTLE_MS = 10;
const SETTLE_MAX_MS = 200;
const SETTLE_FOR_MS = 60_000;
const OPEN_ATTEMPTS = 8;

interface Identity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export class TransactionalWriter {
  readonly #cluster: KafkaCluster;
  readonly #id: string;
  readonly #coordinator: Coordinator;
  readonly #identity: Identity;
  readonly #sequences = new Map<string, number>();
  /** Of the group that keeps the place, which is always the same. */
  #groups: Coordinator | undefined;
  #spent = false;
  /** How many connections the cluster had lost when this writer knew last that it owes no end. */
  #lost: number;

  private constructor(cluster: KafkaCluster, id: string, coordinator: Coordinator, identity: Identity) {
    this.#cluster = cluster;
    this.#id = id;
    this.#coordinator = coordinator;
    this.#identity = identity;
    this.#lost = cluster.lostConnections;
  }

  /** Of all writers under the id. */
  get producerId(): bigint {
    return this.#identity.producerId;
  }

  /**
   * Begins to write under the id. What an earlier writer has committed is committed when this returns, everything else
   * of it is undone, and it can write nothing more.
   *
   * @param transactionMs after which the broker undoes a transaction by itself
   */
  static async open(
    cluster: KafkaCluster,
    transactionalId: string,
    signal?: AbortSignal,
    transactionMs = TRANSACTION_MS,
  ): Promise<TransactionalWriter> {
    const coordinator = new Coordinator(cluster, "transactional id", transactionalId, "control");
    const begin = async () => {
      const answer = await coordinator.ask(
        "init_producer_id",
        async (connection) => await initProducerIdV4.api.async(connection, transactionalId, transactionMs),
      );
      return { codes: [answer.errorCode], value: answer, what: `the transactional id ${transactionalId}` };
    };
    // The first transaction of a cluster finds no coordinator until the broker has made its topic.
    const identity = await retry(async () => await settled(signal, begin), {
      attempts: OPEN_ATTEMPTS,
      onRetry: () => coordinator.forget(),
      ...(signal === undefined ? {} : { signal }),
    });
    return new TransactionalWriter(cluster, transactionalId, coordinator, identity);
  }

  /**
   * Writes all of it or nothing. After an error the outcome is not known and this writer is of no use any more: a new
   * one ends what was begun, and the group's place then says which of the two it was.
   *
   * @throws ProducerFenced when another writer has the id; MembershipLost when the places are someone else's;
   * RecordTooLarge; KafkaUnavailable
   */
  async write(batches: TopicBatches, place: Place | Places, signal?: AbortSignal): Promise<void> {
    if (this.#spent) throw new KafkaUnavailable(`a transaction of ${this.#id} has failed: open it anew`);
    this.#spent = true;
    if (this.#lost !== this.#cluster.lostConnections) await this.#endBefore([...batches.keys()], place.group, signal);
    const partitions = [...batches].map(([name, ofTopic]) => ({ name, partitions: [...ofTopic.keys()] }));
    await this.#enlist(partitions, signal);
    await this.#enlistGroup(place.group);
    for (const [topic, partitions] of batches) await this.#produceAll(topic, partitions);
    await this.#keep(place);
    await this.#end("commit");
    this.#lost = this.#cluster.lostConnections;
    this.#spent = false;
  }

  /**
   * A broker that was away may have forgotten the end of the transaction before, which was committed: what is written
   * now would be one with it, and undone with it.
   */
  async #endBefore(topics: readonly string[], group: string, signal: AbortSignal | undefined): Promise<void> {
    const open = await openPartitions(this.#cluster, topics, this.#identity.producerId);
    await this.endAgain(open, group, "commit", signal);
  }

  /**
   * Writes the end of a transaction once more, into all partitions that it may have had: a broker has left it out.
   * Partitions where none is open take no harm.
   */
  async endAgain(
    partitions: readonly TopicPartitions[],
    group: string,
    end: TransactionEnd,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#enlist(partitions, signal);
    await this.#enlistGroup(group);
    await this.#end(end);
  }

  async #enlist(topics: readonly TopicPartitions[], signal: AbortSignal | undefined): Promise<void> {
    if (topics.length === 0) return;
    const transaction = { transactionalId: this.#id, ...this.#identity, verifyOnly: false, topics: [...topics] };
    await settled(signal, async () => {
      const answer = await this.#coordinator.ask(
        "add_partitions_to_txn",
        async (connection) => await addPartitionsToTxnV3.api.async(connection, [transaction]),
      );
      const results = answer.resultsByTransaction.flatMap(({ topicResults }) => topicResults);
      const codes = results.flatMap((topic) => topic.resultsByPartition.map((one) => one.partitionErrorCode));
      return { codes, value: undefined, what: `${this.#id}: partitions of ${topics.map(({ name }) => name).join()}` };
    });
  }

  async #enlistGroup(group: string): Promise<void> {
    const { producerId, producerEpoch } = this.#identity;
    const answer = await this.#coordinator.ask(
      "add_offsets_to_txn",
      async (connection) => await addOffsetsToTxnV3.api.async(connection, this.#id, producerId, producerEpoch, group),
    );
    check(answer.errorCode, `${this.#id}: the group ${group}`);
  }

  async #produceAll(
    topic: string,
    batches: ReadonlyMap<number, BatchEncoder | readonly BatchEncoder[]>,
  ): Promise<void> {
    const left = new Map([...batches].map(([partition, list]) => [partition, [list].flat()]));
    const rounds = Math.max(0, ...[...left.values()].map(({ length }) => length));
    const info = await this.#cluster.topic(topic);
    for (let round = 0; round < rounds; round++) {
      const next = [...left].flatMap(([partition, list]) => {
        const batch = list[round];
        return batch === undefined ? [] : [[partition, batch] as const];
      });
      await this.#produce(topic, info, new Map(next));
    }
  }

  async #produce(topic: string, info: TopicInfo, batches: ReadonlyMap<number, BatchEncoder>): Promise<void> {
    const byLeader = Map.groupBy(batches, ([partition]) => info.partitions[partition]?.leader ?? -1);
    await Promise.all(
      [...byLeader].map(async ([leader, group]) => {
        if (leader < 0)
          throw new KafkaUnavailable(`${topic}/${group.map(([partition]) => partition).join()} has no leader now`);
        const records = group.map(([partition, batch]) => ({
          partition,
          bytes: this.#finish(topic, partition, batch),
        }));
        const answer = await this.#cluster.call(
          leader,
          "produce",
          "produce",
          async (connection) => await withCodes(produce(connection, this.#id, topic, records)),
        );
        for (const { index, errorCode } of answer.responses.flatMap((one) => one.partitionResponses))
          checkProduced(errorCode, `${topic}/${index}`, batches.get(index));
      }),
    );
  }

  #finish(topic: string, partition: number, batch: BatchEncoder): Buffer {
    const key = `${topic}/${partition}`;
    const baseSequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, (baseSequence + batch.count) % 2 ** 31);
    return batch.finish({ ...this.#identity, baseSequence, transactional: true });
  }

  async #keep(place: Place | Places): Promise<void> {
    const { group, topic } = place;
    const { producerId, producerEpoch } = this.#identity;
    const { memberId, generation } = "member" in place ? place.member : NO_MEMBER;
    const partitions = ("offsets" in place ? place.offsets : [place]).map(({ partition, offset, metadata }) => ({
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: -1,
      committedMetadata: metadata,
    }));
    this.#groups ??= new Coordinator(this.#cluster, "group", group, "control");
    const answer = await this.#groups.ask(
      "txn_offset_commit",
      async (connection) =>
        await txnOffsetCommitV3.api.async(
          connection,
          this.#id,
          group,
          producerId,
          producerEpoch,
          generation,
          memberId,
          null,
          [{ name: topic, partitions }],
        ),
    );
    for (const { errorCode } of answer.topics.flatMap((one) => one.partitions))
      check(errorCode, `${this.#id}: the place in the group ${group}`);
  }

  async #end(end: TransactionEnd): Promise<void> {
    const { producerId, producerEpoch } = this.#identity;
    const answer = await this.#coordinator.ask(
      "end_txn",
      async (connection) => await endTxnV3.api.async(connection, this.#id, producerId, producerEpoch, end === "commit"),
    );
    check(answer.errorCode, `${this.#id}: the ${end}`);
  }
}

interface Answer<T> {
  readonly codes: readonly number[];
  readonly value: T;
  readonly what: string;
}

/** Asks until the transaction before has been written down. */
async function settled<T>(signal: AbortSignal | undefined, ask: () => Promise<Answer<T>>): Promise<T> {
  const deadline = performance.now() + SETTLE_FOR_MS;
  for (let wait = SETTLE_MS; ; wait = Math.min(2 * wait, SETTLE_MAX_MS)) {
    const { codes, value, what } = await ask();
    if (!codes.includes(Code.ConcurrentTransactions) || performance.now() > deadline) {
      for (const code of codes) check(code, what);
      return value;
    }
    await pause(wait, signal);
  }
}

/** What is written by no member of a group. */
const NO_MEMBER: Member = { memberId: "", generation: -1 };

const fenced = new Set<number>([Code.InvalidProducerEpoch, Code.ProducerFenced]);
const lost = new Set<number>([Code.IllegalGeneration, Code.UnknownMemberId, Code.RebalanceInProgress]);

function check(code: number, what: string): void {
  if (code === Code.None) return;
  if (fenced.has(code)) throw new ProducerFenced(`${what}: another process has this transactional id now`);
  if (lost.has(code)) throw new MembershipLost(`${what}: the partitions are another member's by now`);
  throw protocolError(code, what);
}

function checkProduced(code: number, place: string, batch: BatchEncoder | undefined): void {
  if (code === Code.MessageTooLarge || code === Code.RecordListTooLarge)
    throw new RecordTooLarge(
      `${place}: ${batch?.count ?? 0} records of ${batch?.size ?? 0} bytes exceed the topic's max.message.bytes: raise it`,
      batch?.count,
    );
  check(code, place);
}
