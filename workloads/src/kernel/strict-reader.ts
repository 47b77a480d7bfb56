/** From JSON to columns by DuckDB, which says of every row what it is: the judge of all rows that are not plainly good. */
import type { TopicConfig } from "@caudal/crds";
import type { RecordBlock } from "../kafka/record-block.ts";
import { type Finding, finding, NO_TIME } from "../sql/bad-rows.ts";
import type { DuckDB } from "../sql/duckdb.ts";
import { explain } from "../sql/explain.ts";
import { duckdbTypeOf, fieldType, jsonColumn } from "../sql/fields.ts";
import { quote, text } from "../sql/quote.ts";
import type { Column, NumberColumn } from "./columns.ts";
import { OK, ROW, TIME } from "./event-columns.ts";
import { Lines } from "./lines.ts";
import { readColumns, type Wanted } from "./transfer.ts";

/** A row that is missing or doubled would break exactness: nothing may go on after it. */
export class RowsLost extends Error {
  readonly code = "ROWS_LOST";
  readonly reason = "RowsLost";
  readonly retryable = false;
}

/** Rows that DuckDB reads at once. */
const MAX_ROWS = 16_384;
const MAX_BYTES = 8 * 1024 * 1024;

export class StrictReader {
  readonly #duckdb: DuckDB;
  readonly #topic: TopicConfig;
  readonly #columns: ReadonlyMap<string, Column>;
  readonly #timeMs: NumberColumn;
  readonly #create: string;

  /**
   * @param columns by field name, for those that SQL reads; the others are checked all the same
   * @param timeMs gets the event times
   */
  constructor(duckdb: DuckDB, topic: TopicConfig, columns: ReadonlyMap<string, Column>, timeMs: NumberColumn) {
    this.#duckdb = duckdb;
    this.#topic = topic;
    this.#columns = columns;
    this.#timeMs = timeMs;
    this.#create = `create or replace temp table strict as ${eventQuery(topic, new Set(columns.keys()))}`;
  }

  /**
   * Decides rows of a slice that begins at row `from` of its block, and reads the good ones into the columns.
   *
   * @param rows counted from the slice's first
   * @returns why the others are no events
   * @throws RowsLost when DuckDB does not give a row for each line
   */
  async read(block: RecordBlock, from: number, rows: readonly number[]): Promise<Map<number, Finding>> {
    const found = new Map<number, Finding>();
    for (let start = 0; start < rows.length;) {
      let end = start;
      for (let bytes = 0; end < rows.length && end - start < MAX_ROWS && (bytes <= MAX_BYTES || end === start); end++)
        bytes += lengthOf(block, from + (rows[end] ?? 0));
      await this.#read(block, from, rows.slice(start, end), found);
      start = end;
    }
    return found;
  }

  async #read(block: RecordBlock, from: number, rows: readonly number[], found: Map<number, Finding>): Promise<void> {
    const lines = new Lines(
      block,
      rows.map((row) => from + row),
    );
    await this.#load(lines);
    const counts = await this.#duckdb.rows(
      `select count(*)::integer as n, (count(*) filter (not ${OK}))::integer as bad from strict`,
    );
    if (counts[0]?.["n"] !== rows.length)
      throw new RowsLost(
        `DuckDB made ${String(counts[0]?.["n"])} rows of ${rows.length} records; this is a bug, nothing is lost`,
      );
    const bad = counts[0]["bad"] === 0 ? [] : await this.#duckdb.rows(`select ${ROW} as n from strict where not ${OK}`);
    for (const { n } of bad) {
      const place = Number(n);
      found.set(
        rows[place] ?? -1,
        lines.findings.get(place) ?? this.#explain(lines, place, block.timestamps[from + (rows[place] ?? 0)] ?? -1),
      );
    }
    if (bad.length < rows.length) await this.#fill(rows);
  }

  async #fill(rows: readonly number[]): Promise<void> {
    const wanted: Wanted[] = this.#topic.fields.flatMap(({ name, type }) => {
      const column = this.#columns.get(name);
      const duckdbType = duckdbTypeOf(type);
      return column === undefined ? [] : [{ sql: quote(name), duckdbType, column }];
    });
    // Whole milliseconds, downwards: a watermark may be late, never early.
    wanted.push({
      sql: `(${TIME} - (${TIME} % 1000 + 1000) % 1000) // 1000`,
      duckdbType: "BIGINT",
      column: this.#timeMs,
    });
    await readColumns(this.#duckdb, { from: `strict where ${OK}`, row: ROW, rows }, wanted);
  }

  async #load(lines: Lines): Promise<void> {
    try {
      await this.#run(lines);
    } catch (error) {
      // One line that is no JSON fails them all: find such lines, and read the others.
      const malformed = await this.#malformed(lines);
      if (malformed.length === 0) throw error;
      for (const place of malformed) lines.blank(place, explainMalformed(lines.text(place)));
      await this.#run(lines);
    }
  }

  async #run(lines: Lines): Promise<void> {
    // A prepared CREATE TABLE AS makes a table without columns when it is run again (DuckDB 1.5.6).
    const statement = await this.#duckdb.connection.prepare(this.#create);
    try {
      statement.bindBlob(1, lines.bytes);
      if (this.#topic.timestamp === undefined) statement.bindBlob(2, lines.timestamps);
      await statement.run();
    } finally {
      statement.destroySync();
    }
  }

  async #malformed(lines: Lines): Promise<readonly number[]> {
    const statement = await this.#duckdb.connection.prepare(
      `select n from (select unnest(l) as line, generate_subscripts(l, 1) as n from (select string_split(decode($1::blob), chr(10)) as l)) where not json_valid(line)`,
    );
    try {
      statement.bindBlob(1, lines.bytes);
      const rows = (await statement.runAndReadAll()).getRows();
      return rows.map(([n]) => Number(n) - 1);
    } finally {
      statement.destroySync();
    }
  }

  #explain(lines: Lines, place: number, timestamp: number): Finding {
    if (this.#topic.timestamp === undefined && timestamp < 0) return NO_TIME;
    return explain(lines.text(place), this.#topic.fields, this.#topic.timestamp);
  }
}

function lengthOf({ starts, ends }: RecordBlock, row: number): number {
  return Math.max(0, (ends[row] ?? 0) - (starts[row] ?? 0));
}

function explainMalformed(value: string): Finding {
  const found = explain(value, [], undefined);
  // What JavaScript reads and DuckDB does not is text with half of a surrogate pair.
  return found.reason === "MalformedJson" ? found : finding("InvalidText", "a text holds half of a surrogate pair");
}

/** The query that reads lines ($1), numbered from 0, with the records' times ($2) where no field is the event time. */
function eventQuery({ fields, timestamp }: TopicConfig, used: ReadonlySet<string>): string {
  const kept = new Set(used);
  if (timestamp !== undefined) kept.add(timestamp);
  const json = fields.map(({ name }) => jsonColumn(name));
  const keptFields = fields.filter(({ name }) => kept.has(name));
  const values = keptFields.map(
    ({ name, type }) => `${fieldType(type)?.read(jsonColumn(name)) ?? "null"} as ${quote(name)}`,
  );
  const time = timestamp === undefined ? quote("#record") : `epoch_us(${quote(timestamp)})`;
  const conditions = fields.map((field) => fieldCondition(field, kept.has(field.name), field.name === timestamp));
  if (timestamp === undefined) conditions.push(`${quote("#record")} >= 0`);
  const structure = JSON.stringify(Object.fromEntries(fields.map(({ name }) => [name, "JSON"])));
  const record = timestamp === undefined ? [quote("#record")] : [];
  const passed = [ROW, quote("#root"), ...record];
  const split = (parameter: string) => `string_split(decode(${parameter}::blob), chr(10))`;
  const lists = [`${split("$1")} as l`, ...(timestamp === undefined ? [`${split("$2")} as t`] : [])];
  const unnested = [
    `generate_subscripts(l, 1)::integer - 1 as ${ROW}`,
    `unnest(l) as line`,
    ...(timestamp === undefined ? [`unnest(t)::bigint * 1000 as ${quote("#record")}`] : []),
  ];
  // Without fields there is nothing to take out, but the line still has to be JSON.
  const object = fields.length === 0 ? 'from_json(line, \'{"-":"JSON"}\')' : `from_json(line, ${text(structure)})`;
  return `select ${[ROW, `${time} as ${TIME}`, ...keptFields.map(({ name }) => quote(name)), `coalesce(${[quote("#root"), ...conditions].join(" and ")}, false) as ${OK}`].join(", ")}
from (select ${[...passed, ...json, ...values].join(", ")}
from (select ${[
    ROW,
    // Both sides of an `or` are computed for every row, the else of a case only where it is needed.
    `case when prefix(line, '{') then true else prefix(ltrim(line, chr(32) || chr(9)), '{') end as ${quote("#root")}`,
    ...record,
    ...fields.map(({ name }) => `o.${quote(name)}::varchar as ${jsonColumn(name)}`),
  ].join(", ")}
from (select ${[ROW, "line", ...record, `${object} as o`].join(", ")}
from (select ${unnested.join(", ")} from (select ${lists.join(", ")})))))`;
}

function fieldCondition(
  { name, type, nullable }: TopicConfig["fields"][number],
  kept: boolean,
  isTime: boolean,
): string {
  const declared = fieldType(type);
  const json = jsonColumn(name);
  const value = kept ? quote(name) : (declared?.read(json) ?? "null");
  const fits =
    !kept && declared?.check !== undefined
      ? declared.check(json)
      : [`${value} is not null`, ...(declared?.inRange === undefined ? [] : [declared.inRange(value)])].join(" and ");
  return nullable && !isTime ? `(${json} is null or (${fits}))` : fits;
}
