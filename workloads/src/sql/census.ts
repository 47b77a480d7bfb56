/** What is in the tables before they are computed: one look at all events. */
import type { DuckDB } from "./duckdb.ts";
import type { TableColumns } from "./evaluation.ts";
import { TIME } from "./event-columns.ts";
import { isText } from "./types.ts";
import { lastEnd } from "./windows.ts";

/** Events of one table. */
export interface TableCensus {
  /** Events for which the table's condition holds. */
  readonly events: number;
  /** Those of them for which the last window that holds them has ended. */
  readonly late: number;
  /** Bytes of text in their groups and results together. */
  readonly textBytes: number;
  /** Bytes of the longest group key's texts. */
  readonly longestKey: number;
}

/** DuckDB expression: bytes of the texts in an event's group key, null when no group is text. */
export function keyBytes({ table, groups }: TableColumns): string | null {
  return sumOfLengths(groups.filter((_, index) => isText(table.groups[index]?.duckdbType ?? "")));
}

/** DuckDB condition: the event comes too late for the table. */
export function isLate({ table }: TableColumns, watermark: number | null): string {
  return watermark === null ? "false" : `${lastEnd(TIME, table)} <= ${Math.floor(watermark * 1000)}`;
}

/**
 * @param source the table that holds the columns
 * @param watermark milliseconds; null: nothing is late
 * @returns one entry a table
 */
export async function takeCensus(
  duckdb: DuckDB,
  source: string,
  tables: readonly TableColumns[],
  watermark: number | null,
): Promise<readonly TableCensus[]> {
  const [row] = await duckdb.rows(
    `select ${tables.flatMap((columns, index) => counts(columns, watermark, index)).join(", ")} from ${source}`,
  );
  const read = (name: string) => Number(row?.[name] ?? 0);
  return tables.map((_, index) => ({
    events: read(`events ${index}`),
    late: read(`late ${index}`),
    textBytes: read(`text ${index}`),
    longestKey: read(`key ${index}`),
  }));
}

function counts(columns: TableColumns, watermark: number | null, index: number): readonly string[] {
  const { table, inside, groups, arguments: values } = columns;
  const when = (condition: string) => (inside === "true" ? condition : `${inside} and ${condition}`);
  const filter = inside === "true" ? "" : ` filter (${inside})`;
  const types = [...table.groups, ...table.aggregates.flatMap(({ parts }) => parts)].map(
    ({ duckdbType }) => duckdbType,
  );
  const texts = sumOfLengths([...groups, ...values].filter((_, column) => isText(types[column] ?? "")));
  const key = keyBytes(columns);
  return [
    `(count(*)${filter})::integer as "events ${index}"`,
    ...(watermark === null
      ? []
      : [`(count(*) filter (${when(isLate(columns, watermark))}))::integer as "late ${index}"`]),
    ...(texts === null ? [] : [`sum(${texts})${filter}::double as "text ${index}"`]),
    ...(key === null ? [] : [`(max(${key})${filter})::integer as "key ${index}"`]),
  ];
}

function sumOfLengths(columns: readonly string[]): string | null {
  const lengths = columns.map((column) => `coalesce(strlen(${column}::varchar), 0)`);
  return lengths.length === 0 ? null : lengths.join(" + ");
}
