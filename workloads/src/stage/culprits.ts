/** Finds the records that an output refuses, by halving. */

/** Rows [from, to) of a block. */
export interface Rows {
  readonly from: number;
  readonly to: number;
}

export interface Steps<Refusal> {
  /** Commits the rows as they are. @returns the refusal, or undefined when they are committed */
  commit(rows: Rows): Promise<Refusal | undefined>;
  /** Commits past one row, with it in the dead letters. */
  bury(row: number, refusal: Refusal): Promise<void>;
}

/**
 * Commits all rows in order, burying those that are refused: a refused run is halved until one row is left. Each step
 * moves progress, so that a crash between two steps loses nothing.
 */
export async function commitAround<Refusal>(rows: Rows, steps: Steps<Refusal>): Promise<void> {
  const refusal = await steps.commit(rows);
  if (refusal === undefined) return;
  if (rows.to - rows.from <= 1) return await steps.bury(rows.from, refusal);
  const middle = rows.from + Math.ceil((rows.to - rows.from) / 2);
  await commitAround({ from: rows.from, to: middle }, steps);
  await commitAround({ from: middle, to: rows.to }, steps);
}
