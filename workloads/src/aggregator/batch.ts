/** What is merged in memory between two commits: results of unbroken runs of offsets, and what goes with them. */
import type { AggregatorConfig } from "@caudal/crds";
import type { RecordBlock } from "../kafka/record-block.ts";
import type { Judgement as StoredJudgement, Move } from "../postgres/progress.ts";
import type { Delta } from "../kernel/delta.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { BlockResult, TablePlan } from "@caudal/pipeline/sql";
import type { BatchSize } from "../stage/core/bounds.ts";
import { type Letter, letterBytes } from "../stage/letter.ts";
import type { Piece } from "../stage/ports.ts";
import type { Lane } from "./core/lanes.ts";

/** What a batch needs of the kernel. */
export type BatchKernel = Pick<Kernel, "add" | "take" | "discard" | "pendingRows" | "pendingBytes">;

export interface SealedBatch {
  readonly deltas: readonly Delta[];
  readonly moves: readonly Move[];
  /** What is stored for those who read on, where late events go to the dead letters. */
  readonly judgements: readonly StoredJudgement[];
  readonly letters: readonly Letter[];
  /** Events that count in some table; late ones that a policy leaves out are not among them. */
  readonly events: number;
  /** Late events by table. */
  readonly late: ReadonlyMap<string, number>;
  readonly lateEvents: number;
  /** By table, events that were left out because the table no longer keeps their window. */
  readonly expired: ReadonlyMap<string, number>;
  readonly traceparents: readonly string[];
}

export interface Judgement {
  /** Watermark that decides what is late; null: nothing is. */
  readonly watermark: number | null;
  /** By table: windows that end at or before it are no longer kept. */
  readonly floors: ReadonlyMap<string, number>;
  /** Whether dead letters are sent and counts are kept: only the foremost lane's are. */
  readonly counts: boolean;
  /** What becomes of events that come too late. */
  readonly policy: AggregatorConfig["lateEvents"];
}

/** Why an event is left out: under Update, late events count in their row while the table keeps it. */
const LEFT_OUT = {
  DeadLetter: { reason: "LateEvent", detail: "the watermark had passed the end of its window" },
  Update: { reason: "RetentionPassed", detail: "its window is older than what the table keeps" },
} as const;

const MAX_LINKS = 128;

export class OpenBatch {
  readonly #kernel: BatchKernel;
  readonly #tables: readonly TablePlan[];
  readonly #moves = new Map<string, Move>();
  /** By key of the move, the watermark by which it is judged, where that is stored. */
  readonly #judged = new Map<string, number | null>();
  readonly #late = new Map<string, number>();
  readonly #expired = new Map<string, number>();
  readonly #traceparents = new Set<string>();
  #letters: Letter[] = [];
  #records = 0;
  #events = 0;
  #lateEvents = 0;
  #letterBytes = 0;
  #since: number | undefined;

  constructor(kernel: BatchKernel, tables: readonly TablePlan[]) {
    this.#kernel = kernel;
    this.#tables = tables;
  }

  get empty(): boolean {
    return this.#moves.size === 0;
  }

  size(now: number): BatchSize {
    return {
      rows: this.#kernel.pendingRows,
      bytes: this.#kernel.pendingBytes + this.#letterBytes,
      ageMs: this.#since === undefined ? 0 : now - this.#since,
    };
  }

  /** Computes a piece of a block and notes its move. @returns the lane where it stands after it */
  async add(lane: Lane, piece: Piece, judgement: Judgement, now: number): Promise<Lane> {
    const { block, from, to } = piece;
    const { watermark, floors } = judgement;
    const result = to > from ? await this.#kernel.add(block, { watermark, floors, from, to }) : nothing;
    if (judgement.counts) this.#judge(block, result, judgement);
    // Without a watermark, or under Update, nothing but the floor leaves events out.
    if (watermark === null || judgement.policy === "Update")
      for (const table of result.late.flatMap(({ tables }) => tables)) increase(this.#expired, table, 1);
    this.#records += to - from;
    this.#since ??= now;
    for (const parent of block.traceparents) if (this.#traceparents.size < MAX_LINKS) this.#traceparents.add(parent);
    return this.#move(lane, piece, result.maxEventTime, judgement);
  }

  /** Moves past one record that no table takes, with it in the dead letters. */
  bury(lane: Lane, piece: Piece, letter: Letter, judgement: Judgement, now: number): Lane {
    this.#addLetter(letter);
    this.#since ??= now;
    return this.#move(lane, piece, null, judgement);
  }

  /**
   * Takes everything out; the batch is empty then and can be filled again.
   *
   * @param watermark by which what follows is to be judged
   */
  async seal(watermark: number | null): Promise<SealedBatch> {
    const sealed: SealedBatch = {
      deltas: this.#records > 0 ? await this.#kernel.take() : [],
      moves: [...this.#moves.values()].sort((a, b) => a.partition - b.partition || order(a.output, b.output)),
      judgements: [...this.#judged].flatMap(([key, from]) => {
        const move = this.#moves.get(key);
        if (move === undefined) return [];
        const { output, partition, to: offset } = move;
        return [{ output, partition, offset, from, to: later(from, watermark) }];
      }),
      letters: this.#letters,
      events: this.#events,
      late: new Map(this.#late),
      expired: new Map(this.#expired),
      lateEvents: this.#lateEvents,
      traceparents: [...this.#traceparents],
    };
    this.#reset();
    return sealed;
  }

  async discard(): Promise<void> {
    this.#reset();
    await this.#kernel.discard();
  }

  #reset(): void {
    this.#moves.clear();
    this.#judged.clear();
    this.#late.clear();
    this.#expired.clear();
    this.#traceparents.clear();
    this.#letters = [];
    this.#records = this.#events = this.#lateEvents = this.#letterBytes = 0;
    this.#since = undefined;
  }

  #judge(block: RecordBlock, result: BlockResult, { policy }: Judgement): void {
    this.#events += result.accepted;
    for (const { row, reason, detail } of result.bad)
      this.#addLetter({ partition: block.partition, record: block.original(row), reason, detail });
    for (const { table, late } of result.tables) increase(this.#late, table, late);
    // An event may be late for some tables only: the largest count is the least number of events that were.
    this.#lateEvents += Math.max(0, ...result.tables.map(({ late }) => late));
    if (policy === "Drop") return;
    for (const { row, tables } of result.late)
      this.#addLetter({ partition: block.partition, record: block.original(row), ...LEFT_OUT[policy], tables });
  }

  #addLetter(letter: Letter): void {
    this.#letters.push(letter);
    this.#letterBytes += letterBytes(letter);
  }

  #move(lane: Lane, { block, nextOffset }: Piece, maxEventTime: number | null, judgement: Judgement): Lane {
    const stored = judgement.counts && judgement.policy === "DeadLetter";
    const tables = lane.tables.map(({ table, epoch, judgedBy }) => {
      const toEpoch = block.leaderEpoch < 0 ? epoch : block.leaderEpoch;
      const key = `${lane.partition} ${table}`;
      const earlier = this.#moves.get(key);
      this.#moves.set(key, {
        output: table,
        plan: this.#tables.find(({ name }) => name === table)?.hash ?? "",
        partition: lane.partition,
        from: earlier?.from ?? lane.offset,
        to: nextOffset,
        fromEpoch: earlier?.fromEpoch ?? epoch,
        toEpoch,
        maxEventTime: later(earlier?.maxEventTime ?? null, maxEventTime),
      });
      if (stored && !this.#judged.has(key)) this.#judged.set(key, judgedBy);
      return { table, epoch: toEpoch, judgedBy };
    });
    return { partition: lane.partition, offset: nextOffset, tables };
  }
}

const nothing: BlockResult = { accepted: 0, bad: [], late: [], tables: [], maxEventTime: null };

function increase(counts: Map<string, number>, table: string, by: number): void {
  counts.set(table, (counts.get(table) ?? 0) + by);
}

function later(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
