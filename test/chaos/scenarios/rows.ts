/** Rows of outputs as one compares them: by key, in their order. */
import { DuckDBInstance } from "@duckdb/node-api";
import type { LoggedRecord } from "../../engine/aggregator/topic.ts";
import type { Redis } from "../../engine/redis.ts";

export type Row = Readonly<Record<string, unknown>>;

/** In the order of their partitions and offsets: records of one key are in theirs. */
export function valuesOf<T>(records: readonly LoggedRecord[]): T[] {
  return records
    .toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
    .flatMap(({ value }) => (value === null ? [] : [JSON.parse(value.toString()) as T]));
}

/** The last row of each key. */
export function lastBy(rows: readonly Row[], column: string): readonly Row[] {
  return [...new Map(rows.map((row) => [row[column], row])).values()];
}

/**
 * How two outputs differ, in words. Rows are compared as they are, each as often as it is there; with `inOrder`, those of
 * one key have to come in the same order too.
 *
 * @param key column by which rows belong together
 */
export function compareRows(
  what: string,
  actual: readonly Row[],
  expected: readonly Row[],
  key: string,
  inOrder: "in order" | "in any order",
): string[] {
  const lists = (rows: readonly Row[]): Map<string, string[]> => {
    const byKey = new Map<string, string[]>();
    for (const row of rows) {
      const own = byKey.get(String(row[key])) ?? [];
      own.push(JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))));
      byKey.set(String(row[key]), own);
    }
    if (inOrder === "in any order") for (const own of byKey.values()) own.sort();
    return byKey;
  };
  const [is, should] = [lists(actual), lists(expected)];
  return [...new Set([...is.keys(), ...should.keys()])].flatMap((of) => {
    const [own, wanted] = [is.get(of) ?? [], should.get(of) ?? []];
    const at = own.findIndex((row, index) => row !== wanted[index]);
    if (at < 0 && own.length === wanted.length) return [];
    const place = at < 0 ? own.length : at;
    return [
      `${what} ${of}: ${own.length} rows, should be ${wanted.length}; row ${place + 1} is ${own[place]}, should be ${wanted[place]}`,
    ];
  });
}

/** Keys with a prefix and what is in them: a text, or the fields of a hash. */
export async function redisKeys(redis: Redis, prefix: string): Promise<ReadonlyMap<string, string | Row>> {
  const script = `local rows = {}
    for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
      local isHash = redis.call('TYPE', key).ok == 'hash'
      rows[#rows + 1] = {key, redis.call(isHash and 'HGETALL' or 'GET', key)}
    end
    return rows`;
  const rows = (await redis.command("EVAL", script, "0", prefix)) as [string, string | string[]][];
  return new Map(
    rows.map(([key, value]) => {
      const plain = typeof value === "string" ? value : fieldsOf(value);
      return [key.slice(prefix.length), plain];
    }),
  );
}

function fieldsOf(flat: readonly string[]): Row {
  return Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1]]] : [])));
}

/** What one query of DuckDB gives, with numbers as numbers. */
export async function duckRows(query: string): Promise<Row[]> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    await connection.run("set TimeZone = 'UTC'");
    return (await connection.runAndReadAll(query)).getRowObjectsJS();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
