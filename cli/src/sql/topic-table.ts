/** Records of a topic as a table of DuckDB: its declared fields in their types, and where each record is from. */
import type { TopicConfig } from "@caudal/crds";
import { type RecordBlock, valueAt } from "@caudal/workloads/kafka/record-block";
import { ROW } from "@caudal/workloads/kernel/event-columns";
import { endOfSlice, EventReader, goodRows } from "@caudal/workloads/kernel/event-reader";
import { EventTable } from "@caudal/workloads/kernel/event-table";
import type { DuckDB } from "@caudal/pipeline/duckdb";
import { duckdbTypeOf, quote } from "@caudal/pipeline/sql";
import { RECORD_COLUMNS, RECORD_TYPES } from "./record-columns.ts";

export interface TopicTableOptions {
  /** Whether the record's own columns are among those of `*`. */
  readonly withRecord: boolean;
}

/** Records are read as a stage reads them; those that are no events are left out. */
export class TopicTable {
  readonly #duckdb: DuckDB;
  readonly #topic: TopicConfig;
  readonly #raw: string;
  readonly #name: string;
  readonly #withRecord: boolean;
  readonly #events: EventReader;
  readonly #table: EventTable;
  #opened = false;

  /** The table gets the topic's name. */
  constructor(duckdb: DuckDB, topic: TopicConfig, { withRecord }: TopicTableOptions) {
    this.#duckdb = duckdb;
    this.#topic = topic;
    this.#raw = quote(`records of ${topic.name}`);
    this.#name = `memory.main.${quote(topic.name)}`;
    this.#withRecord = withRecord || topic.fields.length === 0;
    this.#events = new EventReader(topic, new Set(topic.fields.map(({ name }) => name)));
    const columns = topic.fields.flatMap(({ name, type }) => {
      const column = this.#events.columns.get(name);
      return column === undefined ? [] : [[name, duckdbTypeOf(type), column] as const];
    });
    this.#table = new EventTable(columns, `of ${topic.name}`);
  }

  /** Puts these records in place of those before. @returns how many of them are no events */
  async replace(blocks: readonly RecordBlock[]): Promise<number> {
    await this.#open();
    await this.#duckdb.connection.run(`delete from ${this.#name}`);
    return await this.add(blocks);
  }

  /** @returns how many of the records are no events */
  async add(blocks: readonly RecordBlock[]): Promise<number> {
    await this.#open();
    let bad = 0;
    for (const block of blocks)
      for (let from = 0; from < block.count;) {
        const end = endOfSlice(block, from, block.count);
        bad += await this.#addSlice(block, from, end);
        from = end;
      }
    return bad;
  }

  async #open(): Promise<void> {
    if (this.#opened) return;
    const { connection } = this.#duckdb;
    const record = RECORD_COLUMNS.map((name, index) => `${name} ${RECORD_TYPES[index] ?? ""}`);
    const fields = this.#topic.fields.map(({ name, type }) => `${quote(name)} ${duckdbTypeOf(type)}`);
    await connection.run(`create table ${this.#raw} (${[`${ROW} integer`, ...record].join(", ")})`);
    await connection.run(`create table ${this.#name} (${[...fields, ...(this.#withRecord ? record : [])].join(", ")})`);
    this.#opened = true;
  }

  async #addSlice(block: RecordBlock, from: number, to: number): Promise<number> {
    const { connection } = this.#duckdb;
    const fields = this.#topic.fields.map(({ name }) => `e.${quote(name)}`);
    const record = this.#withRecord ? RECORD_COLUMNS.map((name) => `r.${name}`) : [];
    // Records without declared fields are shown whatever they hold.
    const findings = fields.length === 0 ? new Map<number, never>() : this.#events.read(block, from, to);
    const rows = goodRows(to - from, findings);
    if (rows.length === 0) return to - from;
    if (this.#withRecord) await this.#appendRecords(block, from, rows);
    const events = fields.length > 0 ? `(${await this.#table.load(this.#duckdb, rows)}) as e` : "";
    const joined = this.#withRecord ? `${events} join ${this.#raw} as r on e.${ROW} = r.${ROW}` : events;
    await connection.run(
      `insert into ${this.#name} select ${[...fields, ...record].join(", ")}
       from ${fields.length === 0 ? `${this.#raw} as r` : joined} order by ${fields.length === 0 ? "r" : "e"}.${ROW}`,
    );
    this.#events.renewTexts([]);
    return to - from - rows.length;
  }

  async #appendRecords(block: RecordBlock, from: number, rows: Int32Array): Promise<void> {
    const { connection } = this.#duckdb;
    await connection.run(`delete from ${this.#raw}`);
    const { DuckDBTimestampTZValue } = await import("@caudal/pipeline/duckdb-library");
    const appender = await connection.createAppender(`records of ${this.#topic.name}`);
    for (const row of rows) {
      appender.appendInteger(row);
      appender.appendTimestampTZ(new DuckDBTimestampTZValue(BigInt(block.timestamps[from + row] ?? 0) * 1000n));
      appender.appendInteger(block.partition);
      appender.appendBigInt(BigInt(block.offsets[from + row] ?? 0));
      appendText(appender, block.original(from + row).key);
      appendText(appender, valueAt(block, from + row));
      appender.endRow();
    }
    appender.closeSync();
  }
}

function appendText(appender: { appendNull(): void; appendVarchar(text: string): void }, bytes: Buffer | null): void {
  if (bytes === null) appender.appendNull();
  else appender.appendVarchar(bytes.toString());
}
