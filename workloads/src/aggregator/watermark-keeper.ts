/** Keeps the stage's watermark with the other replicas: what each stores of its partitions gives the one row. */
import type { Connection } from "../postgres/connection.ts";
import type { Definition } from "../postgres/core/table-decision.ts";
import { readMarks } from "../postgres/marks.ts";
import { confirmIdle, type MoveScope } from "../postgres/progress.ts";
import { moveWatermark, readWatermark } from "../postgres/watermarks.ts";
import { isIdle, partitionWatermark, type PartitionClock, stageWatermark } from "./core/watermark.ts";

export interface KeeperOptions {
  /** Tables that the stage writes; {@link WatermarkKeeper.serve} changes them. */
  readonly tables: readonly Definition[];
  readonly maxDelayMs: number;
  /** Tables whose final windows take no event; by how much an event is older that may not come, milliseconds. */
  readonly closing: ReadonlyMap<string, number>;
}

const EVERY_MS = 1_000;
/** Where nothing has changed for a while, nobody waits for a change. */
const AT_REST_AFTER_MS = 30_000;
const AT_REST_EVERY_MS = 3_000;

export class WatermarkKeeper {
  readonly #options: KeeperOptions;
  #tables: readonly Definition[];
  #current: number | null = null;
  #floors: ReadonlyMap<string, number> = new Map();
  #clocks: readonly PartitionClock[] = [];
  #readAt = -Infinity;
  #changedAt = -Infinity;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#tables = options.tables;
  }

  /** From now on the stage writes these tables: of those before, nothing is known any more. */
  serve(tables: readonly Definition[]): void {
    this.#tables = tables;
    this.#current = null;
    this.#floors = new Map();
    this.#clocks = [];
    this.expire();
  }

  /** The stage's watermark when it was last read, epoch milliseconds. */
  get current(): number | null {
    return this.#current;
  }

  /** By table, when it was last read: windows that end at or before it are not kept any more, or may not change. */
  get floors(): ReadonlyMap<string, number> {
    return this.#floors;
  }

  /** What was read may be wrong, or too old: it is read again at the next turn. */
  expire(): void {
    this.#readAt = -Infinity;
  }

  /** Something is committed: what is stored changes soon. */
  stir(now: number): void {
    this.#changedAt = now;
  }

  isDue(now: number): boolean {
    const every = now - this.#changedAt > AT_REST_AFTER_MS ? AT_REST_EVERY_MS : EVERY_MS;
    return now - this.#readAt >= every;
  }

  /** What is stored of a partition: its own watermark and whether it is idle. */
  partition(partition: number): { readonly watermark: number | null; readonly idle: boolean } {
    const clock = this.#clocks.find((candidate) => candidate.partition === partition);
    if (clock === undefined) return { watermark: null, idle: false };
    return { watermark: partitionWatermark(clock.maxEventTime, this.#options.maxDelayMs), idle: isIdle(clock) };
  }

  /**
   * Confirms our idle partitions, reads what all replicas stored, and moves the watermark when it may.
   *
   * @throws ProgressMoved when a table is not the stage's any more
   */
  async keep(
    control: Connection,
    scope: MoveScope,
    partitionCount: number,
    idle: readonly { readonly partition: number; readonly nextOffset: number }[],
    now: number,
  ): Promise<void> {
    this.#readAt = now;
    const { maxDelayMs } = this.#options;
    const tables = this.#tables;
    const outputs = tables.map(({ name }) => name);
    const marks = await readMarks(control, scope.owner, tables);
    if (idle.length > 0) await confirmIdle(control, scope, tables, idle);
    this.#floors = new Map(
      [...marks].flatMap(([table, { floor, final }]) => {
        const by = this.#options.closing.get(table);
        const closed = Math.max(floor ?? -Infinity, by === undefined || final === null ? -Infinity : final + by);
        return closed === -Infinity ? [] : [[table, closed]];
      }),
    );
    const stored = await readWatermark(control, scope.owner, scope.topic, outputs);
    if (stored.watermark !== this.#current || !sameTimes(stored.partitions, this.#clocks)) this.stir(now);
    this.#clocks = stored.partitions;
    this.#current = stored.watermark;
    const next = stageWatermark(stored.watermark, stored.partitions, partitionCount, maxDelayMs);
    if (next === null || next === stored.watermark) return;
    // Another replica may have moved it meanwhile: it is read again at the next turn.
    if (await moveWatermark(control, scope.owner, stored.watermark, next)) this.#current = next;
  }
}

/** Whether nothing has happened between two readings; how long ago idleness was confirmed changes all the time. */
function sameTimes(one: readonly PartitionClock[], other: readonly PartitionClock[]): boolean {
  return (
    one.length === other.length &&
    one.every((clock, index) => {
      const known = other[index];
      return (
        clock.partition === known?.partition &&
        clock.maxEventTime === known.maxEventTime &&
        isIdle(clock) === isIdle(known)
      );
    })
  );
}
