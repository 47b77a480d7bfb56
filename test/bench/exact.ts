/** The exact answer, by one pass of DuckDB over the events, and how an engine's tables differ from it. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { Client } from "pg";
import { type Expected, type TableName, tableNames } from "./engines/engine.ts";
import { EPOCH_MS } from "./events.ts";
import type { Loaded } from "./load.ts";

export interface Difference {
  readonly table: TableName;
  readonly missing: number;
  readonly extra: number;
  readonly wrong: number;
  /** A group of the first row that differs, with both values. */
  readonly example: string;
}

export interface Oracle {
  readonly expected: Expected;
  /**
   * Compares every row from the first window on: counts equal, averages to 1e-9. Empty when the tables are exact. Rows
   * of windows long before are of no event.
   */
  compare(client: Client, rows: Readonly<Record<TableName, string>>): Promise<readonly Difference[]>;
  close(): void;
}

/** Averages of doubles depend on the order of addition in their last digits. */
const TOLERANCE = 1e-9;
const ROWS_AT_ONCE = 50_000;
/** No hopping window that holds an event begins before. */
const earliest = EPOCH_MS - 3_600_000;

/** Each table as (w: window start in epoch ms, k: group, v: value). */
const answers: Readonly<Record<TableName, string>> = {
  event_counts: "select ts // 60000 * 60000 as w, type as k, count(*)::double as v from event group by all",
  user_event_counts: "select ts // 60000 * 60000 as w, user as k, count(*)::double as v from event group by all",
  user_avg_waiting_time: `
    with minute as (select ts // 60000 as m, user, sum(waiting) as s, count(*) as n from event group by all)
    select (m - back) * 60000 as w, user as k, sum(s) / sum(n) as v
    from minute, (values (0), (1), (2)) as hop(back) group by all`,
};

/**
 * @param folder for files in between
 */
export async function buildOracle({ file, events, records }: Loaded, folder: string): Promise<Oracle> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(`create temp table event as
    select user_id as user, event_type as type, event_ts as ts, waiting_time_ms as waiting
    from read_ndjson('${file}', columns =
      {user_id: 'VARCHAR', event_type: 'VARCHAR', event_ts: 'BIGINT', waiting_time_ms: 'DOUBLE'})`);
  for (const table of tableNames) await connection.run(`create table ${table} as ${answers[table]}`);
  const [[read] = []] = await numbers(connection, "select count(*) from event");
  if (read !== events) throw new RangeError(`the file has ${String(read)} of ${events} events`);
  await connection.run("drop table event");
  const [[rows = 0, sum = 0] = []] = await numbers(connection, "select count(*), sum(v) from user_avg_waiting_time");
  return {
    expected: { events, records, averages: { rows, sum } },
    compare: async (client, queries) => {
      const found: Difference[] = [];
      for (const table of tableNames) {
        const actual = join(folder, `${table}.csv`);
        await writeRows(client, `select * from (${queries[table]}) as r (w, k, v) where w >= ${earliest}`, actual);
        const difference = await differenceOf(connection, table, actual);
        await rm(actual);
        if (difference !== undefined) found.push(difference);
      }
      return found;
    },
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function differenceOf(
  connection: DuckDBConnection,
  table: TableName,
  file: string,
): Promise<Difference | undefined> {
  const result = await connection.runAndReadAll(`
    with actual as (select * from read_csv('${file}', header = false,
        columns = {w: 'BIGINT', k: 'VARCHAR', v: 'DOUBLE'})),
      pair as (select coalesce(a.w, e.w) as w, coalesce(a.k, e.k) as k, a.v as actual, e.v as expected,
          a.k is null as missing, e.k is null as extra,
          coalesce(abs(a.v - e.v) > ${TOLERANCE} * abs(e.v), a.k is not null and e.k is not null) as wrong
        from ${table} e full join actual a on a.w = e.w and a.k = e.k)
    select count(*) filter (missing)::double, count(*) filter (extra)::double, count(*) filter (wrong)::double,
      coalesce(first(format('{} {}: {} for {}', epoch_ms(w), k, actual, expected) order by w, k)
        filter (missing or extra or wrong), '')
    from pair`);
  const [row = []] = result.getRowsJS();
  const [missing = 0, extra = 0, wrong = 0] = row.map(Number);
  if (missing + extra + wrong === 0) return undefined;
  return { table, missing, extra, wrong, example: String(row[3]) };
}

/** Writes what a query of (number, text, number) gives as CSV, a part at a time. */
async function writeRows(client: Client, sql: string, file: string): Promise<void> {
  const output = createWriteStream(file);
  await client.query("begin read only");
  try {
    await client.query(`declare rows no scroll cursor for ${sql}`);
    for (;;) {
      const { rows } = await client.query<[string, string, string]>({
        text: `fetch ${ROWS_AT_ONCE} from rows`,
        rowMode: "array",
      });
      if (rows.length === 0) break;
      if (!output.write(rows.map((row) => `${row.join(",")}\n`).join(""))) await once(output, "drain");
    }
  } finally {
    await client.query("rollback");
    output.end();
    await once(output, "close");
  }
}

async function numbers(connection: DuckDBConnection, sql: string): Promise<number[][]> {
  return (await connection.runAndReadAll(sql)).getRowsJS().map((row) => row.map(Number));
}
