/** Rows of a table as people read them in PostgreSQL, from what the kernel computed. */
import type { Delta, DeltaColumn } from "@caudal/workloads/kernel/delta";
import { columnText, timestamptzText } from "@caudal/workloads/kernel/delta-text";
import { isAverage } from "@caudal/pipeline/duckdb";
import type { AggregateColumn, TablePlan } from "@caudal/pipeline/sql";
import { kindOfPostgres, type Result } from "../output/result.ts";
import { divide } from "./divide.ts";

export interface TableRow {
  /** Epoch milliseconds. */
  readonly start: number;
  readonly end: number;
  readonly groups: readonly (string | null)[];
  readonly aggregates: readonly (string | null)[];
}

export interface TableRows {
  readonly table: TablePlan;
  readonly rows: readonly TableRow[];
}

/** @param delta of all that was read: its rows are those of the table, ordered by group and window */
export function rowsOf({ table, rows, windowStart, sessions, groups, parts }: Delta): TableRows {
  const groupTexts = groups.map((column, index) => columnText(column, table.groups[index]?.duckdbType ?? ""));
  let first = 0;
  const aggregateTexts = table.aggregates.map((aggregate) => {
    const own = parts.slice(first, (first += aggregate.parts.length));
    return aggregateValues(aggregate, own);
  });
  const made = Array.from({ length: rows }, (_, row): TableRow => {
    const start = windowStart[row] ?? 0;
    return {
      start,
      end: (sessions?.lastEvent[row] ?? start) + table.size,
      groups: groupTexts.map((column) => column[row] ?? null),
      aggregates: aggregateTexts.map((column) => column[row] ?? null),
    };
  });
  return { table, rows: made.sort((a, b) => a.start - b.start) };
}

/** Leaves out what the table no longer keeps. @param floor epoch milliseconds */
export function withoutOld({ table, rows }: TableRows, floor: number | undefined): TableRows {
  return { table, rows: floor === undefined ? rows : rows.filter(({ end }) => end > floor) };
}

/** Values of the records that are sent for rows whose window the watermark has passed, in that order. */
export function finalRows({ table, rows }: TableRows, watermark: number | null): readonly string[] {
  if (watermark === null) return [];
  const { gap = 0, groups, aggregates } = table;
  const columns = [...groups, ...aggregates];
  return rows
    .filter(({ end }) => end + gap <= watermark)
    .sort((a, b) => a.end - b.end)
    .map((row) => {
      const values = [...row.groups, ...row.aggregates];
      const shown = columns.map(({ name, postgresType }, index) => {
        const value = values[index] ?? null;
        return `${JSON.stringify(name)}:${value === null ? "null" : recordValue(value, postgresType)}`;
      });
      const times = `"window_start":${isoTime(row.start)},"window_end":${isoTime(row.end)}`;
      return `{${[times, ...shown, '"revision":0'].join(",")}}`;
    });
}

/** As the outbox writes it: numbers of any length are strings. */
function recordValue(value: string, postgresType: string): string {
  const kind = kindOfPostgres(postgresType);
  const bare = kind === "boolean" || (kind === "number" && !postgresType.startsWith("numeric"));
  return bare ? value : JSON.stringify(kind === "time" ? value.replace(" ", "T") : value);
}

function isoTime(ms: number): string {
  return JSON.stringify(new Date(ms).toISOString());
}

export function resultOf({ table, rows }: TableRows): Result {
  const columns = [...table.groups, ...table.aggregates];
  return {
    columns: [
      { name: "window_start", kind: "time" },
      { name: "window_end", kind: "time" },
      ...columns.map(({ name, postgresType }) => ({ name, kind: kindOfPostgres(postgresType) })),
    ],
    rows: rows.map(({ start, end, groups, aggregates }) => [
      timestamptzText(start),
      timestamptzText(end),
      ...groups,
      ...aggregates,
    ]),
  };
}

function aggregateValues(aggregate: AggregateColumn, columns: readonly DeltaColumn[]): (string | null)[] {
  const [part, counted] = aggregate.parts;
  const [values, counts] = columns;
  if (part === undefined || values === undefined) return [];
  const texts = columnText(values, part.duckdbType);
  if (counted === undefined || counts === undefined) return texts;
  const numbers = columnText(counts, counted.duckdbType);
  return texts.map((sum, row) => {
    const count = BigInt(numbers[row] ?? 0);
    if (sum === null || count === 0n) return null;
    return isAverage(aggregate) ? average(sum, count, part.duckdbType) : sum;
  });
}

function average(sum: string, count: bigint, duckdbType: string): string {
  if (duckdbType === "DOUBLE") return String(Number(sum) / Number(count));
  const scale = sum.includes(".") ? sum.length - sum.indexOf(".") - 1 : 0;
  return String(divide(BigInt(sum.replace(".", "")), scale, count));
}
