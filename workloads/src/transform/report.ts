/** What is said of an output's work after it is committed: metrics and its part of /status. */
import type { StageStatus } from "@caudal/crds";
import type { PartitionEnd } from "../kafka/record-block.ts";
import type { Health } from "../runtime/health.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { secondsOf, type Undecided, UndecidedWatch } from "../stage/core/undecided.ts";
import type { Position } from "../stage/ports.ts";
import type { Trouble } from "../stage/trouble.ts";
import type { SealedBatch } from "./batch.ts";

interface Place {
  readonly nextOffset: number;
  readonly endOffset: number;
  readonly undecided?: Undecided;
}

/** The outputs of a stage together: each partition stands where the slowest of them stands. */
export class StageReport {
  readonly metrics: Metrics;
  readonly health: Health;
  readonly topic: string;
  readonly #outputs = new Map<string, ReadonlyMap<number, Place>>();
  /** Outputs that have not told yet where they stand: until then nothing is known of the stage's lag. */
  readonly #untold: Set<string>;

  /** @param outputs names of all of them */
  constructor(
    context: { readonly metrics: Metrics; readonly health: Health },
    topic: string,
    outputs: readonly string[],
  ) {
    this.metrics = context.metrics;
    this.health = context.health;
    this.topic = topic;
    this.#untold = new Set(outputs);
    this.#show();
  }

  /** An output does not know any more where it stands. */
  forget(output: string): void {
    const { metrics, topic } = this;
    for (const partition of this.#outputs.get(output)?.keys() ?? [])
      metrics.outputLag.remove({ output, topic, partition: String(partition) });
    this.#outputs.delete(output);
    this.#untold.add(output);
    this.#show();
  }

  publish(output: string, places: ReadonlyMap<number, Place>): void {
    const { metrics, topic } = this;
    for (const partition of this.#outputs.get(output)?.keys() ?? [])
      if (!places.has(partition)) metrics.outputLag.remove({ output, topic, partition: String(partition) });
    for (const [partition, place] of places)
      metrics.outputLag.set({ output, topic, partition: String(partition) }, lagOf(place));
    this.#outputs.set(output, places);
    this.#untold.delete(output);
    this.#show();
  }

  #show(): void {
    const { metrics, health, topic } = this;
    const slowest = new Map<number, Place>();
    for (const [partition, place] of [...this.#outputs.values()].flatMap((all) => [...all])) {
      const known = slowest.get(partition);
      if (known === undefined || known.nextOffset > place.nextOffset) slowest.set(partition, place);
    }
    metrics.lag.reset();
    metrics.undecided.reset();
    for (const [partition, place] of slowest) {
      const labels = { topic, partition: String(partition) };
      if (this.#untold.size === 0) metrics.lag.set(labels, lagOf(place));
      metrics.undecided.set(labels, secondsOf(place.undecided, performance.timeOrigin + performance.now()));
    }
    health.setPartitions(
      [...slowest]
        .sort(([a], [b]) => a - b)
        .map(([partition, place]): StageStatus["partitions"][number] => ({ topic, partition, ...place, idle: false })),
      this.#untold.size === 0
        ? undefined
        : `output ${[...this.#untold].join(", ")} has not read yet where it stands in ${topic}`,
    );
  }
}

function lagOf({ nextOffset, endOffset }: Place): number {
  return Math.max(0, endOffset - nextOffset);
}

export class Report {
  readonly #stage: StageReport;
  readonly #output: string;
  readonly #counts: boolean;
  readonly #trouble: Trouble;
  readonly #places = new Map<number, { nextOffset: number; endOffset: number }>();
  readonly #undecided = new UndecidedWatch();

  /** @param counts whether the stage's events are counted here: each is read once an output */
  constructor(stage: StageReport, output: string, counts: boolean, trouble: Trouble) {
    this.#stage = stage;
    this.#output = output;
    this.#counts = counts;
    this.#trouble = trouble;
  }

  /**
   * Begins with what the output's progress says.
   *
   * @param ends where the broker says that the partitions end for committed reads
   */
  assigned(positions: readonly Position[], ends: ReadonlyMap<number, number>): void {
    this.#places.clear();
    this.#undecided.forget();
    for (const { partition, offset } of positions)
      this.#places.set(partition, { nextOffset: offset, endOffset: Math.max(offset, ends.get(partition) ?? 0) });
    this.#publish();
  }

  /** The partitions that are to be worked on: what is known of others, or of too few, is no longer of use. */
  expects(partitions: readonly number[]): void {
    if (partitions.length === this.#places.size && partitions.every((partition) => this.#places.has(partition))) return;
    this.#places.clear();
    this.#stage.forget(this.#output);
  }

  /** Of what is known of: partitions of which nothing has been read for a while. */
  get partitions(): readonly number[] {
    return [...this.#places.keys()];
  }

  /** Where partitions end, asked while nothing is read: what waits is measured, not what was known last. */
  ended(ends: ReadonlyMap<number, number>): void {
    for (const [partition, end] of ends) {
      const place = this.#places.get(partition);
      if (place !== undefined) place.endOffset = Math.max(end, place.nextOffset);
    }
    if (this.#places.size > 0) this.#publish();
  }

  /** No partition is ours: what waits is told where nobody else can, by partition. */
  standsBy(waiting: ReadonlyMap<number, number>, ends: ReadonlyMap<number, number>): void {
    this.#places.clear();
    this.#undecided.forget();
    for (const [partition, nextOffset] of waiting)
      this.#places.set(partition, { nextOffset, endOffset: Math.max(nextOffset, ends.get(partition) ?? nextOffset) });
    this.#publish();
  }

  /** @param settled whether all that was read is committed */
  seen(ends: readonly PartitionEnd[], settled: boolean): void {
    if (settled && ends.length > 0) this.#trouble.clear();
    for (const end of ends) {
      const place = this.#places.get(end.partition);
      if (place === undefined) continue;
      place.endOffset = Math.max(end.lastStableOffset, place.nextOffset);
      this.#undecided.observe(end, Math.round(performance.timeOrigin + end.askedAt));
    }
    if (ends.length > 0) this.#publish();
  }

  /** A batch is committed: only now do its numbers count. */
  committed({ rows, letters, events }: SealedBatch, seconds: number): void {
    const { metrics, health, topic } = this.#stage;
    for (const { partition, to } of rows.moves) {
      const place = this.#places.get(partition);
      if (place !== undefined) Object.assign(place, { nextOffset: to, endOffset: Math.max(to, place.endOffset) });
    }
    this.#trouble.clear();
    metrics.batches.inc();
    metrics.commitSeconds.observe(seconds);
    metrics.outputRows.inc({ output: this.#output }, rows.count);
    for (const { reason } of letters) metrics.deadLetters.inc({ reason });
    health.count({ events: this.#counts ? events : 0, letters: letters.map(({ reason }) => reason) });
    if (this.#counts) metrics.events.inc({ topic }, events);
    this.#publish();
  }

  #publish(): void {
    const now = [...this.#places].map(([partition, place]): [number, Place] => {
      const undecided = this.#undecided.of(partition);
      return [partition, { ...place, ...(undecided === undefined ? {} : { undecided }) }];
    });
    this.#stage.publish(this.#output, new Map(now));
  }
}
