/** The order in which stages run: each after all that write what it reads. */

export interface Node {
  readonly name: string;
  readonly reads: string;
  /** Topics. */
  readonly writes: readonly string[];
}

/** @param stages of a pipeline that was checked: one in which topics lead in a circle is refused before */
export function inOrder<T extends Node>(stages: readonly T[]): readonly T[] {
  const seen = new Set<T>();
  const ordered: T[] = [];
  const visit = (stage: T): void => {
    if (seen.has(stage)) return;
    seen.add(stage);
    for (const before of stages) if (before.writes.includes(stage.reads)) visit(before);
    ordered.push(stage);
  };
  for (const stage of stages) visit(stage);
  return ordered;
}
