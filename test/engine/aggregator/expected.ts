/** The exact answer: one pass of DuckDB over the log, written by hand and apart from what the product compiles. */
import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Database } from "../postgres.ts";
import type { LoggedRecord } from "./topic.ts";

export type Row = Readonly<Record<string, unknown>>;

/** Tables of the test's pipeline, as the spec of an aggregator has them. */
export const tables = [
  {
    name: "event_counts",
    window: { tumbling: { size: "1m" } },
    groupBy: ["event_type"],
    aggregates: ["count(*) as count", "sum(points) as points", "max(event_ts) as latest"],
  },
  {
    name: "user_counts",
    window: { tumbling: { size: "1m" } },
    where: "event_type is distinct from 'search'",
    groupBy: ["user_id"],
    aggregates: ["count(*) as count", "count(points) as with_points", "min(event_id) as first_id"],
  },
  {
    name: "user_waiting",
    window: { hopping: { size: "3m", advance: "1m" } },
    groupBy: ["user_id"],
    aggregates: [
      "avg(waiting_time_ms) as mean",
      "min(waiting_time_ms) as least",
      "max(waiting_time_ms) as most",
      "sum(points) as points",
    ],
  },
  {
    name: "user_sessions",
    window: { session: { gap: "2s" } },
    groupBy: ["user_id"],
    aggregates: [
      "count(*) as count",
      "sum(points) as points",
      "avg(waiting_time_ms) as mean",
      "max(event_id) as last_id",
    ],
  },
] as const;

const answers: Readonly<Record<string, string>> = {
  event_counts: `select time_bucket(interval 1 minute, ts) as window_start, event_type,
      count(*) as count, sum(points) as points, max(ts) as latest
    from event group by all`,
  user_counts: `select time_bucket(interval 1 minute, ts) as window_start, user_id,
      count(*) as count, count(points) as with_points, min(event_id) as first_id
    from event where event_type is null or event_type <> 'search' group by all`,
  user_waiting: `select time_bucket(interval 1 minute, ts) - to_minutes(back) as window_start, user_id,
      avg(waiting) as mean, min(waiting) as least, max(waiting) as most, sum(points) as points
    from event, (values (0), (1), (2)) as hop(back) group by all`,
  user_sessions: `select min(ts) as window_start, max(ts) + interval 2 seconds as window_end, user_id,
      count(*) as count, sum(points) as points, avg(waiting) as mean, max(event_id) as last_id
    from (select *, sum(begins) over (partition by user_id order by ts) as session
      from (select *, case when ts <= lag(ts) over (partition by user_id order by ts) + interval 2 seconds
        then 0 else 1 end as begins from event))
    group by user_id, session`,
};

/** @param keep which records count; by default all that have a value */
export async function expectedTables(
  records: readonly LoggedRecord[],
  keep: (record: LoggedRecord) => boolean = () => true,
): Promise<Readonly<Record<string, readonly Row[]>>> {
  const file = join(tmpdir(), `caudal-log-${randomUUID()}.ndjson`);
  const lines = records
    .filter((record) => record.value !== null && keep(record))
    .map(({ value }) => `${JSON.stringify(JSON.parse(String(value)))}\n`);
  writeFileSync(file, lines.join(""));
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    await connection.run("set TimeZone = 'UTC'");
    await connection.run(`create table event as select event_id, user_id, event_type, event_ts as ts,
      points, waiting_time_ms as waiting
      from read_ndjson('${file}', columns = {event_id: 'VARCHAR', user_id: 'VARCHAR', event_type: 'VARCHAR',
        event_ts: 'TIMESTAMP', points: 'BIGINT', waiting_time_ms: 'DOUBLE'})`);
    const result: Record<string, readonly Row[]> = {};
    for (const [table, sql] of Object.entries(answers)) {
      const rows = (await connection.runAndReadAll(sql)).getRowObjectsJS();
      result[table] = rows.map(comparable);
    }
    return result;
  } finally {
    connection.closeSync();
    instance.closeSync();
    rmSync(file);
  }
}

/** What PostgreSQL holds, in the same form. */
export async function actualTables(database: Database): Promise<Readonly<Record<string, readonly Row[]>>> {
  const result: Record<string, readonly Row[]> = {};
  for (const table of Object.keys(answers)) {
    const rows = await database.query<Record<string, unknown>>(
      `select to_jsonb(t) - 'revision' - 'updated_at' as row from public.${table} t`,
    );
    result[table] = rows.map(({ row }) => comparable(visible(row as Row)));
  }
  return result;
}

/** Without the hidden parts, whose names begin with _. */
function visible(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith("_")));
}

/** How two sets of tables differ, row by row, in words; nothing when they are equal (doubles to 1e-9). */
export function differences(
  actual: Readonly<Record<string, readonly Row[]>>,
  expected: Readonly<Record<string, readonly Row[]>>,
): string[] {
  return Object.keys(expected).flatMap((table) => {
    const found = keyed(actual[table] ?? []);
    const wanted = keyed(expected[table] ?? []);
    const twice = (actual[table]?.length ?? 0) - found.size;
    return [
      ...(twice > 0 ? [`${table}: ${twice} rows are there twice`] : []),
      ...[...found].filter(([key]) => !wanted.has(key)).map(([key]) => `${table} ${key}: should not be there`),
      ...[...wanted].flatMap(([key, row]) => {
        const other = found.get(key);
        if (other === undefined) return [`${table} ${key}: is missing`];
        const names = Object.keys(row).filter((name) => !equal(row[name], other[name]));
        return names.map(
          (name) => `${table} ${key}: ${name} is ${String(other[name])}, should be ${String(row[name])}`,
        );
      }),
    ];
  });
}

/** Rows of a table by window and groups. */
export function keyed(rows: readonly Row[]): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [keyOf(row), row]));
}

function keyOf(row: Row): string {
  return JSON.stringify([row["window_start"], row["user_id"], row["event_type"]]);
}

/** Averages of doubles depend on the order of addition in their last digits. */
export function equal(a: unknown, b: unknown): boolean {
  if (typeof a !== "number" || typeof b !== "number") return a === b;
  return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
}

/** Times as ISO text and numbers as numbers, from either database. */
function comparable(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]));
}

function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT[0-9:.]+\+00:00$/.test(value))
    return new Date(value).toISOString();
  return value;
}
