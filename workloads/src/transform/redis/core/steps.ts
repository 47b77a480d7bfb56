/** A batch cut into what one script does. */
import type { OutputBatch, OutputMove } from "../../output.ts";

/** One script does no more, so that others who use this Redis wait for milliseconds only. */
const ROWS_A_SCRIPT = 2_000;

/** Rows of each partition, in offset order. */
export function rowsByPartition({ count, partitions }: OutputBatch): ReadonlyMap<number, readonly number[]> {
  const rows = new Map<number, number[]>();
  for (let row = 0; row < count; row++) {
    const partition = partitions[row] as number;
    const own = rows.get(partition);
    if (own === undefined) rows.set(partition, [row]);
    else own.push(row);
  }
  return rows;
}

export interface Step {
  readonly step: OutputMove;
  readonly rows: readonly number[];
}

/** Cuts a move into steps of at most {@link ROWS_A_SCRIPT} rows each. @param rows of the partition, in offset order */
export function stepsOf(move: OutputMove, rows: readonly number[], offsets: Float64Array): readonly Step[] {
  const cuts = Array.from({ length: Math.max(1, Math.ceil(rows.length / ROWS_A_SCRIPT)) }, (_, i) => i * ROWS_A_SCRIPT);
  const offsetAt = (index: number): number => offsets[rows[index] as number] as number;
  return cuts.map((from, i) => {
    const next = cuts[i + 1];
    const step = {
      ...move,
      ...(from === 0 ? {} : { from: offsetAt(from), fromEpoch: move.toEpoch }),
      ...(next === undefined ? {} : { to: offsetAt(next) }),
    };
    return { step, rows: rows.slice(from, next) };
  });
}
