/** What the worker needs of Kafka, so that it can be tested without one. */
import type { PartitionEnd, RecordBlock } from "../kafka/record-block.ts";
import type { Letter } from "./batch.ts";

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

export interface Intake {
  /** Reads from the positions, each of another partition; waits at most this long where there is nothing new. */
  fetch(positions: readonly Position[], maxWaitMs: number, signal: AbortSignal): Promise<Fetched>;
}

export interface DeadLetters {
  /** Resolves when the broker has acknowledged all of them. */
  send(letters: readonly Letter[]): Promise<void>;
}
