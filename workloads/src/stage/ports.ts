/** What the worker needs of Kafka, so that it can be tested without one. */
import type { PartitionEnd, RecordBlock } from "../kafka/record-block.ts";
import type { Letter } from "./letter.ts";

export interface Position {
  readonly partition: number;
  readonly offset: number;
  /** Leader epoch of what was read before it, -1 if unknown. */
  readonly epoch: number;
}

export interface Fetched {
  readonly blocks: readonly RecordBlock[];
  readonly ends: readonly PartitionEnd[];
}

/** Part of a block that is taken in one go. */
export interface Piece {
  readonly block: RecordBlock;
  /** Rows [from, to). */
  readonly from: number;
  readonly to: number;
  /** Where is read on after them. */
  readonly nextOffset: number;
}

/** Reads each partition at one place and remembers where it goes on. */
export interface Reader {
  /** Begins to read a partition, or moves it. */
  read(position: Position): void;
  drop(partition: number): void;
  /** What has come, or comes within this time. */
  next(waitMs: number, signal: AbortSignal): Promise<Fetched>;
  close(): void;
}

export interface DeadLetters {
  /** Resolves when the broker has acknowledged all of them. */
  send(source: { readonly topic: string; readonly topicId: string }, letters: readonly Letter[]): Promise<void>;
}

/** What the reader has; nothing when the wait was ended by drain or a new assignment. */
export async function received(reader: Reader, waitMs: number, wake: AbortSignal): Promise<Fetched> {
  try {
    return await reader.next(waitMs, wake);
  } catch (error) {
    if (wake.aborted) return { blocks: [], ends: [] };
    throw error;
  }
}
