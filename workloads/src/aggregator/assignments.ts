/** What the group gives this worker, as a value that changes. */
import { pause } from "../runtime/retry.ts";

export interface Current {
  readonly partitions: readonly number[];
  /** Aborted when the partitions are others. A rebalance that leaves them as they were does not end any work. */
  readonly changed: AbortSignal;
}

export class Assignments {
  #partitions: readonly number[] | undefined;
  #change = new AbortController();

  set(partitions: readonly number[]): void {
    if (this.#partitions !== undefined && same(this.#partitions, partitions)) return;
    this.#partitions = partitions;
    this.#change.abort();
    this.#change = new AbortController();
  }

  /** The partitions, once there are any or the group has said that there are none. @throws the signal's reason */
  async current(signal: AbortSignal): Promise<Current> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#partitions !== undefined) return { partitions: this.#partitions, changed: this.#change.signal };
      await pause(WAIT_MS, AbortSignal.any([signal, this.#change.signal])).catch(() => undefined);
    }
  }
}

const WAIT_MS = 60_000;

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
