/** Queries that read topics, which DuckDB answers. In a module of its own: it is imported for them alone. */
import { readTableName, type TableRef, type TopicConfig } from "@caudal/crds";
import type { DuckDB } from "@caudal/pipeline/duckdb";
import { quote } from "@caudal/pipeline/sql";
import { StatementFailed } from "../errors.ts";
import type { Database } from "../live/database.ts";
import type { Topics } from "../live/topics.ts";
import type { Printer } from "../output/printer.ts";
import type { ResultColumn } from "../output/result.ts";
import { describeQuery, openQueries, orFailed, runQuery, whyNotByRecord } from "./duck-query.ts";
import { exactQuery } from "./exact-query.ts";
import { loadTable } from "./joined-tables.ts";
import { RECORD_COLUMNS } from "./record-columns.ts";
import { readQualifiers, type Relation, type Relations, rewriteRelations } from "./relations.ts";
import { type Query, withoutLimit } from "./statement.ts";
import { TopicTable } from "./topic-table.ts";

export interface TopicQuery {
  readonly query: Query;
  readonly read: Relations;
  /** The topic of a relation; undefined for what is none. */
  readonly topicOf: (relation: Relation) => TopicConfig | undefined;
  /** Whether a query that follows begins with the first record. */
  readonly beginning: boolean;
}

export interface Around {
  readonly printer: Printer;
  topics(): Promise<Topics>;
  /** undefined for a pipeline without one. */
  database(): Promise<Database | undefined>;
}

interface Loaded {
  readonly topic: TopicConfig;
  readonly table: TopicTable;
}

/** @throws StatementFailed with the place in the query as it was typed */
export async function askTopics(asked: TopicQuery, around: Around, signal: AbortSignal): Promise<void> {
  const { query, read, topicOf, beginning } = asked;
  const { relations, words } = read;
  const topics = [...new Set(relations.flatMap((relation) => topicOf(relation) ?? []))];
  const others = relations.filter((relation) => topicOf(relation) === undefined);
  refuseWrite(query.sql, topics);
  const duckdb = await openQueries();
  try {
    const withRecord = RECORD_COLUMNS.some((column) => words.has(column));
    const loaded = topics.map((topic) => ({ topic, table: new TopicTable(duckdb, topic, { withRecord }) }));
    for (const { table } of loaded) await table.replace([]);
    await loadTables(duckdb, query.sql, others, around, signal);
    if (signal.aborted) return;
    const named = [
      ...relations,
      ...readQualifiers(
        query.sql,
        topics.map(({ name }) => name),
      ),
    ];
    const { sql, placeBefore } = rewriteRelations(query.sql, named, (relation) => {
      const topic = topicOf(relation);
      return topic === undefined ? undefined : quote(topic.name);
    });
    const columns = await describeQuery(duckdb, sql, placeBefore);
    const exact = await exactQuery(duckdb, sql);
    const [first] = loaded;
    // A LIMIT needs no more records than it shows.
    const endless = query.emit ? { sql: exact, limit: query.limit } : withoutLimit(exact);
    const reason = await whyNotByRecord(duckdb, endless.sql);
    if (query.emit && reason !== undefined)
      throw new StatementFailed(
        `${reason} has no end to wait for with EMIT CHANGES: leave out EMIT CHANGES to ask about what is there, or let an aggregator keep a table`,
      );
    const work = { duckdb, columns, around, signal };
    if (reason === undefined && first !== undefined)
      await follow({ ...endless, emit: query.emit, beginning: !query.emit || beginning }, first, work);
    else await askAll(exact, loaded, work);
  } finally {
    duckdb.close();
  }
}

const READING = /^[\s(]*(?:select|with|from|values)\b/i;

function refuseWrite(sql: string, [topic]: readonly TopicConfig[]): void {
  if (READING.test(sql)) return;
  throw new StatementFailed(
    `${topic?.name ?? ""} is a topic, which SQL only reads: write SELECT … FROM ${quote(topic?.name ?? "")}; a transform (CREATE STREAM) writes what a SELECT gives`,
    { at: 0 },
  );
}

/** Tables of PostgreSQL that the query names besides. */
async function loadTables(
  duckdb: DuckDB,
  sql: string,
  others: readonly Relation[],
  around: Around,
  signal: AbortSignal,
): Promise<void> {
  const tables = new Map<string, readonly [schema: string, ref: TableRef]>();
  for (const { from, to } of others) {
    const written = sql.slice(from, to);
    const folded = written.replace(/"[^"]*"|[^"]+/g, (part) => (part.startsWith('"') ? part : part.toLowerCase()));
    const ref = readTableName(folded);
    if (typeof ref === "string" || definedHere(sql, written)) continue;
    // Without a schema it is found as DuckDB finds it.
    const schema = /^(?:"(?:[^"]|"")*"|[^".]+)[.]/.test(folded) ? ref.schema : "main";
    tables.set(`${quote(schema)}.${quote(ref.name)}`, [schema, ref]);
  }
  if (tables.size === 0) return;
  const database = await around.database();
  if (database === undefined) return;
  for (const [schema, ref] of tables.values()) await loadTable(duckdb, database, ref, schema, signal);
}

/** Whether WITH gives the name. */
function definedHere(sql: string, written: string): boolean {
  const escaped = written.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(
    `(?:\\bwith|\\brecursive|,)\\s*${escaped}\\s*(?:\\([^)]*\\)\\s*)?as\\s+(?:not\\s+)?(?:materialized\\s*)?\\(`,
    "i",
  ).test(sql.replaceAll(/\bas\(/gi, "as ("));
}

interface Work {
  readonly duckdb: DuckDB;
  readonly columns: readonly ResultColumn[];
  readonly around: Around;
  readonly signal: AbortSignal;
}

interface Following {
  readonly sql: string;
  readonly limit: number | undefined;
  readonly emit: boolean;
  readonly beginning: boolean;
}

/** Record by record: nothing is kept. */
async function follow(
  { sql, limit, emit, beginning }: Following,
  { topic, table }: Loaded,
  { duckdb, columns, around, signal }: Work,
): Promise<void> {
  const show = around.printer.stream();
  let [shown, bad] = [0, 0];
  if (limit !== 0)
    for await (const blocks of (await around.topics()).read(topic.name, { beginning, follow: emit, signal })) {
      bad += await orFailed(async () => await table.replace(blocks));
      const { rows } = await runQuery(duckdb, sql, columns);
      const part = rows.slice(0, limit === undefined ? rows.length : limit - shown);
      shown += part.length;
      if (part.length > 0) show.add({ columns, rows: part });
      if (shown === limit) break;
    }
  if (shown === 0) show.add({ columns, rows: [] });
  show.end();
  tellBad(around.printer, bad);
}

/** All that is there now is held while the query runs. */
async function askAll(sql: string, loaded: readonly Loaded[], work: Work): Promise<void> {
  const { duckdb, columns, around, signal } = work;
  const topics = await around.topics();
  let bad = 0;
  for (const { topic, table } of loaded)
    for await (const blocks of topics.read(topic.name, { beginning: true, follow: false, signal }))
      bad += await orFailed(async () => await table.add(blocks));
  if (signal.aborted) return;
  await around.printer.result(await runQuery(duckdb, sql, columns));
  tellBad(around.printer, bad);
}

function tellBad(printer: Printer, bad: number): void {
  if (bad > 0)
    printer.note(`${bad} ${bad === 1 ? "record is no event" : "records are no events"} and left out: PRINT shows them`);
}
