/** The loop of one output over one assignment: fetch, project, commit; the next batch is made while one commits. */
import type { PartitionEnd, RecordBlock } from "../kafka/record-block.ts";
import type { Drain } from "../runtime/drain.ts";
import type { WorkHealth } from "../runtime/health.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import { withSpan } from "../runtime/telemetry.ts";
import { beating } from "../stage/beating.ts";
import type { CommitMemory } from "../stage/commit-memory.ts";
import { CommitChain } from "../stage/commit-chain.ts";
import { BOUNDS, type CommitBounds, dueIn, isDue, isFull, looksEvery, type Moment } from "../stage/core/bounds.ts";
import { commitAround } from "../stage/culprits.ts";
import { LogMisread, PlaceMoved } from "../stage/errors.ts";
import { type DeadLetters, type Piece, type Position, type Reader, received } from "../stage/ports.ts";
import { type BatchProjection, OpenBatch, type SealedBatch } from "./batch.ts";
import { OutputRefused } from "./errors.ts";
import type { Output, Source } from "./output.ts";
import type { Report } from "./report.ts";

export interface WorkerParts {
  readonly context: Pick<RuntimeContext, "tracer"> & { readonly drain: Drain; readonly health: WorkHealth };
  readonly name: string;
  readonly source: Source;
  readonly output: Pick<Output, "commit" | "rehearse" | "gather" | "stored">;
  readonly projection: BatchProjection;
  readonly reader: Reader;
  readonly deadLetters: DeadLetters;
  /** Whether records that are no events go to the dead letters from here. */
  readonly tellsBadRows: boolean;
  readonly report: Pick<Report, "seen" | "committed">;
  /** By partition, the offset below which a batch was refused by the output: until there, record by record. */
  readonly refused: Map<number, number>;
  readonly memory: Pick<CommitMemory, "moved" | "of">;
}

/** How long a round waits for records: with nothing to do, with a commit under way, and with a batch that waits for it. */
const REST_MS = 2_000;
const WAIT_MS = 500;
const WAIT_WITH_BATCH_MS = 10;
/**
 * Rows are held as they are, not merged: what an output takes at once is worth no more memory. A commit may be a
 * transaction of Kafka: a worker that has caught up does ten a second at most.
 */
const LIMITS = { ...BOUNDS, maxBytes: 16 * 1024 * 1024, lagMaxMs: 1_000, caughtUpMinMs: BOUNDS.caughtUpMaxMs };
/** Of an output that gathers: many small files are worse than some memory. */
const GATHERED_BYTES = 64 * 1024 * 1024;

function limitsOf({ gather }: Pick<Output, "gather">): CommitBounds {
  if (gather === undefined) return LIMITS;
  const { ms, events } = gather;
  return { ...LIMITS, gatherMs: ms, maxRows: events, maxBytes: GATHERED_BYTES };
}

export class Worker {
  readonly #parts: WorkerParts;
  readonly #chain: CommitChain<SealedBatch>;
  readonly #batch: OpenBatch;
  readonly #limits: CommitBounds;
  readonly #ends = new Map<number, PartitionEnd>();
  readonly #positions: Map<number, Position>;
  #lastCommitMs = 0;
  #sealedAt = -Infinity;
  #lookedAt = performance.now();

  constructor(parts: WorkerParts, positions: readonly Position[]) {
    this.#parts = parts;
    this.#positions = new Map(positions.map((position) => [position.partition, position]));
    this.#limits = limitsOf(parts.output);
    this.#batch = new OpenBatch(parts.projection, parts.name, parts.tellsBadRows);
    this.#chain = new CommitChain(async (batch) => await this.#commit(batch));
  }

  /**
   * Works until woken by a new assignment or by draining; in the second case it commits what it has by then.
   *
   * @throws the first error; nothing of this worker is in flight any more then, and the output's positions say what is
   * committed
   */
  async run(wake: AbortSignal): Promise<void> {
    const { reader, context } = this.#parts;
    try {
      for (const position of this.#positions.values()) reader.read(position);
      while (!wake.aborted) await this.#round(wake);
      // Another member may have the partitions by now: only what is under way is waited for.
      if (context.drain.requested) await this.#seal();
      await this.#waitForCommits(0);
    } catch (error) {
      await this.#chain.atMost(0);
      this.#noteRefusal();
      throw this.#chain.failure?.error ?? error;
    } finally {
      this.#batch.discard();
      reader.close();
    }
  }

  async #round(wake: AbortSignal): Promise<void> {
    const { reader, context, report } = this.#parts;
    context.health.beat();
    const now = performance.now();
    if (now - this.#lookedAt >= looksEvery(now - this.#sealedAt)) await this.#look();
    const { blocks, ends } = await received(reader, this.#patience(), wake);
    for (const end of ends) this.#ends.set(end.partition, end);
    for (const block of blocks) await this.#take(block);
    await this.#sealDue();
    if (this.#chain.failure !== undefined) throw this.#chain.failure.error;
    report.seen(ends, this.#chain.length === 0 && this.#batch.empty);
  }

  /** How long this round may wait for records: a batch is sealed when it is due. */
  #patience(): number {
    const busy = this.#chain.length > 0;
    if (this.#batch.empty) return busy ? WAIT_MS : REST_MS;
    if (busy) return WAIT_WITH_BATCH_MS;
    const now = performance.now();
    return Math.min(Math.max(1, dueIn(this.#batch.size(now), this.#moment(now), this.#limits)), WAIT_MS);
  }

  #moment(now: number): Moment {
    const lagging = [...this.#positions.values()].some(
      ({ partition, offset }) => offset < (this.#ends.get(partition)?.lastStableOffset ?? 0),
    );
    return { lagging, lastCommitMs: this.#lastCommitMs, sinceSealMs: now - this.#sealedAt };
  }

  /** Without commits, too, it is noticed that the store has lost some, or that others have moved on. */
  async #look(): Promise<void> {
    const { output, source, memory } = this.#parts;
    // What is under way is known when it is done; commits that come one after the other compare progress themselves.
    if (this.#chain.length === 0 && this.#positions.size > 0) {
      const partitions = [...this.#positions.keys()];
      const stored = await output.stored(source, partitions);
      for (const { partition, offset } of memory.of(new Set(partitions))) {
        const now = stored.get(partition);
        if (now === offset) continue;
        throw new PlaceMoved(
          `progress on ${source.topic}/${partition} is at ${now ?? "no offset"} and was left at ${offset}: reading it again`,
        );
      }
    }
    this.#lookedAt = performance.now();
  }

  async #take(block: RecordBlock): Promise<void> {
    const position = this.#positions.get(block.partition);
    if (position === undefined || block.nextOffset <= position.offset) return;
    const first = block.offsets[0] ?? position.offset;
    if (first < position.offset)
      throw new LogMisread(`${block.topic}/${block.partition}: offset ${first} came after ${position.offset}`);
    if (position.offset < (this.#parts.refused.get(block.partition) ?? 0)) return await this.#takeCarefully(block);
    if (isFull(this.#batch.size(performance.now()), this.#limits)) await this.#seal();
    await this.#add({ block, from: 0, to: block.count, nextOffset: block.nextOffset });
  }

  async #add(piece: Piece): Promise<void> {
    const position = this.#positionOf(piece.block);
    this.#positions.set(
      position.partition,
      await beating(this.#parts.context.health, async () => await this.#batch.add(position, piece, performance.now())),
    );
  }

  /** Commits the block in parts until each record that the output refuses stands alone, and is buried. */
  async #takeCarefully(block: RecordBlock): Promise<void> {
    const { refused, name, source, output } = this.#parts;
    await this.#seal();
    await this.#waitForCommits(0);
    const nextOffset = (to: number): number =>
      to >= block.count ? block.nextOffset : (block.offsets[to] ?? block.nextOffset);
    await commitAround(
      { from: 0, to: block.count },
      {
        commit: async ({ from, to }) => {
          const before = this.#positionOf(block);
          await this.#add({ block, from, to, nextOffset: nextOffset(to) });
          try {
            await this.#commit(await this.#sealed());
            return undefined;
          } catch (error) {
            if (!(error instanceof OutputRefused)) throw error;
            this.#positions.set(block.partition, before);
            return error;
          }
        },
        bury: async (row, { message, letterReason }) => {
          const position = this.#positionOf(block);
          const piece = { block, from: row, to: row + 1, nextOffset: nextOffset(row + 1) };
          const detail = `output ${name}: ${message}`;
          const letter = { partition: block.partition, record: block.original(row), reason: letterReason, detail };
          this.#positions.set(block.partition, this.#batch.bury(position, piece, letter, performance.now()));
          const sealed = await this.#sealed();
          // Before the dead letter: what stands in the way of everything is no fault of this record.
          await output.rehearse?.(source, sealed.rows);
          await this.#commit(sealed);
        },
      },
    );
    if (block.nextOffset >= (refused.get(block.partition) ?? 0)) refused.delete(block.partition);
  }

  #positionOf({ topic, partition }: RecordBlock): Position {
    const position = this.#positions.get(partition);
    if (position === undefined) throw new LogMisread(`${topic}/${partition} is not assigned`);
    return position;
  }

  async #sealDue(): Promise<void> {
    if (this.#batch.empty) return;
    const now = performance.now();
    const size = this.#batch.size(now);
    if (!isDue(size, this.#moment(now), this.#limits)) return;
    // While one commits the next one grows, up to its bounds.
    if (this.#chain.length > 0 && !isFull(size, this.#limits)) return;
    await this.#seal();
  }

  async #seal(): Promise<void> {
    if (this.#batch.empty) return;
    await this.#waitForCommits(1);
    this.#sealedAt = performance.now();
    this.#chain.push(await this.#sealed());
  }

  /** What small pieces have gathered is evaluated first. */
  async #sealed(): Promise<SealedBatch> {
    return await beating(this.#parts.context.health, async () => await this.#batch.seal());
  }

  /** Waits until at most `count` batches are in flight. */
  async #waitForCommits(count: number): Promise<void> {
    await this.#chain.settled(count, () => this.#parts.context.health.beat());
  }

  async #commit(batch: SealedBatch): Promise<void> {
    const { context, source, output, deadLetters, report, name } = this.#parts;
    const attributes = { "caudal.events": batch.events, "caudal.rows": batch.rows.count, "caudal.output": name };
    await withSpan(context.tracer, "commit", { linkTo: batch.traceparents, attributes }, async () => {
      if (batch.letters.length > 0) await deadLetters.send(source, batch.letters);
      const began = performance.now();
      await output.commit(source, batch.rows);
      this.#lastCommitMs = performance.now() - began;
      for (const { partition, to: offset } of batch.rows.moves)
        this.#parts.memory.moved({ output: name, partition, offset });
      report.committed(batch, this.#lastCommitMs / 1000);
    });
  }

  #noteRefusal(): void {
    const failure = this.#chain.failure;
    if (!(failure?.error instanceof OutputRefused)) return;
    const { refused } = this.#parts;
    for (const { partition, to } of failure.batch.rows.moves)
      refused.set(partition, Math.max(to, refused.get(partition) ?? 0));
  }
}
