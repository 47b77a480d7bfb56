/** Records of a topic as a table of DuckDB: its declared fields in their types, and where each record is from. */
import { fieldPlace, type TopicConfig } from "@caudal/crds";
import { type RecordBlock, valueAt } from "@caudal/workloads/kafka/record-block";
import type { DuckDB } from "@caudal/workloads/sql/duckdb";
import { fieldType } from "@caudal/workloads/sql/fields";
import { quote, text } from "@caudal/workloads/sql/quote";

/** Columns that every topic has when a query names one of them. */
export const RECORD_COLUMNS = ["_time", "_partition", "_offset", "_key", "_value"] as const;

export interface TopicTableOptions {
  /** Whether the record's own columns are among those of `*`. */
  readonly withRecord: boolean;
}

export class TopicTable {
  readonly #duckdb: DuckDB;
  readonly #raw: string;
  readonly #name: string;
  readonly #query: string;
  /** Names of headers that are fields. */
  readonly #headers: readonly string[];
  #opened = false;

  /** The table gets the topic's name. */
  constructor(duckdb: DuckDB, topic: TopicConfig, { withRecord }: TopicTableOptions) {
    this.#duckdb = duckdb;
    this.#raw = `records of ${topic.name}`;
    this.#name = quote(topic.name);
    this.#headers = headersOf(topic);
    this.#query = eventQuery(quote(this.#raw), topic, withRecord || topic.fields.length === 0);
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
    const { connection } = this.#duckdb;
    await connection.run(`delete from ${quote(this.#raw)}`);
    const appender = await connection.createAppender(this.#raw);
    let count = 0;
    for (const block of blocks)
      for (let row = 0; row < block.count; row++, count++) {
        const { key, headers } = block.original(row);
        appender.appendBigInt(BigInt(block.timestamps[row] ?? 0));
        appender.appendInteger(block.partition);
        appender.appendBigInt(BigInt(block.offsets[row] ?? 0));
        appendText(appender, key);
        appendText(appender, valueAt(block, row));
        for (const name of this.#headers)
          appendText(appender, headers.findLast(([header]) => header === name)?.[1] ?? null);
        appender.endRow();
      }
    appender.closeSync();
    const result = await connection.run(`insert into ${this.#name} ${this.#query}`);
    return count - result.rowsChanged;
  }

  async #open(): Promise<void> {
    if (this.#opened) return;
    const { connection } = this.#duckdb;
    await connection.run(
      `create table ${quote(this.#raw)} (ms bigint, _partition integer, _offset bigint, _key varchar, _value varchar${this.#headers.map((name) => `, ${headerColumn(name)} varchar`).join("")})`,
    );
    await connection.run(`create table ${this.#name} as ${this.#query}`);
    this.#opened = true;
  }
}

function appendText(appender: { appendNull(): void; appendVarchar(text: string): void }, bytes: Buffer | null): void {
  if (bytes === null) appender.appendNull();
  else appender.appendVarchar(bytes.toString());
}

function headersOf({ fields }: TopicConfig): readonly string[] {
  const names = fields.flatMap((field) => {
    const place = fieldPlace(field);
    return place.kind === "header" ? [place.name] : [];
  });
  return [...new Set(names)];
}

const headerColumn = (name: string) => quote(`#header ${Buffer.from(name).toString("hex")}`);

/** JSON text of a field's value, where it is in the record. */
function jsonOf(field: TopicConfig["fields"][number]): string {
  const place = fieldPlace(field);
  switch (place.kind) {
    case "value": {
      const pointer = place.path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
      return `json_extract(doc, ${text(pointer)})::varchar`;
    }
    case "key":
      return "to_json(_key)::varchar";
    case "header":
      return `to_json(${headerColumn(place.name)})::varchar`;
    case "timestamp":
      return "case when ms >= 0 then ms::varchar end";
    default:
      return `_${place.kind}::varchar`;
  }
}

/** Each value is read as strictly as a stage reads it; records that are no events are left out. */
function eventQuery(raw: string, { fields }: TopicConfig, withRecord: boolean): string {
  const json = (name: string) => quote(`#json ${name}`);
  const texts = fields.map((field) => `nullif(${jsonOf(field)}, 'null') as ${json(field.name)}`);
  const values = fields.map(({ name, type }) => `${fieldType(type)?.read(json(name)) ?? "null"} as ${quote(name)}`);
  const good = fields.map(({ name, type, nullable }) => {
    const inRange = fieldType(type)?.inRange?.(quote(name));
    const fits = [`${quote(name)} is not null`, ...(inRange === undefined ? [] : [inRange])].join(" and ");
    return nullable ? `(${json(name)} is null or (${fits}))` : `(${fits})`;
  });
  const record = withRecord ? ["make_timestamptz(ms * 1000) as _time", ...RECORD_COLUMNS.slice(1)] : [];
  const document = "case when json_valid(_value) and prefix(ltrim(_value), '{') then _value end as doc";
  // Records without declared fields are shown whatever they hold.
  const condition = fields.length === 0 ? "" : ` where doc is not null and ${good.join(" and ")}`;
  return `select ${[...fields.map(({ name }) => quote(name)), ...record].join(", ")} from (
    select *${values.map((value) => `, ${value}`).join("")} from (
      select *${texts.map((value) => `, ${value}`).join("")} from (select *, ${document} from ${raw})))${condition}`;
}
