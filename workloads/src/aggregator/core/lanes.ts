/**
 * A lane is the set of tables that stand at one offset of a partition: it reads the partition once for all of them. A
 * partition has one lane as a rule, and one more for a table that was added later and still catches up. Pure values.
 */

/** A table on a partition, as its progress says. */
export interface TablePlace {
  readonly table: string;
  readonly partition: number;
  readonly offset: number;
  /** Leader epoch that its progress stores, compared by its next commit. */
  readonly epoch: number;
  /** Watermark by which its events from the offset on are judged, as its progress says; null: by none. */
  readonly judgedBy: number | null;
}

export interface Lane {
  readonly partition: number;
  /** Where it reads on. */
  readonly offset: number;
  /** Its tables with what each table's progress stores, in the order of the plan. */
  readonly tables: readonly Pick<TablePlace, "table" | "epoch" | "judgedBy">[];
}

/** @param order names of the plan's tables in its order */
export function planLanes(places: readonly TablePlace[], order: readonly string[]): readonly Lane[] {
  return joinLanes(
    places.map(({ partition, offset, ...table }) => ({ partition, offset, tables: [table] })),
    order,
  );
}

/** Lanes at the same offset become one; sorted by partition, then offset. */
export function joinLanes(lanes: readonly Lane[], order: readonly string[]): readonly Lane[] {
  const joined = new Map<string, Lane>();
  for (const lane of lanes) {
    const key = `${lane.partition} ${lane.offset}`;
    const tables = [...(joined.get(key)?.tables ?? []), ...lane.tables].sort(
      (a, b) => order.indexOf(a.table) - order.indexOf(b.table),
    );
    joined.set(key, { partition: lane.partition, offset: lane.offset, tables });
  }
  return [...joined.values()].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** The watermark by which all of a lane's tables judge: the latest of theirs, which is what progress alone says too. */
export function judgedBy({ tables }: Pick<Lane, "tables">): number | null {
  const known = tables.flatMap((table) => table.judgedBy ?? []);
  return known.length === 0 ? null : Math.max(...known);
}

/** Lanes with the same tables share a kernel and a batch. */
export function laneKey(lane: Pick<Lane, "tables">): string {
  return lane.tables.map(({ table }) => table).join(" ");
}

/**
 * Whether the lane is the foremost of its partition. Only this one sends dead letters and takes late decisions: what
 * comes behind it repeats records that were judged before, for a table that takes everything until it has caught up.
 */
export function isForemost(lane: Lane, lanes: readonly Lane[]): boolean {
  return !lanes.some((other) => other.partition === lane.partition && other.offset > lane.offset);
}

/** Where the lane must stop to join the next one ahead; undefined for the foremost. */
export function ceiling(lane: Lane, lanes: readonly Lane[]): number | undefined {
  const ahead = lanes
    .filter((other) => other.partition === lane.partition && other.offset > lane.offset)
    .map(({ offset }) => offset);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}
