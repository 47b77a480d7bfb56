/** From bytes to columns: a slice of a block becomes the table `event`, in which every row is a good event. */
import type { TopicConfig } from "@caudal/crds";
import { type Finding, finding } from "./bad-rows.ts";
import type { DuckDB } from "./duckdb.ts";
import { OK, ROW, rowList, TIME } from "./event-columns.ts";
import { findTooFarAhead, safeUntil } from "./event-time.ts";
import { explain } from "./explain.ts";
import { fieldType, jsonColumn } from "./fields.ts";
import { Lines, lineText, type Slice, timestampLines } from "./lines.ts";
import { quote, text } from "./quote.ts";

/** A row that is missing or doubled would break exactness: nothing may go on after it. */
export class RowsLost extends Error {
  readonly code = "ROWS_LOST";
  readonly reason = "RowsLost";
  readonly retryable = false;
}

/** What a slice gave. */
export interface Loaded {
  /** Why the rows that are no events are none. */
  readonly findings: Map<number, Finding>;
  /** The latest event's time in microseconds, as text; null without events. */
  readonly latest: unknown;
}

export class EventTable {
  readonly #duckdb: DuckDB;
  readonly #topic: TopicConfig;
  readonly #sql: string;

  readonly #maxAheadMs: number;

  /** @param fields those that SQL reads; the others are checked all the same */
  constructor(duckdb: DuckDB, topic: TopicConfig, fields: ReadonlySet<string>, maxAheadMs: number) {
    this.#maxAheadMs = maxAheadMs;
    this.#duckdb = duckdb;
    this.#topic = topic;
    this.#sql = `create or replace temp table event as ${eventQuery(topic, fields)}`;
  }

  /**
   * Reads the slice's lines. Each row is in `event` or among the findings, never in both.
   *
   * @throws RowsLost when DuckDB does not give a row for each line
   */
  async load(slice: Slice): Promise<Loaded> {
    const lines = new Lines(slice);
    await this.#read(lines);
    const safe = safeUntil(slice, this.#maxAheadMs);
    const [counts] = await this.#duckdb.rows(
      `select count(*)::integer as n, (count(*) filter (not ${OK}))::integer as bad,
        (count(*) filter (${OK} and ${safe === null ? "false" : `${TIME} > ${safe}::hugeint`}))::integer as suspects,
        (max(${TIME}) filter (${OK}))::varchar as latest from event`,
    );
    const expected = slice.to - slice.from;
    if (counts?.["n"] !== expected)
      throw new RowsLost(
        `DuckDB made ${String(counts?.["n"])} rows of ${expected} records; this is a bug, nothing is lost`,
      );
    const findings = counts["bad"] === 0 ? new Map<number, Finding>() : await this.#takeOutBad(lines);
    if (safe === null || counts["suspects"] === 0) return { findings, latest: counts["latest"] };
    const ahead = await findTooFarAhead(this.#duckdb, slice, this.#maxAheadMs, safe);
    if (ahead.size === 0) return { findings, latest: counts["latest"] };
    for (const [row, found] of ahead) findings.set(row, found);
    return { findings, latest: await this.takeOut(ahead.keys()) };
  }

  /** Removes rows. @returns the latest time that is left */
  async takeOut(rows: Iterable<number>): Promise<unknown> {
    await this.#duckdb.connection.run(`delete from event where ${ROW} in (${rowList(rows)})`);
    const [left] = await this.#duckdb.rows(`select max(${TIME})::varchar as latest from event`);
    return left?.["latest"];
  }

  async #takeOutBad({ slice, findings }: Lines): Promise<Map<number, Finding>> {
    const bad = await this.#duckdb.rows(`select ${ROW} as n from event where not ${OK}`);
    const found = bad.map(({ n }) => {
      const row = Number(n);
      return [row, findings.get(row) ?? this.#explain(slice, row)] as const;
    });
    await this.#duckdb.connection.run(`delete from event where not ${OK}`);
    return new Map(found);
  }

  async #read(lines: Lines): Promise<void> {
    try {
      await this.#run(lines);
    } catch (error) {
      // One line that is no JSON fails them all: find such lines, and read the others.
      const malformed = await this.#malformedRows(lines);
      if (malformed.length === 0) throw error;
      for (const row of malformed) lines.blank(row, this.#explainMalformed(lines.slice, row));
      await this.#run(lines);
    }
  }

  async #run(lines: Lines): Promise<void> {
    // A prepared CREATE TABLE AS makes a table without columns when it is run again (DuckDB 1.5.6).
    const statement = await this.#duckdb.connection.prepare(this.#sql);
    try {
      statement.bindBlob(1, lines.bytes);
      statement.bindInteger(2, lines.slice.from);
      if (this.#topic.timestamp === undefined) statement.bindBlob(3, timestampLines(lines.slice));
      await statement.run();
    } finally {
      statement.destroySync();
    }
  }

  async #malformedRows(lines: Lines): Promise<readonly number[]> {
    const statement = await this.#duckdb.connection.prepare(
      `select n from (select unnest(l) as line, generate_subscripts(l, 1) as n from (select string_split(decode($1::blob), chr(10)) as l)) where not json_valid(line)`,
    );
    try {
      statement.bindBlob(1, lines.bytes);
      const rows = (await statement.runAndReadAll()).getRows();
      return rows.map(([n]) => Number(n) - 1 + lines.slice.from);
    } finally {
      statement.destroySync();
    }
  }

  #explainMalformed({ block }: Slice, row: number): Finding {
    const found = explain(lineText(block, row), [], undefined);
    // What JavaScript reads and DuckDB does not is text with half of a surrogate pair.
    return found.reason === "MalformedJson" ? found : finding("InvalidText", "a text holds half of a surrogate pair");
  }

  #explain({ block }: Slice, row: number): Finding {
    if (this.#topic.timestamp === undefined && (block.timestamps[row] ?? -1) < 0)
      return finding("OutOfRange", "the record has no time, and the topic no timestamp field");
    return explain(lineText(block, row), this.#topic.fields, this.#topic.timestamp);
  }
}

/** The query that reads lines ($1), numbered from $2, with the records' times ($3) where no field is the event time. */
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
  const lists = [`${split("$1")} as l`, ...(timestamp === undefined ? [`${split("$3")} as t`] : [])];
  const unnested = [
    `generate_subscripts(l, 1)::integer - 1 + $2::integer as ${ROW}`,
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
