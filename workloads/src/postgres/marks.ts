/** What a table has let go of in event time, and the statement with which every commit respects it. */
import type { Connection, Statement } from "./connection.ts";

/** A table's place in event time, epoch milliseconds. */
export interface Marks {
  /** Windows that end here or before are no longer kept; null: all are. */
  readonly floor: number | null;
}

/** The oldest window that a commit writes to a table. */
export interface OldestWindow {
  readonly table: string;
  /** Where it ends, epoch milliseconds. */
  readonly end: number;
}

/** Makes the statement that keeps the floors where they are until the commit, and raises {@link WindowPassed} below one. */
export type CheckStatement = (oldest: readonly OldestWindow[]) => Statement;

export const checkFloors: CheckStatement = (oldest) => ({
  name: "check floors",
  text: "select caudal.check_floors($1, $2)",
  values: [oldest.map(({ table }) => table), oldest.map(({ end }) => end)],
});

/** The marks of tables, whoever moves them. */
export async function readMarks(
  connection: Connection,
  tables: readonly string[],
): Promise<ReadonlyMap<string, Marks>> {
  const { rows } = await connection.query<{ table_name: string; floor: string | null }>("read marks", {
    name: "read marks",
    text: `select table_name, floor(extract(epoch from floor) * 1000) as floor
      from caudal.claims where table_name = any($1::text[])`,
    values: [tables],
  });
  return new Map(rows.map(({ table_name, floor }) => [table_name, { floor: floor === null ? null : Number(floor) }]));
}
