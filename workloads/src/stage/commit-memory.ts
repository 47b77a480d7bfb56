/**
 * What this process has committed, beside what progress says of it. A server whose replica lacked the last commits, or that
 * was put back from a backup, gives an earlier place: the difference is what was lost, and is done again.
 */
import type { Place } from "../postgres/look.ts";

/** Offsets of a partition that were committed and are not any more: [from, to). */
export interface Lost {
  readonly output: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** A place, and what tells it from that of an output of the same name that was begun anew. */
export interface StoredPlace extends Place {
  readonly incarnation: string;
}

export class CommitMemory {
  readonly #places = new Map<string, StoredPlace>();

  /** Takes what progress says now. @returns what of our commits it does not have */
  compare(stored: readonly StoredPlace[]): readonly Lost[] {
    return stored.flatMap((place) => {
      const key = keyOf(place);
      const known = this.#places.get(key);
      this.#places.set(key, place);
      if (known === undefined || known.incarnation !== place.incarnation || known.offset <= place.offset) return [];
      return [{ output: place.output, partition: place.partition, from: place.offset, to: known.offset }];
    });
  }

  /** A commit has moved the place. */
  moved(place: Place): void {
    const known = this.#places.get(keyOf(place));
    if (known !== undefined) this.#places.set(keyOf(place), { ...known, ...place });
  }

  /** Where the outputs were left on the partitions. */
  of(partitions: ReadonlySet<number>): readonly Place[] {
    return [...this.#places.values()].filter(({ partition }) => partitions.has(partition));
  }
}

function keyOf({ output, partition }: Pick<Place, "output" | "partition">): string {
  return `${partition} ${output}`;
}
