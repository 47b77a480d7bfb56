/**
 * The Fetch API, version 13 (Kafka 3.1): topics by id, leader epochs, committed reads. The request is the
 * library's; the response is parsed here, so that records stay bytes:
 *
 *   throttleTimeMs int32 · errorCode int16 · sessionId int32 ·
 *   [ topicId uuid · [ partition int32 · errorCode int16 · highWatermark int64 · lastStableOffset int64 ·
 *     logStartOffset int64 · [ producerId int64 · firstOffset int64 · tags ] · preferredReadReplica int32 ·
 *     records bytes · tags (0: divergence: epoch int32, endOffset int64) ] tags ] tags
 *
 * Arrays and bytes are compact: an unsigned varint of the length + 1, 0 for null.
 */
import { type Connection, fetchV13, type Reader } from "@platformatic/kafka";
import type { AbortedTransaction } from "./aborted.ts";
import { Cursor } from "./cursor.ts";
import { Code, protocolError } from "./protocol-errors.ts";
import type { ResponseBuffers } from "./response-buffers.ts";

export interface FetchRequest {
  readonly topicId: string;
  readonly maxWaitMs: number;
  readonly minBytes: number;
  /** Of the whole response; one batch that is larger still comes whole. */
  readonly maxBytes: number;
  readonly partitions: readonly FetchPosition[];
}

export interface FetchPosition {
  readonly partition: number;
  readonly offset: number;
  /** Leader epoch of the last batch that was read, -1 if none: the broker compares it with its log. */
  readonly epoch: number;
  /** The leader's epoch as metadata says. */
  readonly leaderEpoch: number;
  readonly maxBytes: number;
}

export interface FetchedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  /** End of what is replicated; behind the last stable offset as long as a transaction is open. */
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly records: Buffer;
  /** Set when the leader's log is not the one that was read: where its part of that epoch ends. */
  readonly divergesAt: number | undefined;
}

const FETCH = 1;
const VERSION = 13;
const READ_COMMITTED = 1;
const NO_SESSION = { id: 0, epoch: -1 } as const;

/**
 * One fetch from one leader. Rejects with the library's error, or with ours for an error of the whole response.
 *
 * @param buffers where the response is kept: its records are views of it
 */
export async function fetchPartitions(
  connection: Connection,
  request: FetchRequest,
  buffers: ResponseBuffers,
): Promise<FetchedPartition[]> {
  const topic = {
    topicId: request.topicId,
    partitions: request.partitions.map((position) => ({
      partition: position.partition,
      currentLeaderEpoch: position.leaderEpoch,
      fetchOffset: BigInt(position.offset),
      lastFetchedEpoch: position.epoch,
      partitionMaxBytes: position.maxBytes,
    })),
  };
  return await new Promise((resolve, reject) => {
    connection.send(
      FETCH,
      VERSION,
      () =>
        fetchV13.createRequest(
          request.maxWaitMs,
          request.minBytes,
          request.maxBytes,
          READ_COMMITTED,
          NO_SESSION.id,
          NO_SESSION.epoch,
          [topic],
          [],
          "",
        ),
      (_correlationId, _apiKey, _apiVersion, { buffer, position }: Reader) =>
        parseFetchResponse(buffers.gather(buffer.buffers, position, buffer.length - position)),
      true,
      true,
      (error, response) => {
        if (error !== null) reject(error);
        else resolve(response ?? []);
      },
    );
  });
}

/** @throws CorruptBatch when the bytes are no response; a typed error for an error of the whole response */
export function parseFetchResponse(bytes: Buffer): FetchedPartition[] {
  const cursor = new Cursor(bytes);
  cursor.int32();
  const errorCode = cursor.int16();
  if (errorCode !== Code.None) throw protocolError(errorCode, "fetch");
  cursor.int32();
  const fetched: FetchedPartition[] = [];
  for (let topics = cursor.unsignedVarint() - 1; topics > 0; topics--) {
    const topicId = uuid(cursor.take(16));
    for (let partitions = cursor.unsignedVarint() - 1; partitions > 0; partitions--)
      fetched.push(parsePartition(cursor, topicId));
    cursor.taggedFields();
  }
  return fetched;
}

function parsePartition(cursor: Cursor, topicId: string): FetchedPartition {
  const partition = cursor.int32();
  const errorCode = cursor.int16();
  const highWatermark = cursor.int64();
  const lastStableOffset = cursor.int64();
  const logStartOffset = cursor.int64();
  const aborted: AbortedTransaction[] = [];
  for (let left = cursor.unsignedVarint() - 1; left > 0; left--) {
    aborted.push({ producerId: cursor.int64(), firstOffset: cursor.int64() });
    cursor.taggedFields();
  }
  cursor.int32();
  const records = cursor.take(Math.max(0, cursor.unsignedVarint() - 1));
  let divergesAt: number | undefined;
  cursor.taggedFields((tag, field) => {
    if (tag !== 0) return;
    field.int32();
    divergesAt = field.int64();
  });
  const offsets = { highWatermark, lastStableOffset, logStartOffset };
  return { topicId, partition, errorCode, ...offsets, aborted, records, divergesAt };
}

function uuid(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
