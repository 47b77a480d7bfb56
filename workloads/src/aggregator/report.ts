/** What is said of the work after it is committed: metrics, /status and the group's offsets for lag tools. */
import type { PartitionEnd } from "../kafka/record-block.ts";
import type { Move } from "../postgres/progress.ts";
import type { RuntimeContext } from "../runtime/role.ts";
import type { SealedBatch } from "./batch.ts";
import { IdleWatch } from "./core/idle.ts";
import type { Lane } from "./core/lanes.ts";
import { secondsOf, UndecidedWatch } from "../stage/core/undecided.ts";
import type { Trouble } from "../stage/trouble.ts";
import type { WatermarkKeeper } from "./watermark-keeper.ts";

/** Where the tables of one owned partition stand in PostgreSQL. */
interface Committed {
  readonly byTable: Map<string, number>;
  /** From where on a table waits that may not be written. */
  readonly waiting: number | undefined;
  end: number | undefined;
}

export class Report {
  readonly #context: Pick<RuntimeContext, "metrics" | "health">;
  readonly #topic: string;
  readonly #keeper: WatermarkKeeper;
  readonly #trouble: Trouble;
  readonly #idle: IdleWatch;
  readonly #undecided = new UndecidedWatch();
  readonly #partitions = new Map<number, Committed>();

  constructor(
    context: Pick<RuntimeContext, "metrics" | "health">,
    options: { readonly topic: string; readonly idleTimeoutMs: number },
    keeper: WatermarkKeeper,
    trouble: Trouble,
  ) {
    this.#trouble = trouble;
    this.#context = context;
    this.#topic = options.topic;
    this.#keeper = keeper;
    this.#idle = new IdleWatch(options.idleTimeoutMs);
    this.forget();
  }

  /** Where the tables stand is not known, or not any more: neither is what waits. */
  forget(): void {
    this.#partitions.clear();
    this.#context.metrics.lag.reset();
    this.#context.health.setPartitions([], `it has not been read yet where the tables stand in ${this.#topic}`);
  }

  /** The partitions that are to be worked on: what is known of others, or of too few, is no longer of use. */
  expects(partitions: readonly number[]): void {
    const known = partitions.every((partition) => this.#partitions.has(partition));
    if (!known || partitions.length !== this.#partitions.size) this.forget();
  }

  /** Those whose place is known. */
  get partitions(): readonly number[] {
    return [...this.#partitions.keys()];
  }

  /** Where partitions end, asked whether or not anything is read: what waits is measured, not what was known last. */
  ended(ends: ReadonlyMap<number, number>): void {
    for (const [partition, end] of ends) {
      const committed = this.#partitions.get(partition);
      if (committed !== undefined) committed.end = Math.max(end, committed.end ?? 0);
    }
    if (this.#partitions.size > 0) this.publish();
  }

  /**
   * Begins with what progress says of the assigned partitions.
   *
   * @param ends where the broker says that they end for committed reads
   * @param waiting by partition, from where on a table waits that may not be written: it counts as lag
   */
  assigned(
    lanes: readonly Lane[],
    ends: ReadonlyMap<number, number>,
    waiting: ReadonlyMap<number, number> = new Map(),
  ): void {
    this.#begin();
    for (const { partition, offset, tables } of lanes) {
      const committed = this.#partitions.get(partition) ?? {
        byTable: new Map<string, number>(),
        waiting: waiting.get(partition),
        end: ends.get(partition),
      };
      for (const { table } of tables) committed.byTable.set(table, offset);
      this.#partitions.set(partition, committed);
    }
    this.publish();
  }

  /** No partition is ours, and nobody else reads them: what waits is told all the same. */
  standsBy(waiting: ReadonlyMap<number, number>, ends: ReadonlyMap<number, number>): void {
    this.#begin();
    for (const [partition, offset] of waiting)
      this.#partitions.set(partition, { byTable: new Map(), waiting: offset, end: ends.get(partition) });
    this.publish();
  }

  #begin(): void {
    this.#partitions.clear();
    this.#idle.forget();
    this.#undecided.forget();
    this.#context.metrics.lag.reset();
    this.#context.metrics.watermark.reset();
    this.#context.metrics.undecided.reset();
  }

  /**
   * The broker said where partitions end.
   *
   * @param settled whether all that was read is committed
   */
  seen(ends: readonly PartitionEnd[], settled: boolean): void {
    if (settled && ends.length > 0) this.#trouble.clear();
    for (const end of ends) {
      const { partition, lastStableOffset, askedAt } = end;
      const committed = this.#partitions.get(partition);
      if (committed === undefined) continue;
      this.#undecided.observe(end, Math.round(performance.timeOrigin + askedAt));
      committed.end = lastStableOffset;
      this.#idle.observe(partition, Math.min(...committed.byTable.values()), lastStableOffset, askedAt);
    }
  }

  /** A batch is committed: only now do its numbers count. */
  committed(batch: SealedBatch, seconds: number): void {
    const { metrics, health } = this.#context;
    for (const { partition, output, to } of batch.moves) this.#partitions.get(partition)?.byTable.set(output, to);
    this.#trouble.clear();
    metrics.batches.inc();
    metrics.commitSeconds.observe(seconds);
    metrics.events.inc({ topic: this.#topic }, batch.events);
    for (const [table, count] of batch.late) metrics.lateEvents.inc({ table }, count);
    for (const [table, count] of batch.expired) metrics.expiredEvents.inc({ table }, count);
    for (const { reason } of batch.letters) metrics.deadLetters.inc({ reason });
    const letters = batch.letters.map(({ reason }) => reason);
    health.count({ events: batch.events, letters, lateEvents: batch.lateEvents });
    this.publish();
  }

  /** Idle partitions that are to be confirmed now. */
  idleDue(now: number): readonly { readonly partition: number; readonly nextOffset: number }[] {
    return this.#idle.takeDue(now);
  }

  /** Offsets to store with the group for lag tools: of the slowest table, as lag is. */
  groupOffsets(moves: readonly Move[]): readonly { readonly partition: number; readonly offset: number }[] {
    return [...new Set(moves.map(({ partition }) => partition))].flatMap((partition) => {
      const committed = this.#partitions.get(partition);
      return committed === undefined ? [] : [{ partition, offset: slowest(committed) }];
    });
  }

  /** Renews gauges and /status. */
  publish(): void {
    const { metrics, health } = this.#context;
    const partitions = [...this.#partitions].sort(([a], [b]) => a - b);
    health.setPartitions(
      partitions.map(([partition, committed]) => {
        const { end } = committed;
        const nextOffset = slowest(committed);
        const { watermark, idle } = this.#keeper.partition(partition);
        const labels = { topic: this.#topic, partition: String(partition) };
        metrics.lag.set(labels, Math.max(0, (end ?? nextOffset) - nextOffset));
        if (watermark !== null) metrics.watermark.set(labels, watermark / 1000);
        const undecided = this.#undecided.of(partition);
        metrics.undecided.set(labels, secondsOf(undecided, performance.timeOrigin + performance.now()));
        return {
          topic: this.#topic,
          partition,
          nextOffset,
          endOffset: end ?? nextOffset,
          ...(watermark === null ? {} : { watermark }),
          idle,
          ...(undecided === undefined ? {} : { undecided }),
        };
      }),
    );
  }
}

function slowest({ byTable, waiting }: Committed): number {
  return Math.min(...byTable.values(), waiting ?? Infinity);
}
