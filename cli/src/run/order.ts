/** The order in which stages run: each after all that write what it reads. */
import { NotSupported } from "../errors.ts";

export interface Node {
  readonly name: string;
  readonly reads: string;
  /** Topics. */
  readonly writes: readonly string[];
}

/** @throws NotSupported for stages that read, by way of others, what they write */
export function inOrder<T extends Node>(stages: readonly T[]): readonly T[] {
  const ordered: T[] = [];
  let left = [...stages];
  while (left.length > 0) {
    const open = new Set(left.flatMap(({ writes }) => writes));
    const ready = left.filter(({ reads }) => !open.has(reads));
    if (ready.length === 0)
      throw new NotSupported(
        `the stages ${left.map(({ name }) => name).join(", ")} read what they write, by way of each other: on a file that never ends; leave one of them out`,
      );
    ordered.push(...ready);
    left = left.filter((stage) => !ready.includes(stage));
  }
  return ordered;
}
