/** What is gathered in memory between two commits of an output. */
import { GatheredRecords } from "../kafka/gathered-records.ts";
import { partitionOf, type RecordBlock, type Records } from "../kafka/record-block.ts";
import { MAX_RANGES } from "../kernel/flights.ts";
import type { Projection } from "../kernel/projection.ts";
import type { BadRow } from "@caudal/pipeline/sql";
import type { BatchSize } from "../stage/core/bounds.ts";
import { type Letter, letterBytes } from "../stage/letter.ts";
import type { Piece, Position } from "../stage/ports.ts";
import type { OutputBatch, OutputMove } from "./output.ts";

export interface SealedBatch {
  readonly rows: OutputBatch;
  readonly letters: readonly Letter[];
  /** Events that were read, those that are filtered out among them. */
  readonly events: number;
  readonly traceparents: readonly string[];
}

/** What a batch needs of the kernel. */
export type BatchProjection = Pick<Projection, "add" | "take" | "discard" | "pendingRows" | "pendingBytes">;

const MAX_LINKS = 128;
/** Pieces up to here wait for each other: evaluating each by itself would cost more than its events do. */
const SMALL_ROWS = 256;
const SMALL_BYTES = 64 * 1024;
/** What waits is bounded, as are the partitions that one note of what is evaluated has room for. */
const GATHERED_ROWS = 1024;
const GATHERED_BYTES = 512 * 1024;

export class OpenBatch {
  readonly #projection: BatchProjection;
  readonly #output: string;
  readonly #tellsBadRows: boolean;
  readonly #moves = new Map<number, OutputMove>();
  readonly #traceparents = new Set<string>();
  /** Read, and not projected yet. */
  readonly #gathered = new GatheredRecords();
  #letters: Letter[] = [];
  #events = 0;
  #letterBytes = 0;
  #since: number | undefined;

  /**
   * @param output its name
   * @param tellsBadRows whether records that are no events go to the dead letters: of one output of the stage alone
   */
  constructor(projection: BatchProjection, output: string, tellsBadRows: boolean) {
    this.#projection = projection;
    this.#output = output;
    this.#tellsBadRows = tellsBadRows;
  }

  get empty(): boolean {
    return this.#moves.size === 0;
  }

  size(now: number): BatchSize {
    return {
      rows: this.#projection.pendingRows + this.#gathered.count,
      bytes: this.#projection.pendingBytes + this.#letterBytes + this.#gathered.bytes,
      ageMs: this.#since === undefined ? 0 : now - this.#since,
    };
  }

  /**
   * Takes a piece of a block and notes its move: one that is small waits for others of all partitions.
   *
   * @returns where the partition goes on after it
   */
  async add(position: Position, piece: Piece, now: number): Promise<Position> {
    const { block, from, to } = piece;
    if (to > from) {
      const bytes = (block.tails[to - 1] as number) - (block.heads[from] as number);
      const small = to - from <= SMALL_ROWS && bytes <= SMALL_BYTES;
      if (small) this.#gathered.add(block, from, to);
      // In the order in which they were read.
      if (!small || this.#isFull) await this.project();
      if (!small) await this.#project(block, from, to);
    }
    this.#link(block);
    return this.#move(position, piece, now);
  }

  /** Projects what waits. */
  async project(): Promise<void> {
    const { count } = this.#gathered;
    if (count > 0) await this.#project(this.#gathered.take(), 0, count);
  }

  /** Moves past one record that the output does not take, with it in the dead letters. */
  bury(position: Position, piece: Piece, letter: Letter, now: number): Position {
    this.#addLetter(letter);
    return this.#move(position, piece, now);
  }

  /** Takes everything out; the batch is empty then and can be filled again. */
  async seal(): Promise<SealedBatch> {
    await this.project();
    const sealed = {
      rows: {
        ...this.#projection.take(),
        moves: [...this.#moves.values()].sort((a, b) => a.partition - b.partition),
      },
      letters: this.#letters,
      events: this.#events,
      traceparents: [...this.#traceparents],
    };
    this.#reset();
    return sealed;
  }

  discard(): void {
    this.#projection.discard();
    this.#reset();
  }

  get #isFull(): boolean {
    const { count, bytes, pieces } = this.#gathered;
    return count >= GATHERED_ROWS || bytes >= GATHERED_BYTES || pieces >= MAX_RANGES;
  }

  async #project(records: Records, from: number, to: number): Promise<void> {
    const { accepted, bad, unwritten } = await this.#projection.add(records, { from, to });
    this.#events += accepted;
    const tell = ({ row, reason, detail }: BadRow) =>
      this.#addLetter({ partition: partitionOf(records, row), record: records.original(row), reason, detail });
    // What is no event is so for every output; what cannot be written is this one's to tell.
    if (this.#tellsBadRows) bad.forEach(tell);
    for (const one of unwritten) tell({ ...one, detail: `output ${this.#output}: ${one.detail}` });
  }

  #reset(): void {
    this.#gathered.clear();
    this.#moves.clear();
    this.#traceparents.clear();
    this.#letters = [];
    this.#events = this.#letterBytes = 0;
    this.#since = undefined;
  }

  #link({ traceparents }: RecordBlock): void {
    for (const parent of traceparents) if (this.#traceparents.size < MAX_LINKS) this.#traceparents.add(parent);
  }

  #addLetter(letter: Letter): void {
    this.#letters.push(letter);
    this.#letterBytes += letterBytes(letter);
  }

  #move({ partition, offset, epoch }: Position, { block, nextOffset }: Piece, now: number): Position {
    this.#since ??= now;
    const toEpoch = block.leaderEpoch < 0 ? epoch : block.leaderEpoch;
    const earlier = this.#moves.get(partition);
    this.#moves.set(partition, {
      partition,
      from: earlier?.from ?? offset,
      to: nextOffset,
      fromEpoch: earlier?.fromEpoch ?? epoch,
      toEpoch,
    });
    return { partition, offset: nextOffset, epoch: toEpoch };
  }
}
