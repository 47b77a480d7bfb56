/** The events of a slice as a relation of DuckDB, with the fields that SQL reads in their own types. */
import type { DuckDB } from "@caudal/pipeline/duckdb";
import { quote } from "@caudal/pipeline/sql";
import { BIG, type Column, type TextColumn } from "./columns.ts";
import type { Dictionary } from "./dictionary.ts";
import { ROW } from "./event-columns.ts";
import { type EventField, valueOf } from "./few-events.ts";
import { storageOf } from "./storage.ts";
import { writeColumns } from "./transfer.ts";

interface Field {
  readonly name: string;
  readonly duckdbType: string;
  readonly column: Column;
  /** Column of the raw table. */
  readonly raw: string;
  /** Table of texts by code. */
  readonly texts: string;
}

export class EventTable {
  /** Table of rows, with the codes of texts. */
  readonly #raw: string;
  readonly #fields: readonly Field[];
  readonly #query: string;
  /** Gets the rows where some have numbers that a double does not hold. */
  readonly #exact: string;
  /** What of each text column's dictionary DuckDB has. */
  readonly #loaded = new Map<TextColumn, { readonly dictionary: Dictionary; size: number }>();
  /** Which DuckDB has the tables. */
  #home: DuckDB | undefined;

  /**
   * @param fields name, DuckDB type and column of each
   * @param name of this one among those of the same DuckDB
   */
  constructor(fields: readonly EventField[], name = "") {
    this.#raw = `raw ${name}`;
    this.#fields = fields.map(([field, duckdbType, column], index) => ({
      name: field,
      duckdbType,
      column,
      raw: `c${index}`,
      texts: quote(`texts ${name} ${index}`),
    }));
    this.#query = this.#queryOf();
    this.#exact = quote(`exact ${name}`);
  }

  /**
   * Gives DuckDB these rows of the columns.
   *
   * @returns the query that gives them: the same each time, unless there are numbers that a double does not hold
   */
  async load(duckdb: DuckDB, rows: Int32Array): Promise<string> {
    if (this.#home !== duckdb) await this.#open(duckdb);
    await (await duckdb.prepared(`truncate ${quote(this.#raw)}`)).run();
    const columns = this.#fields.map(({ column }) => column);
    await writeColumns(duckdb, this.#raw, rows, columns);
    for (const field of this.#fields)
      if (field.column.kind === "text") await this.#loadTexts(duckdb, field, field.column);
    const large = this.#fields.filter(({ column }) => column.kind === "number" && column.bigs.size > 0);
    if (large.length === 0) return this.#query;
    await duckdb.connection.run(`create or replace temp table ${this.#exact} as ${this.#query}`);
    for (const field of large) await this.#setLarge(duckdb, field, rows);
    return `select * from ${this.#exact}`;
  }

  async #open(duckdb: DuckDB): Promise<void> {
    const columns = this.#fields.map(({ raw, column }) => `${raw} ${column.kind === "text" ? "integer" : "double"}`);
    await duckdb.connection.run(`create table ${quote(this.#raw)} (${[`${ROW} integer`, ...columns].join(", ")})`);
    this.#loaded.clear();
    this.#home = duckdb;
  }

  #queryOf(): string {
    const joins = this.#fields.flatMap(({ column, raw, texts }) =>
      column.kind === "text" ? [`left join ${texts} on ${texts}.code = raw.${raw}`] : [],
    );
    const values = this.#fields.map((field) =>
      field.column.kind === "text"
        ? `${field.texts}.value as ${quote(field.name)}`
        : `${valueOf(field.raw, field.duckdbType, field.column)} as ${quote(field.name)}`,
    );
    return `select ${[ROW, ...values].join(", ")} from ${quote(this.#raw)} as raw ${joins.join(" ")}`;
  }

  async #loadTexts(duckdb: DuckDB, { texts, duckdbType }: Field, column: TextColumn): Promise<void> {
    const { dictionary } = column;
    let loaded = this.#loaded.get(column);
    if (loaded?.dictionary !== dictionary) {
      await duckdb.connection.run(`create or replace table ${texts} (code integer, value ${duckdbType})`);
      loaded = { dictionary, size: 0 };
      this.#loaded.set(column, loaded);
    }
    if (loaded.size === dictionary.size) return;
    const statement = await duckdb.prepared(
      `insert into ${texts} select generate_subscripts(l, 1) - 1 + $2, unnest(l)::${duckdbType} from (select string_split(decode($1::blob), chr(0)) as l)`,
    );
    statement.bindBlob(1, dictionary.joined(loaded.size));
    statement.bindInteger(2, loaded.size);
    await statement.run();
    loaded.size = dictionary.size;
  }

  /** Integers that a double cannot hold come as digits: they are rare. */
  async #setLarge(duckdb: DuckDB, { name, duckdbType, column }: Field, rows: Int32Array): Promise<void> {
    if (column.kind !== "number" || column.bigs.size === 0) return;
    const storage = storageOf(duckdbType);
    const large = rows.filter((row) => column.values[row] === BIG);
    if (large.length === 0) return;
    const digits = Array.from(large, (row) => withPoint(column.bigs.get(row) ?? 0n, storage.scale));
    const statement = await duckdb.connection.prepare(
      `update ${this.#exact} set ${quote(name)} = ${storage.exact("v.digits")}
from (select unnest(string_split($1, ','))::integer as place, unnest(string_split($2, ',')) as digits) as v where ${ROW} = v.place`,
    );
    try {
      statement.bindVarchar(1, large.join(","));
      statement.bindVarchar(2, digits.join(","));
      await statement.run();
    } finally {
      statement.destroySync();
    }
  }
}

/** Digits with a point before the last `scale` of them. */
export function withPoint(value: bigint, scale: number): string {
  if (scale === 0) return String(value);
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
