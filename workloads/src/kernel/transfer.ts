/** Columns into DuckDB's tables and out of them, in chunks, without an object a row. */
import type { DuckDBBlobVector, DuckDBDataChunk, DuckDBVector } from "@duckdb/node-api";
import type { DuckDB } from "@caudal/pipeline/duckdb";
import { type Column, setInteger, setNull, type TextColumn } from "./columns.ts";
import { NULL_CODE } from "./dictionary.ts";
import type { BoundQuery } from "./few-events.ts";
import { storageOf } from "./storage.ts";

/** What DuckDB's vectors hold at most. */
const CHUNK_ROWS = 2048;

/** An expression and the column that gets its values. */
export interface Wanted {
  readonly sql: string;
  readonly duckdbType: string;
  readonly column: Column;
}

export interface Source {
  /** What follows `from`: a table, and a condition. */
  readonly from: string;
  /** Expression that gives a row's place. */
  readonly row: string;
  /** Row by place; a row's place is its row without it. */
  readonly rows?: readonly number[];
  /** Condition under which a row cannot be read: then none is. */
  readonly unless?: string;
  /** The same will be read again and again. */
  readonly isLasting?: boolean;
  /** Gives the parameters of a query that has some their values. */
  readonly bind?: BoundQuery["bind"];
}

/**
 * Reads expressions over a table of DuckDB into columns.
 *
 * @returns the rows that the table has, others stay as they are; undefined when one cannot be read
 */
export async function readColumns(
  duckdb: DuckDB,
  source: Source,
  wanted: readonly Wanted[],
): Promise<number[] | undefined> {
  const found: number[] = [];
  const selected = wanted.map(({ sql, duckdbType }) => {
    const storage = storageOf(duckdbType);
    const stored = storage.stored(sql);
    if (storage.kind === "text" || !storage.integer) return stored;
    return `case when ${storage.isSmall(stored)} then ${stored}::double end`;
  });
  // Integers beyond a double's come as text besides: a NULL there says that there is none.
  const large = wanted.flatMap((one, index) => (storageOf(one.duckdbType).integer ? [{ ...one, index }] : []));
  const texts = large.map(({ sql, duckdbType }) => {
    const storage = storageOf(duckdbType);
    const stored = storage.stored(sql);
    return `case when not (${storage.isSmall(stored)}) then ${stored}::varchar end`;
  });
  const unless = source.unless === undefined ? [] : [source.unless];
  const sql = `select ${[`${source.row}::double`, ...selected, ...texts, ...unless].join(", ")} from ${source.from}`;
  const chunks = await chunksOf(duckdb, sql, source);
  if (unless.length > 0 && chunks.some((chunk) => holdsTrue(chunk, chunk.columnCount - 1))) return undefined;
  for (const chunk of chunks) {
    const count = chunk.rowCount;
    const places = chunk.getColumnVector(0);
    const rows = Array.from({ length: count }, (_, i) => {
      const place = Number(places.getItem(i));
      return source.rows?.[place] ?? place;
    });
    for (const row of rows) found.push(row);
    for (const [index, { column }] of wanted.entries()) fill(column, rows, chunk.getColumnVector(index + 1));
    for (const [index, { column }] of large.entries())
      fillLarge(column, rows, chunk.getColumnVector(1 + wanted.length + index));
  }
  return found;
}

async function chunksOf(
  duckdb: DuckDB,
  sql: string,
  { isLasting = false, bind }: Source,
): Promise<readonly DuckDBDataChunk[]> {
  if (!isLasting && bind === undefined) return await (await duckdb.connection.run(sql)).fetchAllChunks();
  const statement = await duckdb.prepared(sql);
  bind?.(statement);
  const result = await statement.run();
  // All of it is there: asking for it chunk by chunk would take a thread for each.
  return Array.from({ length: result.chunkCount }, (_, index) => result.getChunk(index));
}

function holdsTrue(chunk: DuckDBDataChunk, index: number): boolean {
  const vector = chunk.getColumnVector(index);
  for (let i = 0; i < chunk.rowCount; i++) if (vector.getItem(i) === true) return true;
  return false;
}

function fill(column: Column, rows: readonly number[], vector: DuckDBVector): void {
  if (column.kind === "text") return fillTexts(column, rows, vector as DuckDBBlobVector);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const value = vector.getItem(i);
    if (value === null) setNull(column, row);
    else column.values[row] = value as number;
  }
}

function fillTexts(column: TextColumn, rows: readonly number[], vector: DuckDBBlobVector): void {
  for (let i = 0; i < rows.length; i++) {
    const bytes = vector.getItemBytes(i);
    // Memory may grow, and the column's array be another one, while the text is added.
    const code = bytes === null ? NULL_CODE : column.dictionary.codeOf(bytes);
    column.values[rows[i] as number] = code;
  }
}

function fillLarge(column: Column, rows: readonly number[], vector: DuckDBVector): void {
  if (column.kind === "text") return;
  for (let i = 0; i < rows.length; i++) {
    const value = vector.getItem(i);
    if (value !== null) setInteger(column, rows[i] as number, BigInt(value as string));
  }
}

/**
 * Fills an empty table with the rows: the first column is the row, then one an entry: codes of texts as INTEGER, numbers
 * as DOUBLE with NaN for NULL.
 */
export async function writeColumns(
  duckdb: DuckDB,
  table: string,
  rows: Int32Array,
  columns: readonly Column[],
): Promise<void> {
  const { DOUBLE, DuckDBDataChunk, INTEGER } = await import("@caudal/pipeline/duckdb-library");
  const types = [INTEGER, ...columns.map(({ kind }) => (kind === "text" ? INTEGER : DOUBLE))];
  const appender = await duckdb.connection.createAppender(table);
  try {
    for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
      const part = rows.subarray(from, from + CHUNK_ROWS);
      const chunk = DuckDBDataChunk.create(types, part.length);
      const vectors = types.map(
        (_, index) => chunk.getColumnVector(index) as DuckDBVector & { items: Int32Array | Float64Array },
      );
      vectors[0]?.items.set(part);
      for (const [index, { values }] of columns.entries()) {
        const items = vectors[index + 1]?.items;
        if (items !== undefined) for (let i = 0; i < part.length; i++) items[i] = values[part[i] as number] as number;
      }
      for (const vector of vectors) vector.flush();
      appender.appendDataChunk(chunk);
    }
  } finally {
    appender.closeSync();
  }
}
