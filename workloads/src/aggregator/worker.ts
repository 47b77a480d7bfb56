/** The loop over one assignment: fetch, compute, merge, commit; the next batch is computed while one commits. */
import type { PartitionEnd, RecordBlock } from "../kafka/record-block.ts";
import { RowRefused } from "../postgres/errors.ts";
import { type Judgement as StoredJudgement, moveJudgements } from "../postgres/progress.ts";
import { withSpan } from "../runtime/telemetry.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import type { TablePlan } from "@caudal/pipeline/sql";
import type { Assignment } from "./assign.ts";
import { type BatchKernel, type Judgement, OpenBatch, type SealedBatch } from "./batch.ts";
import { beating } from "../stage/beating.ts";
import type { CommitMemory } from "../stage/commit-memory.ts";
import { CommitChain } from "../stage/commit-chain.ts";
import { isDue, isFull, looksEvery } from "../stage/core/bounds.ts";
import { ceiling, isForemost, joinLanes, judgedBy, type Lane, laneKey } from "./core/lanes.ts";
import { rowsBefore } from "../stage/core/rows.ts";
import { commitAround, type Rows } from "../stage/culprits.ts";
import { LogMisread } from "../stage/errors.ts";
import type { Ledger } from "./ledger.ts";
import { type DeadLetters, type Piece, type Reader, received } from "../stage/ports.ts";
import type { Report } from "./report.ts";
import type { WatermarkKeeper } from "./watermark-keeper.ts";

export interface WorkerParts {
  readonly context: Pick<RuntimeContext, "drain" | "health" | "tracer" | "log">;
  readonly tables: readonly TablePlan[];
  readonly latePolicy: Judgement["policy"];
  readonly openReader: (topic: { readonly name: string; readonly topicId: string }) => Reader;
  readonly ledger: Pick<Ledger, "control" | "commit" | "rehearse" | "look">;
  readonly deadLetters: DeadLetters;
  readonly keeper: Pick<WatermarkKeeper, "current" | "floors" | "expire" | "isDue" | "keep" | "stir">;
  readonly report: Pick<Report, "assigned" | "seen" | "committed" | "idleDue" | "groupOffsets" | "publish">;
  /** Opens the kernel of some of the tables, or gives the one that is open. */
  readonly kernel: (tables: readonly TablePlan[]) => Promise<BatchKernel>;
  /** For lag tools, after a commit; it never fails. */
  readonly publishOffsets: (offsets: readonly { readonly partition: number; readonly offset: number }[]) => void;
  /** By partition, the offset below which a batch was refused by PostgreSQL: until there, record by record. */
  readonly refused: Map<number, number>;
  readonly memory: Pick<CommitMemory, "moved" | "of">;
}

const WAIT_MS = 500;
const WAIT_WITH_BATCH_MS = 10;

export class Worker {
  readonly #parts: WorkerParts;
  readonly #assignment: Assignment;
  readonly #chain: CommitChain<SealedBatch>;
  readonly #batches = new Map<string, OpenBatch>();
  readonly #ends = new Map<number, PartitionEnd>();
  /** Reads for the foremost lane of each partition. */
  readonly #front: Reader;
  /** Reads for the last lane of each partition that has more than one. */
  readonly #back: Reader;
  #lanes: readonly Lane[];
  #lastCommitMs = 0;
  #sealedAt = -Infinity;
  #lookedAt = performance.now();

  constructor(parts: WorkerParts, assignment: Assignment) {
    this.#parts = parts;
    this.#assignment = assignment;
    this.#lanes = assignment.lanes;
    const topic = { name: assignment.scope.topic, topicId: assignment.scope.topicId };
    this.#front = parts.openReader(topic);
    this.#back = parts.openReader(topic);
    this.#chain = new CommitChain(async (batch) => await this.#commit(batch));
  }

  /**
   * Works until woken by a new assignment or by draining, and commits what it has by then.
   *
   * @throws the first error; nothing of this worker is in flight any more then, and progress says what is committed
   */
  async run(wake: AbortSignal): Promise<void> {
    try {
      this.#parts.keeper.expire();
      this.#parts.report.assigned(this.#lanes, this.#assignment.ends, this.#assignment.waiting);
      for (const lane of this.#lanes) if (this.#isForemost(lane)) this.#front.read(positionOf(lane));
      for (const partition of new Set(this.#lanes.map((lane) => lane.partition))) this.#readBack(partition);
      while (!wake.aborted) await this.#round(wake);
      await this.#sealAll();
      await this.#waitForCommits(0);
    } catch (error) {
      await this.#chain.atMost(0);
      for (const batch of this.#batches.values()) await batch.discard();
      this.#noteRefusal();
      throw this.#chain.failure?.error ?? error;
    } finally {
      this.#front.close();
      this.#back.close();
    }
  }

  async #round(wake: AbortSignal): Promise<void> {
    await this.#keepTime();
    const catchingUp = this.#lanes.some((lane) => !this.#isForemost(lane));
    const { blocks, ends } = await received(this.#front, catchingUp ? 0 : this.#waitMs(), wake);
    for (const end of ends) this.#ends.set(end.partition, end);
    for (const block of blocks)
      await this.#take(
        block,
        this.#lanes.findLast(({ partition }) => partition === block.partition),
      );
    if (catchingUp) await this.#catchUp(wake);
    await this.#sealDue();
    if (this.#chain.failure !== undefined) throw this.#chain.failure.error;
    this.#parts.report.seen(ends, this.#chain.length === 0 && this.#nothingOpen());
  }

  async #catchUp(wake: AbortSignal): Promise<void> {
    const { blocks } = await received(this.#back, WAIT_WITH_BATCH_MS, wake);
    for (const block of blocks) {
      const lane = this.#lanes.find(({ partition }) => partition === block.partition);
      if (lane !== undefined && !this.#isForemost(lane)) await this.#take(block, lane);
    }
  }

  #waitMs(): number {
    return this.#nothingOpen() ? WAIT_MS : WAIT_WITH_BATCH_MS;
  }

  #nothingOpen(): boolean {
    return [...this.#batches.values()].every((batch) => batch.empty);
  }

  async #take(block: RecordBlock, lane: Lane | undefined): Promise<void> {
    if (lane === undefined || block.nextOffset <= lane.offset) return;
    const first = block.offsets[0] ?? lane.offset;
    if (first < lane.offset)
      throw new LogMisread(`${block.topic}/${block.partition}: offset ${first} came after ${lane.offset}`);
    const limit = ceiling(lane, this.#lanes);
    const rows = { from: 0, to: limit === undefined ? block.count : rowsBefore(block, limit) };
    const next = limit === undefined ? block.nextOffset : Math.min(block.nextOffset, limit);
    if (lane.offset < (this.#parts.refused.get(block.partition) ?? 0))
      await this.#takeCarefully(lane, block, rows, next);
    else this.#replace(await this.#add(lane, { block, ...rows, nextOffset: next }));
    await this.#join(block.partition);
  }

  async #add(from: Lane, piece: Piece): Promise<Lane> {
    const batch = await this.#batch(from);
    if (isFull(batch.size(performance.now()))) await this.#sealAll();
    const lane = this.#now(from);
    const judgement = this.#judgement(lane);
    const { health } = this.#parts.context;
    return await beating(health, async () => await batch.add(lane, piece, judgement, performance.now()));
  }

  /** Commits the block in parts until each record that PostgreSQL refuses stands alone, and is buried. */
  async #takeCarefully(from: Lane, block: RecordBlock, rows: Rows, next: number): Promise<void> {
    await this.#sealAll();
    await this.#waitForCommits(0);
    let lane = this.#now(from);
    const nextOffset = (to: number): number => (to >= rows.to ? next : (block.offsets[to] ?? next));
    const finish = async (batch: OpenBatch, moved: Lane, rehearse: boolean): Promise<void> => {
      const sealed = await batch.seal(this.#parts.keeper.current);
      // Before the dead letter: what stands in the way of everything is no fault of this record.
      if (rehearse) await this.#parts.ledger.rehearse(this.#assignment.scope, sealed, this.#tablesOf(moved));
      await this.#commit(sealed);
      const judged = judgedAnew(moved, sealed.judgements);
      this.#replace(judged);
      lane = judged;
    };
    await commitAround(rows, {
      commit: async ({ from: first, to }) => {
        const batch = await this.#batch(lane);
        const piece = { block, from: first, to, nextOffset: nextOffset(to) };
        try {
          await finish(batch, await batch.add(lane, piece, this.#judgement(lane), performance.now()), false);
          return undefined;
        } catch (error) {
          if (!(error instanceof RowRefused)) throw error;
          return error.message;
        }
      },
      bury: async (row, detail) => {
        const batch = await this.#batch(lane);
        const piece = { block, from: row, to: row + 1, nextOffset: nextOffset(row + 1) };
        const letter = { partition: block.partition, record: block.original(row), reason: "RefusedByDatabase", detail };
        await finish(batch, batch.bury(lane, piece, letter, this.#judgement(lane), performance.now()), true);
      },
    });
    if (next >= (this.#parts.refused.get(block.partition) ?? 0)) this.#parts.refused.delete(block.partition);
  }

  #judgement(lane: Lane): Judgement {
    const foremost = this.#isForemost(lane);
    const { keeper, latePolicy } = this.#parts;
    const { current, floors } = keeper;
    const watermark = latePolicy === "DeadLetter" ? judgedBy(lane) : current;
    return { watermark: foremost ? watermark : null, floors, counts: foremost, policy: latePolicy };
  }

  #replace(moved: Lane): void {
    this.#lanes = this.#lanes.map((lane) => (isSame(lane, moved) ? moved : lane));
  }

  /** The lane as it is now: sealing changes by which watermark it judges. */
  #now(lane: Lane): Lane {
    return this.#lanes.find((other) => isSame(other, lane)) ?? lane;
  }

  /** A lane that has reached another one goes on with it. What both have computed so far is sealed first, in order. */
  async #join(partition: number): Promise<void> {
    const offsets = this.#lanes.filter((lane) => lane.partition === partition).map(({ offset }) => offset);
    if (new Set(offsets).size === offsets.length) return;
    await this.#sealAll();
    const names = this.#parts.tables.map(({ name }) => name);
    this.#lanes = joinLanes(this.#lanes, names);
    this.#readBack(partition);
    this.#parts.context.log.info({ partition }, "a table has caught up with the others");
  }

  /** Points the reader of what lies behind at the last lane of the partition, if that is not the foremost. */
  #readBack(partition: number): void {
    const last = this.#lanes.find((lane) => lane.partition === partition);
    if (last === undefined || this.#isForemost(last)) this.#back.drop(partition);
    else this.#back.read(positionOf(last));
  }

  #isForemost(lane: Lane): boolean {
    return isForemost(lane, this.#lanes);
  }

  async #sealDue(): Promise<void> {
    const lagging = this.#lanes.some(
      ({ partition, offset }) => offset < (this.#ends.get(partition)?.lastStableOffset ?? 0),
    );
    const now = performance.now();
    const open = [...this.#batches.values()].filter((batch) => !batch.empty);
    const moment = { lagging, lastCommitMs: this.#lastCommitMs, sinceSealMs: now - this.#sealedAt };
    if (!open.some((batch) => isDue(batch.size(now), moment))) return;
    // While one commits the next one grows, up to its bounds: that merges more, the slower commits are.
    if (this.#chain.length > 0 && !open.some((batch) => isFull(batch.size(now)))) return;
    await this.#sealAll();
  }

  /**
   * Seals every open batch, those of foremost lanes first: a lane behind is never committed past the one before it,
   * which alone sends the dead letters.
   */
  async #sealAll(): Promise<void> {
    const foremost = new Set(this.#lanes.filter((lane) => this.#isForemost(lane)).map(laneKey));
    const keys = [...this.#batches.keys()].sort((a, b) => Number(foremost.has(b)) - Number(foremost.has(a)));
    for (const key of keys) {
      const batch = this.#batches.get(key);
      if (batch === undefined || batch.empty) continue;
      await this.#waitForCommits(1);
      this.#sealedAt = performance.now();
      this.#parts.keeper.stir(this.#sealedAt);
      const sealed = await batch.seal(this.#parts.keeper.current);
      this.#lanes = this.#lanes.map((lane) => judgedAnew(lane, sealed.judgements));
      this.#chain.push(sealed);
    }
  }

  /** Waits until at most `count` batches are in flight. */
  async #waitForCommits(count: number): Promise<void> {
    await this.#chain.settled(count, () => this.#parts.context.health.beat());
  }

  async #commit(batch: SealedBatch): Promise<void> {
    const { context, deadLetters, ledger, report } = this.#parts;
    const attributes = { "caudal.events": batch.events, "caudal.tables": batch.deltas.length };
    await withSpan(context.tracer, "commit", { linkTo: batch.traceparents, attributes }, async () => {
      if (batch.letters.length > 0) await deadLetters.send(this.#assignment.scope, batch.letters);
      const began = performance.now();
      await ledger.commit(this.#assignment.scope, batch);
      this.#lastCommitMs = performance.now() - began;
      for (const { output, partition, to: offset } of batch.moves)
        this.#parts.memory.moved({ output, partition, offset });
      report.committed(batch, this.#lastCommitMs / 1000);
      this.#parts.publishOffsets(report.groupOffsets(batch.moves));
    });
  }

  async #keepTime(): Promise<void> {
    const { keeper, ledger, report, context } = this.#parts;
    const now = performance.now();
    context.health.beat();
    if (now - this.#lookedAt >= looksEvery(now - this.#sealedAt)) await this.#look(now);
    if (!keeper.isDue(now)) return;
    const { scope, partitionCount } = this.#assignment;
    await keeper.keep(ledger.control, scope, partitionCount, report.idleDue(now), now);
    report.publish();
    if (this.#parts.latePolicy === "DeadLetter") await this.#judgeAnew();
  }

  /** Without commits, too, it is noticed that the server has lost some, or that others have moved on. */
  async #look(now: number): Promise<void> {
    this.#lookedAt = now;
    const { ledger, memory } = this.#parts;
    const partitions = new Set(this.#lanes.map(({ partition }) => partition));
    await ledger.look(this.#assignment.scope, memory.of(partitions), this.#chain.length === 0);
  }

  /** Without commits, too, what comes is judged by the watermark of now: it is stored before it is used. */
  async #judgeAnew(): Promise<void> {
    const { keeper, ledger } = this.#parts;
    const { current } = keeper;
    if (current === null || this.#chain.length > 0 || !this.#nothingOpen()) return;
    const judgements = this.#lanes
      .filter((lane) => this.#isForemost(lane))
      .flatMap(({ partition, offset, tables }) =>
        tables
          .filter((table) => table.judgedBy === null || table.judgedBy < current)
          .map((table) => ({ output: table.table, partition, offset, from: table.judgedBy, to: current })),
      );
    if (judgements.length === 0) return;
    await ledger.control.query("judge", moveJudgements(this.#assignment.scope, judgements));
    this.#lanes = this.#lanes.map((lane) => judgedAnew(lane, judgements));
  }

  #noteRefusal(): void {
    const failure = this.#chain.failure;
    if (!(failure?.error instanceof RowRefused)) return;
    for (const { partition, to } of failure.batch.moves)
      this.#parts.refused.set(partition, Math.max(to, this.#parts.refused.get(partition) ?? 0));
  }

  #tablesOf(lane: Lane): readonly TablePlan[] {
    const names = new Set(lane.tables.map(({ table }) => table));
    return this.#parts.tables.filter(({ name }) => names.has(name));
  }

  async #batch(lane: Lane): Promise<OpenBatch> {
    const key = laneKey(lane);
    const open = this.#batches.get(key);
    if (open !== undefined) return open;
    const tables = this.#tablesOf(lane);
    const batch = new OpenBatch(await this.#parts.kernel(tables), tables);
    this.#batches.set(key, batch);
    return batch;
  }
}

/** A partition has one lane with these tables, wherever it stands. */
function isSame(one: Lane, other: Lane): boolean {
  return one.partition === other.partition && laneKey(one) === laneKey(other);
}

function judgedAnew(lane: Lane, judgements: readonly StoredJudgement[]): Lane {
  const tables = lane.tables.map((table) => {
    const anew = judgements.find(({ output, partition }) => output === table.table && partition === lane.partition);
    return anew === undefined ? table : { ...table, judgedBy: anew.to };
  });
  return { ...lane, tables };
}

function positionOf({ partition, offset, tables }: Lane) {
  return { partition, offset, epoch: Math.max(...tables.map(({ epoch }) => epoch)) };
}
