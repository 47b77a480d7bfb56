/**
 * Reads partitions of one topic as blocks of committed records, by long polls to each leader. It remembers where to
 * read on, and never jumps: an offset that the log does not hold, another topic of the same name, or a log that was
 * cut are errors.
 */
import type { Metrics } from "../runtime/metrics.ts";
import { backoff, isRetryable } from "../runtime/retry.ts";
import { Bell } from "./bell.ts";
import { type DecodedBlock, decodeBlock } from "./block.ts";
import type { KafkaCluster, TopicInfo } from "./cluster.ts";
import { CorruptBatch, KafkaUnavailable, LogTruncated, OffsetOutOfRange, TopicRecreated } from "./errors.ts";
import { type FetchedPartition, fetchPartitions } from "./fetch-protocol.ts";
import { listOffsets, verifyPosition } from "./offsets.ts";
import { Code, protocolError } from "./protocol-errors.ts";
import type { PartitionEnd, RecordBlock } from "./record-block.ts";
import { ResponseBuffers } from "./response-buffers.ts";

export interface ReadPosition {
  readonly partition: number;
  /** The offset to read next. */
  readonly offset: number;
  /** Leader epoch of the last batch read before it, -1 if unknown: the broker checks that its log is still the same. */
  readonly epoch: number;
}

export interface Fetched {
  readonly blocks: readonly RecordBlock[];
  /** One for each partition that a leader answered for, also when nothing new came. */
  readonly ends: readonly PartitionEnd[];
}

export interface ReaderOptions {
  readonly metrics: Pick<Metrics, "bytes" | "retries">;
  /** Told of each failure that is tried again: log, beat, set the error in status. */
  readonly onProblem: (error: Error, delayMs: number) => void;
  /** Milliseconds a leader may wait for data at most, whatever comes: 2,000. */
  readonly maxWaitMs?: number;
  /** Most bytes of one response, and of one partition in it: 4 MiB and 1 MiB. Of each leader one response waits while another is used. */
  readonly maxBytes?: number;
  readonly maxBytesPerPartition?: number;
}

/** A partition that is read. A new object for each {@link TopicReader.read}, so that old answers find it gone. */
interface Reading {
  readonly partition: number;
  offset: number;
  epoch: number;
  failures: number;
  corrupt: number;
  /** performance.now() before which it is not asked for again. */
  notBefore: number;
}

interface Delay {
  failures: number;
  notBefore: number;
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;
/** A checksum may fail on the way; one that fails this often is wrong on the broker's disk. */
const CORRUPT_LIMIT = 5;
/** For how long a leader may wait, and until how many bytes have come. */
interface Patience {
  readonly maxWaitMs: number;
  readonly minBytes: number;
}
const FLOWING: Patience = { maxWaitMs: 30, minBytes: 128 * 1024 };
/** An answer with less is of a trickle: fetching and committing a handful costs about as much as hundreds. */
const TRICKLE_BYTES = 16 * 1024;
const TRICKLE: Patience = { maxWaitMs: 400, minBytes: 8 * 1024 };
/** Where nothing comes, the first record ends the wait. Another assignment may have to wait for the answer. */
const QUIET: Patience = { maxWaitMs: 500, minBytes: 1 };
const REST: Patience = { maxWaitMs: 2_000, minBytes: 1 };
const REST_AFTER_MS = 5_000;
/** What the compressed batches of one response may become; a single one may become more. */
const UNPACKED_BYTES = 8 << 20;
const LEAST_BYTES = 64 << 10;

export class TopicReader {
  readonly #cluster: KafkaCluster;
  readonly #topic: { readonly name: string; readonly topicId: string };
  readonly #options: ReaderOptions;
  readonly #readings = new Map<number, Reading>();
  readonly #flights = new Set<number | "metadata">();
  readonly #delays = new Map<number | "metadata", Delay>();
  readonly #landed = new Map<number, Fetched>();
  /** Of leaders, the bytes of the last answer that had records, and when it came. */
  readonly #flow = new Map<number, { readonly bytes: number; readonly at: number }>();
  readonly #since = performance.now();
  readonly #buffers = new Map<number, ResponseBuffers>();
  #info: TopicInfo | undefined;
  #stale = true;
  #fatal: { readonly error: Error; readonly partition: number | undefined } | undefined;
  readonly #bell = new Bell();
  #turn = 0;
  /** How many times as long as fetched the last compressed records were: what would not be unpacked is not asked for. */
  #expansion = 1;
  #closed = false;

  /** @param topic with the id that its progress is of: another id under this name is an error */
  constructor(
    cluster: KafkaCluster,
    topic: { readonly name: string; readonly topicId: string },
    options: ReaderOptions,
  ) {
    this.#cluster = cluster;
    this.#topic = topic;
    this.#options = options;
  }

  /** Partitions that are read, and where each goes on. */
  get positions(): readonly ReadPosition[] {
    return [...this.#readings.values()].map(({ partition, offset, epoch }) => ({ partition, offset, epoch }));
  }

  /** Begins to read a partition, or moves it: blocks from before are not given out any more. */
  read(position: ReadPosition): void {
    this.drop(position.partition);
    this.#readings.set(position.partition, { ...position, failures: 0, corrupt: 0, notBefore: 0 });
    this.#bell.ring();
  }

  /** Stops reading a partition; an error that was its own is gone with it. */
  drop(partition: number): void {
    this.#readings.delete(partition);
    if (this.#fatal?.partition === partition) this.#fatal = undefined;
    for (const [node, { blocks, ends }] of this.#landed)
      this.#landed.set(node, {
        blocks: blocks.filter((block) => block.partition !== partition),
        ends: ends.filter((end) => end.partition !== partition),
      });
  }

  /**
   * What has come, or comes within `waitMs`; nothing otherwise. The next fetches are under way when it returns. Blocks
   * hold until the next call: their bytes are then written over.
   *
   * @throws OffsetOutOfRange, TopicRecreated, LogTruncated, CorruptBatch, FormatUnsupported and others that are not
   * retryable, and the signal's reason; what passes by itself goes to `onProblem` and is tried again
   */
  async next(waitMs: number, signal?: AbortSignal): Promise<Fetched> {
    const end = performance.now() + waitMs;
    for (;;) {
      signal?.throwIfAborted();
      if (this.#fatal !== undefined) throw this.#fatal.error;
      if (this.#landed.size > 0) {
        const landed = [...this.#landed.values()];
        this.#landed.clear();
        this.#launch();
        return { blocks: landed.flatMap(({ blocks }) => blocks), ends: landed.flatMap(({ ends }) => ends) };
      }
      this.#launch();
      const left = end - performance.now();
      if (left <= 0 || this.#closed) return { blocks: [], ends: [] };
      await this.#bell.wait(Math.min(left, this.#untilRetry()), signal);
    }
  }

  /** Gives up what is under way. The cluster's connections stay open. */
  close(): void {
    this.#closed = true;
    this.#readings.clear();
    this.#landed.clear();
    this.#buffers.clear();
    this.#bell.ring();
  }

  /** Starts what may start: a refresh of stale metadata, and one fetch for each leader that has none. */
  #launch(): void {
    if (this.#closed) return;
    const now = performance.now();
    if (this.#stale && this.#mayStart("metadata", now)) void this.#fly("metadata", async () => await this.#refresh());
    if (this.#info === undefined) return;
    const due = [...this.#readings.values()].filter((reading) => reading.notBefore <= now);
    for (const [leader, readings] of Map.groupBy(due, ({ partition }) => this.#leader(partition))) {
      if (leader < 0) this.#stale = true;
      else if (!this.#landed.has(leader) && this.#mayStart(leader, now))
        void this.#fly(leader, async () => await this.#fetch(leader, readings));
    }
  }

  #mayStart(what: number | "metadata", now: number): boolean {
    return !this.#flights.has(what) && (this.#delays.get(what)?.notBefore ?? 0) <= now;
  }

  /** Runs one request; a failure delays the next of its kind, or is what {@link next} throws. */
  async #fly(what: number | "metadata", request: () => Promise<void>): Promise<void> {
    this.#flights.add(what);
    try {
      await request();
      this.#delays.delete(what);
    } catch (error) {
      if (this.#closed) return;
      const delay = this.#delays.get(what) ?? { failures: 0, notBefore: 0 };
      this.#delays.set(what, delay);
      this.#stale = true;
      this.#failed(error, delay);
    } finally {
      this.#flights.delete(what);
      this.#bell.ring();
    }
  }

  async #refresh(): Promise<void> {
    const info = await this.#cluster.topic(this.#topic.name);
    if (info.topicId !== this.#topic.topicId)
      throw new TopicRecreated(this.#topic.name, this.#topic.topicId, info.topicId);
    this.#info = info;
    this.#stale = false;
  }

  async #fetch(leader: number, readings: readonly Reading[]): Promise<void> {
    const { maxBytes, maxBytesPerPartition } = this.#limits();
    const { maxWaitMs, minBytes } = this.#patience(leader);
    // The first partitions of a request fill the response: each has its turn to be first.
    const first = this.#turn++ % readings.length;
    const inTurn = [...readings.slice(first), ...readings.slice(0, first)];
    const partitions = inTurn.map(({ partition, offset, epoch }) => ({
      partition,
      offset,
      epoch,
      leaderEpoch: this.#info?.partitions[partition]?.leaderEpoch ?? -1,
      maxBytes: maxBytesPerPartition,
    }));
    const request = { topicId: this.#topic.topicId, maxWaitMs, minBytes, maxBytes, partitions };
    const buffers = this.#buffers.get(leader) ?? new ResponseBuffers();
    this.#buffers.set(leader, buffers);
    const askedAt = performance.now();
    const answers = await this.#cluster.call(
      leader,
      "fetch",
      "fetch",
      async (connection) => await fetchPartitions(connection, request, buffers),
    );
    const blocks: RecordBlock[] = [];
    const ends: PartitionEnd[] = [];
    let packed = 0;
    let unpacked = 0;
    const fetched = answers.reduce((sum, { records }) => sum + records.length, 0);
    for (const reading of inTurn) {
      const answer = answers.find(({ partition }) => partition === reading.partition);
      if (answer === undefined || this.#readings.get(reading.partition) !== reading) continue;
      if (unpacked >= UNPACKED_BYTES) break;
      try {
        const { block, packedBytes } = await this.#take(reading, answer, UNPACKED_BYTES - unpacked);
        if (this.#readings.get(reading.partition) !== reading) continue;
        if (block.bytes !== answer.records) {
          packed += packedBytes;
          unpacked += block.bytes.length;
        }
        if (block.nextOffset > reading.offset) blocks.push(block);
        Object.assign(reading, { offset: block.nextOffset, failures: 0, corrupt: 0 });
        if (block.leaderEpoch >= 0) reading.epoch = block.leaderEpoch;
        ends.push({
          topic: this.#topic.name,
          partition: reading.partition,
          lastStableOffset: answer.lastStableOffset,
          highWatermark: answer.highWatermark,
          logStartOffset: answer.logStartOffset,
          askedAt,
        });
      } catch (error) {
        this.#failed(error, reading);
      }
    }
    this.#expansion = Math.max(1, unpacked / Math.max(packed, 1), 0.8 * this.#expansion);
    if (blocks.length > 0) this.#flow.set(leader, { bytes: fetched, at: performance.now() });
    else this.#flow.set(leader, { bytes: 0, at: this.#flow.get(leader)?.at ?? this.#since });
    if (ends.length > 0 && !this.#closed) this.#landed.set(leader, { blocks, ends });
  }

  /** Of a response and of each partition in it, so that what is asked for can also be unpacked. */
  #limits(): { readonly maxBytes: number; readonly maxBytesPerPartition: number } {
    const { maxBytes = 4 << 20, maxBytesPerPartition = 1 << 20 } = this.#options;
    const most = Math.max(LEAST_BYTES, Math.floor(UNPACKED_BYTES / this.#expansion));
    return { maxBytes: Math.min(maxBytes, most), maxBytesPerPartition: Math.min(maxBytesPerPartition, most) };
  }

  /** While records come, a leader collects some for a moment: an answer for each handful costs more than all else. */
  #patience(leader: number): Patience {
    const { bytes, at } = this.#flow.get(leader) ?? { bytes: 0, at: this.#since };
    const { maxWaitMs, minBytes } =
      bytes >= TRICKLE_BYTES ? FLOWING : bytes > 0 ? TRICKLE : performance.now() - at > REST_AFTER_MS ? REST : QUIET;
    return { maxWaitMs: Math.min(maxWaitMs, this.#options.maxWaitMs ?? maxWaitMs), minBytes };
  }

  /** One partition's answer as a block, or what it says went wrong. */
  async #take(reading: Reading, answer: FetchedPartition, unpackBytes: number): Promise<DecodedBlock> {
    const place = { topic: this.#topic.name, partition: reading.partition };
    switch (answer.errorCode) {
      case Code.None:
        break;
      case Code.OffsetOutOfRange:
        throw await this.#outOfRange(reading);
      default:
        this.#stale = true;
        throw protocolError(answer.errorCode, `${place.topic}/${place.partition}`);
    }
    if (answer.divergesAt !== undefined)
      throw new LogTruncated(place, reading.offset, reading.epoch, answer.divergesAt);
    this.#options.metrics.bytes.inc(answer.records.length);
    try {
      return decodeBlock({ ...place, ...answer, fetchOffset: reading.offset }, unpackBytes);
    } catch (error) {
      if (!(error instanceof CorruptBatch) || ++reading.corrupt >= CORRUPT_LIMIT) throw error;
      throw new KafkaUnavailable(`${place.topic}/${place.partition}: ${error.message}; reading it again`, {
        cause: error,
      });
    }
  }

  /** Why the leader does not have an offset; what it means for good is never guessed from one answer. */
  async #outOfRange({ partition, offset, epoch }: Reading): Promise<Error> {
    const topic = await this.#cluster.topic(this.#topic.name);
    if (topic.topicId !== this.#topic.topicId)
      return new TopicRecreated(this.#topic.name, this.#topic.topicId, topic.topicId);
    const offsets = async (which: "earliest" | "latest"): Promise<number | undefined> =>
      (await listOffsets(this.#cluster, topic, which, [partition])).get(partition);
    const [first, last] = await Promise.all([offsets("earliest"), offsets("latest")]);
    if (first === undefined || last === undefined || (offset >= first && offset <= last)) {
      await verifyPosition(this.#cluster, topic, { partition, offset, epoch });
      return new KafkaUnavailable(`${topic.name}/${partition}: the leader does not have offset ${offset} yet`);
    }
    return new OffsetOutOfRange({ topic: topic.name, partition }, offset, first, last);
  }

  /** Delays the next try of what failed, or keeps the error for {@link next}. */
  #failed(error: unknown, delay: Delay | Reading): void {
    const known = error instanceof Error ? error : new KafkaUnavailable(String(error));
    if (!isRetryable(known)) {
      this.#fatal ??= { error: known, partition: "partition" in delay ? delay.partition : undefined };
      return;
    }
    const ms = backoff(++delay.failures, FIRST_DELAY_MS, MAX_DELAY_MS, Math.random);
    delay.notBefore = performance.now() + ms;
    this.#options.metrics.retries.inc({ target: "kafka" });
    this.#options.onProblem(known, ms);
  }

  #leader(partition: number): number {
    return this.#info?.partitions.find((candidate) => candidate.partition === partition)?.leader ?? -1;
  }

  #untilRetry(): number {
    const now = performance.now();
    const times = [...this.#readings.values(), ...this.#delays.values()].map(({ notBefore }) => notBefore - now);
    return Math.max(1, Math.min(...times.filter((ms) => ms > 0), MAX_DELAY_MS));
  }
}
