/** Rows of a batch as a file of Parquet, by DuckDB. */
import type { DuckDBVector } from "@duckdb/node-api";
import { BIG } from "../../kernel/columns.ts";
import type { DeltaColumn } from "../../kernel/delta.ts";
import { jsonTextAt } from "../../kernel/delta-text.ts";
import { storageOf } from "../../kernel/storage.ts";
import { type DuckDB, openDuckDB } from "@caudal/pipeline/duckdb";
import { quote, text as literal } from "@caudal/pipeline/sql";
import type { OutputBatch, OutputColumn } from "../output.ts";
import type { WriteFile } from "./write-file.ts";

/** What DuckDB's vectors hold at most. */
const CHUNK_ROWS = 2048;
const MEMORY_LIMIT = "256MB";

/** A column on its way into DuckDB. */
interface Loaded {
  readonly type: "VARCHAR" | "DOUBLE";
  /** Expression that gives its values in the column's own type. */
  readonly sql: string;
  set(vector: DuckDBVector, place: number, row: number): void;
}

export class ParquetWriter implements WriteFile {
  readonly extension = "parquet";
  readonly wants = "columns";
  readonly #columns: readonly OutputColumn[];
  readonly #duckdb: DuckDB;

  private constructor(columns: readonly OutputColumn[], duckdb: DuckDB) {
    this.#columns = columns;
    this.#duckdb = duckdb;
  }

  /** @param folder in which all its files are */
  static async open(columns: readonly OutputColumn[], folder: string): Promise<ParquetWriter> {
    return new ParquetWriter(columns, await openDuckDB({ memoryLimit: MEMORY_LIMIT, folder }));
  }

  async write(file: string, { columns }: OutputBatch, rows: readonly number[]): Promise<void> {
    const loaded = this.#columns.map(({ duckdbType }, index) => load(columns[index], duckdbType, `c${index}`));
    const definition = loaded.map(({ type }, index) => `c${index} ${type}`).join(", ");
    const { connection } = this.#duckdb;
    await connection.run(`create or replace table rows (${definition})`);
    await this.#append(loaded, rows);
    const selected = this.#columns.map(({ name }, index) => `${loaded[index]?.sql} as ${quote(name)}`).join(", ");
    await connection.run(`copy (select ${selected} from rows) to ${literal(file)} (format parquet, compression zstd)`);
    await connection.run("drop table rows");
  }

  close(): void {
    this.#duckdb.close();
  }

  async #append(loaded: readonly Loaded[], rows: readonly number[]): Promise<void> {
    const { DOUBLE, DuckDBDataChunk, VARCHAR } = await import("@caudal/pipeline/duckdb-library");
    const types = loaded.map(({ type }) => (type === "VARCHAR" ? VARCHAR : DOUBLE));
    const appender = await this.#duckdb.connection.createAppender("rows");
    try {
      for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
        const part = rows.slice(from, from + CHUNK_ROWS);
        const chunk = DuckDBDataChunk.create(types, part.length);
        for (const [index, { set }] of loaded.entries()) {
          const vector = chunk.getColumnVector(index);
          for (const [place, row] of part.entries()) set(vector, place, row);
          vector.flush();
        }
        appender.appendDataChunk(chunk);
      }
    } finally {
      appender.closeSync();
    }
  }
}

/** Integers that a double cannot hold make a column go as text. */
function load(column: DeltaColumn | undefined, duckdbType: string, name: string): Loaded {
  const type = parquetType(duckdbType);
  if (column === undefined || column.kind === "text" || column.bigs.size > 0 || column.values.includes(BIG)) {
    const text = column === undefined ? () => null : jsonTextAt(column, duckdbType);
    return { type: "VARCHAR", sql: `${name}::${type}`, set: (vector, place, row) => vector.setItem(place, text(row)) };
  }
  const { values } = column;
  const value = storageOf(duckdbType).value(name);
  return {
    type: "DOUBLE",
    sql: `case when not isnan(${name}) then (${value})::${type} end`,
    set: (vector, place, row) => vector.setItem(place, values[row] as number),
  };
}

/** Integers of more than 64 bits: Parquet has none, and DuckDB would write them as doubles. */
const LARGE_INTEGERS = new Set(["HUGEINT", "UHUGEINT", "BIGNUM"]);

function parquetType(duckdbType: string): string {
  return LARGE_INTEGERS.has(duckdbType) ? "DECIMAL(38,0)" : duckdbType;
}
