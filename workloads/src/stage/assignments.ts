/** What the group gives this worker, as a value that changes. */
import type { Member } from "../kafka/group.ts";
import { pause } from "../runtime/retry.ts";

export interface Current {
  readonly partitions: readonly number[];
  /** Who has them, where that matters. */
  readonly assignee: Member | undefined;
  /** Aborted when the partitions are others, or someone else's. A rebalance that leaves them as they were does not end any work. */
  readonly changed: AbortSignal;
}

export class Assignments {
  #partitions: readonly number[] | undefined;
  #assignee: Member | undefined;
  #change = new AbortController();

  /** @param assignee given where what is written is guarded by it: each generation is then another assignment */
  set(partitions: readonly number[], assignee?: Member): void {
    const unchanged = this.#partitions !== undefined && same(this.#partitions, partitions);
    if (unchanged && assignee?.generation === this.#assignee?.generation) return;
    this.#partitions = partitions;
    this.#assignee = assignee;
    this.#change.abort();
    this.#change = new AbortController();
  }

  /** Nothing is assigned any more, and nothing is known: the group was left. */
  forget(): void {
    if (this.#partitions === undefined) return;
    this.#partitions = undefined;
    this.#assignee = undefined;
    this.#change.abort();
    this.#change = new AbortController();
  }

  /** The partitions, once there are any or the group has said that there are none. @throws the signal's reason */
  async current(signal: AbortSignal): Promise<Current> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#partitions !== undefined)
        return { partitions: this.#partitions, assignee: this.#assignee, changed: this.#change.signal };
      await pause(WAIT_MS, AbortSignal.any([signal, this.#change.signal])).catch(() => undefined);
    }
  }
}

const WAIT_MS = 60_000;

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
