/** The exact answer: DuckDB's, over the events that are in the topic, compared with PostgreSQL row by row. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Database } from "./database.ts";
import type { TopicRecord } from "./kafka.ts";

/** A table of the pipeline: what people see of it, and the query over `events` that must give the same rows. */
export interface Expected {
  table: string;
  /** Columns that make a row, compared as text. */
  keys: readonly string[];
  /** Columns compared as numbers: equal, or for doubles to 1e-9. */
  values: readonly string[];
  sql: string;
}

export interface Difference {
  table: string;
  key: string;
  expected: unknown;
  found: unknown;
}

/**
 * @param columns of the events, name → type as DuckDB writes it; at least one is TIMESTAMP
 * @returns every row that differs, at most 20 a table; empty when all is exact
 */
export async function differences(
  records: readonly TopicRecord[],
  columns: Record<string, string>,
  tables: readonly Expected[],
  database: Database,
): Promise<Difference[]> {
  const folder = mkdtempSync(join(tmpdir(), "caudal-oracle-"));
  const file = join(folder, "events.ndjson");
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    writeFileSync(file, records.map((record) => `${record.value?.toString("utf8") ?? "null"}\n`).join(""));
    // An event time comes as ISO 8601 or as epoch milliseconds: both are read as text first.
    const times = Object.keys(columns).filter((name) => columns[name] === "TIMESTAMP");
    const types = Object.entries(columns).map(
      ([name, type]) => `'${name}': '${type === "TIMESTAMP" ? "VARCHAR" : type}'`,
    );
    const parsed = times.map(
      (name) =>
        `case when ${name} ~ '[0-9]+' then make_timestamp(${name}::bigint * 1000) else ${name}::timestamptz::timestamp end as ${name}`,
    );
    await connection.run("set timezone = 'UTC'");
    await connection.run(
      `create table events as select * replace (${parsed.join(", ")}) from read_json('${file}', format = 'newline_delimited', columns = {${types.join(", ")}})`,
    );
    const found: Difference[] = [];
    for (const table of tables) {
      const key = (row: Record<string, unknown>) => JSON.stringify(table.keys.map((name) => text(row[name])));
      const expected = new Map(
        (await connection.runAndReadAll(table.sql)).getRowObjectsJson().map((row) => [key(row), row]),
      );
      const actual = new Map<string, Record<string, unknown>>();
      const selected = [...table.keys, ...table.values].map((name) =>
        name === "window_start"
          ? `to_char(window_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as window_start`
          : name,
      );
      const rows = await database.query(`select ${selected.join(", ")} from ${table.table}`);
      for (const row of rows) actual.set(key(row), row);
      if (actual.size !== rows.length)
        found.push({ table: table.table, key: "a key is there twice", expected: actual.size, found: rows.length });
      let shown = 0;
      for (const name of new Set([...expected.keys(), ...actual.keys()])) {
        const [want, have] = [expected.get(name), actual.get(name)];
        const same =
          want !== undefined && have !== undefined && table.values.every((column) => equal(want[column], have[column]));
        if (same || shown++ >= 20) continue;
        found.push({ table: table.table, key: name, expected: want, found: have });
      }
    }
    return found;
  } finally {
    connection.closeSync();
    instance.closeSync();
    rmSync(folder, { recursive: true, force: true });
  }
}

const text = (value: unknown) => (value === null || value === undefined ? null : String(value));

function equal(want: unknown, have: unknown): boolean {
  if (want === null || have === null) return want === have;
  const [a, b] = [Number(want), Number(have)];
  return a === b || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
}
