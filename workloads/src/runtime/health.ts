/** What a workload says of itself: alive, ready, and the stage's status that the operator asks for. */
import type { StageState, StageStatus } from "@caudal/crds";

type PartitionStatus = StageStatus["partitions"][number];

/** A heartbeat older than this says that the main loop hangs. Back-off loops beat too, so outages never look like it. */
export const HEARTBEAT_LIMIT_MS = 60_000;

export interface Counts {
  readonly events?: number;
  readonly deadLetters?: number;
  readonly lateEvents?: number;
}

export class Health {
  readonly #generation: number;
  readonly #now: () => number;
  #heartbeat: number;
  #ready = false;
  #why = "starting";
  #state: StageState = "Starting";
  readonly #errors = new Map<string, NonNullable<StageStatus["error"]>>();
  #partitions: readonly PartitionStatus[] = [];
  #counts = { events: 0, deadLetters: 0, lateEvents: 0 };

  /** @param now epoch milliseconds */
  constructor(generation: number, now: () => number = Date.now) {
    this.#generation = generation;
    this.#now = now;
    this.#heartbeat = now();
  }

  /** The main loop went round, or waits in back-off for something outside. */
  beat(): void {
    this.#heartbeat = this.#now();
  }

  /** @param why shown by /readyz while not ready */
  setReady(ready: boolean, why: string): void {
    this.#ready = ready;
    this.#why = why;
  }

  /** Draining and Failed are not left again: the process is about to end. */
  setState(state: StageState): void {
    if (this.#state === "Failed" || (this.#state === "Draining" && state !== "Failed")) return;
    this.#state = state;
  }

  /**
   * An error that stands until {@link clearError}; of the same one, the time of the first stays.
   *
   * @param work what it stands in the way of: several kinds of work may go on side by side
   */
  setError(reason: string, message: string, work = "main"): void {
    const known = this.#errors.get(work);
    if (known?.reason !== reason || known.message !== message)
      this.#errors.set(work, { reason, message, at: this.#now() });
  }

  clearError(work = "main"): void {
    this.#errors.delete(work);
  }

  /** The partitions that this process owns now, all of them. */
  setPartitions(partitions: readonly PartitionStatus[]): void {
    this.#partitions = partitions;
  }

  /** Adds to the totals since the process began; after a commit or an acknowledgement, never before. */
  count(counts: Counts): void {
    this.#counts.events += counts.events ?? 0;
    this.#counts.deadLetters += counts.deadLetters ?? 0;
    this.#counts.lateEvents += counts.lateEvents ?? 0;
  }

  live(): { readonly ok: boolean; readonly message: string } {
    const age = this.#now() - this.#heartbeat;
    const ok = age <= HEARTBEAT_LIMIT_MS;
    return { ok, message: ok ? "alive" : `the main loop last went round ${Math.round(age / 1000)} s ago` };
  }

  ready(): { readonly ok: boolean; readonly message: string } {
    const ended = this.#state === "Draining" || this.#state === "Failed";
    const ok = this.#ready && !ended && this.live().ok;
    return { ok, message: ok ? "ready" : ended ? this.#state.toLowerCase() : this.#why };
  }

  status(): StageStatus {
    const error = this.#errors.get("main") ?? [...this.#errors.values()][0];
    return {
      generation: this.#generation,
      state: this.#state,
      heartbeat: this.#heartbeat,
      ...this.#counts,
      partitions: [...this.#partitions],
      ...(error === undefined ? {} : { error }),
    };
  }
}
