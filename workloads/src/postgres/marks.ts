/** What a table has let go of in event time, and the statement with which every commit respects it. */
import type { Connection, Statement } from "./connection.ts";
import type { Definition, Owner } from "./core/table-decision.ts";
import { ProgressMoved } from "./errors.ts";

/** A table's place in event time, epoch milliseconds. */
export interface Marks {
  /** Windows that end here or before are no longer kept; null: all are. */
  readonly floor: number | null;
  /** Windows that end here or before are final; null: none is. */
  readonly final: number | null;
}

/** The oldest windows that a commit writes to a table; where they end, epoch milliseconds. */
export interface OldestWindows {
  readonly table: string;
  readonly end: number;
  /** Of those that the commit takes for open; null: of no matter, for nothing is final, or all that is written is a revision. */
  readonly openEnd: number | null;
  /** Whether changes of final windows are sent as revisions. */
  readonly revises: boolean;
}

/**
 * Makes the statement that keeps the marks where they are until the commit. It raises {@link WindowPassed} for a window
 * that is over, and {@link FinalMoved} for one whose changes have become revisions.
 */
export type CheckStatement = (oldest: readonly OldestWindows[]) => Statement;

export const checkWindows: CheckStatement = (oldest) => ({
  name: "check windows",
  text: "select caudal.check_windows($1, $2, $3, $4)",
  values: [
    oldest.map(({ table }) => table),
    oldest.map(({ end }) => end),
    oldest.map(({ openEnd }) => openEnd),
    oldest.map(({ revises }) => revises),
  ],
});

/**
 * The marks of tables, whoever moves them.
 *
 * @throws ProgressMoved when a table is not the owner's any more, or of another definition
 */
export async function readMarks(
  connection: Connection,
  owner: Owner,
  tables: readonly Definition[],
): Promise<ReadonlyMap<string, Marks>> {
  const { rows } = await connection.query<{ table_name: string; floor: string | null; final: string | null }>(
    "read marks",
    {
      name: "read marks",
      text: `select c.table_name, floor(extract(epoch from c.floor) * 1000) as floor,
          floor(extract(epoch from c.final) * 1000) as final
        from unnest($4::text[], $5::text[]) as t(name, plan) join caudal.claims c on c.table_name = t.name and c.plan = t.plan
        where c.pipeline = $1 and c.stage = $2 and c.uid = $3`,
      values: [
        ...[owner.pipeline, owner.stage, owner.uid],
        tables.map(({ name }) => name),
        tables.map(({ hash }) => hash),
      ],
    },
  );
  const marks = new Map(
    rows.map(({ table_name, floor, final }) => [
      table_name,
      { floor: numberOrNull(floor), final: numberOrNull(final) },
    ]),
  );
  const lost = tables.find(({ name }) => !marks.has(name));
  if (lost !== undefined)
    throw new ProgressMoved(`table ${lost.name} was forgotten, or has another definition now: looking again`);
  return marks;
}

function numberOrNull(text: string | null): number | null {
  return text === null ? null : Number(text);
}
