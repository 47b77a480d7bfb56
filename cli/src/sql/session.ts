/** Carries statements out on a live pipeline. */
import { sqlName, type StreamPipeline, tableTitle, type TopicConfig } from "@caudal/crds";
import { literal, placeOf, qualified } from "@caudal/workloads/postgres/core/identifiers";
import { stringify } from "yaml";
import type { DuckDB } from "@caudal/workloads/sql/duckdb";
import { StatementFailed } from "../errors.ts";
import { Database } from "../live/database.ts";
import type { Live } from "../live/live.ts";
import { Topics } from "../live/topics.ts";
import type { Printer } from "../output/printer.ts";
import { type Catalog, catalogOf } from "./catalog.ts";
import { managerOf, problemsWith, streamSpec } from "./create-stream.ts";
import { describeQuery, exactQuery, openQueries, runQuery, whyNotByRecord } from "./duck-query.ts";
import { printTopic } from "./print.ts";
import { readRelations } from "./relations.ts";
import { describe, showConnectors, showStreams, showTables, showTopics } from "./show.ts";
import { parseStatement, type Query, type Shown, withoutLimit } from "./statement.ts";
import { RECORD_COLUMNS, TopicTable } from "./topic-table.ts";

/** @param name as it is written, with quotes and schema, or the name alone @returns the table's title */
function tableOf({ tables }: Catalog, name: string): string | undefined {
  return tables.find((table) => table.name === tableTitle(name) || table.name === sqlName(name))?.name;
}

export interface SessionOptions {
  readonly live: Live;
  readonly printer: Printer;
  readonly write: boolean;
}

export class Session {
  readonly #live: Live;
  readonly #printer: Printer;
  readonly #write: boolean;
  #topics: Topics | undefined;
  #database: Database | undefined;
  /** Where PRINT and EMIT CHANGES begin when they do not say it. */
  #beginning = false;

  constructor({ live, printer, write }: SessionOptions) {
    this.#live = live;
    this.#printer = printer;
    this.#write = write;
  }

  /** What there is now, for completion. */
  async catalog(): Promise<Catalog> {
    return catalogOf(await this.#live.pipeline());
  }

  /** @param signal ends the statement @throws CliError */
  async execute(source: string, signal: AbortSignal): Promise<void> {
    const statement = parseStatement(source);
    switch (statement.kind) {
      case "show":
        return await this.#show(statement.what);
      case "describe":
        return await this.#describe(statement.name, signal);
      case "print": {
        const { topic, limit } = statement;
        const beginning = statement.beginning || this.#beginning;
        const reading = { beginning, follow: true, signal };
        return await printTopic(await this.#openTopics(), topic, reading, limit, this.#printer);
      }
      case "create stream":
        return await this.#createStream(statement.name, statement.select);
      case "drop stream":
        return await this.#dropStream(statement.name);
      case "set":
        return this.#set(statement.setting, statement.value);
      case "query":
        return await this.#query(statement, signal);
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#topics?.close(), this.#database?.close()]);
    await this.#live.close();
  }

  async #show(what: Shown): Promise<void> {
    const catalog = await this.catalog();
    switch (what) {
      case "TOPICS": {
        const topics = await this.#openTopics();
        const names = catalog.topics.map(({ config }) => config.name);
        const sizes = await Promise.all(names.map(async (name) => [name, await topics.size(name)] as const));
        return this.#printer.result(showTopics(catalog, new Map(sizes)));
      }
      case "CONNECTORS":
        return this.#printer.result(showConnectors(catalog));
      case "STREAMS":
        return this.#printer.result(showStreams(catalog));
      case "TABLES":
        return this.#printer.result(showTables(catalog));
    }
  }

  async #describe(name: string, signal: AbortSignal): Promise<void> {
    const pipeline = await this.#live.pipeline();
    const catalog = catalogOf(pipeline);
    const table = tableOf(catalog, name);
    if (table === undefined) return this.#printer.result(describe(pipeline, catalog, name));
    const sql = `select attname as column, format_type(atttypid, atttypmod) as type from pg_attribute
      where attrelid = to_regclass(${literal(qualified(placeOf(table)))}) and attnum > 0 and not attisdropped and attname !~ '^_' order by attnum`;
    await this.#askDatabase(sql, signal);
  }

  #set(setting: string, value: string): void {
    if (setting.toLowerCase() !== "auto.offset.reset" || !["earliest", "latest"].includes(value))
      throw new StatementFailed("write SET 'auto.offset.reset' = 'earliest', or 'latest'");
    this.#beginning = value === "earliest";
    this.#printer.note(`PRINT and EMIT CHANGES begin with ${this.#beginning ? "the first record" : "what comes"}`);
  }

  async #query(query: Query, signal: AbortSignal): Promise<void> {
    const catalog = await this.catalog();
    const topics = new Map(catalog.topics.map(({ config }) => [config.name, config]));
    // A table has its name for itself, unless changes are asked for: only topics have these.
    const isTopic = (name: string) => topics.has(name) && (query.emit || tableOf(catalog, name) === undefined);
    const { names, sql, words } = readRelations(query.sql, isTopic);
    const read = names.flatMap((name) => (isTopic(name) ? (topics.get(name) ?? []) : []));
    if (read.length === 0 && query.emit)
      throw new StatementFailed(
        `EMIT CHANGES follows a topic: write FROM one of ${[...topics.keys()].join(", ")}; a table is asked again`,
      );
    if (read.length === 0) return await this.#askDatabase(query.sql, signal);
    const withRecord = RECORD_COLUMNS.some((column) => words.has(column));
    await this.#askTopics({ ...query, sql }, read, withRecord, signal);
  }

  async #askTopics(
    asked: Query,
    read: readonly TopicConfig[],
    withRecord: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const duckdb = await openQueries();
    try {
      const tables = read.map((topic) => ({ topic, table: new TopicTable(duckdb, topic, { withRecord }) }));
      for (const { table } of tables) await table.replace([]);
      const names = read.map(({ name }) => name);
      const query = { ...asked, sql: await exactQuery(duckdb, asked.sql, names) };
      const columns = await describeQuery(duckdb, query.sql);
      const [first] = tables;
      // A LIMIT needs no more records than it shows.
      const endless = query.emit ? query : { ...query, ...withoutLimit(query.sql) };
      const reason = await whyNotByRecord(duckdb, endless.sql);
      if (query.emit && reason !== undefined)
        throw new StatementFailed(
          `${reason} has no end to wait for with EMIT CHANGES: leave out EMIT CHANGES to ask about what is there, or let an aggregator keep a table`,
        );
      if (reason === undefined && first !== undefined) await this.#follow(duckdb, endless, first, columns, signal);
      else await this.#askAll(duckdb, query, tables, columns, signal);
    } finally {
      duckdb.close();
    }
  }

  /** Record by record: nothing is kept. */
  async #follow(
    duckdb: DuckDB,
    { sql, emit, limit }: Query,
    { topic, table }: { readonly topic: TopicConfig; readonly table: TopicTable },
    columns: Awaited<ReturnType<typeof describeQuery>>,
    signal: AbortSignal,
  ): Promise<void> {
    const show = this.#printer.stream();
    let [shown, bad] = [0, 0];
    const reading = { beginning: !emit || this.#beginning, follow: emit, signal };
    if (limit !== 0)
      for await (const blocks of (await this.#openTopics()).read(topic.name, reading)) {
        bad += await table.replace(blocks);
        const { rows } = await runQuery(duckdb, sql, columns);
        const part = rows.slice(0, limit === undefined ? rows.length : limit - shown);
        shown += part.length;
        if (part.length > 0) show({ columns, rows: part });
        if (shown === limit) break;
      }
    if (shown === 0) show({ columns, rows: [] });
    this.#tellBad(bad);
  }

  /** All that is there now is held while the query runs. */
  async #askAll(
    duckdb: DuckDB,
    { sql }: Query,
    tables: readonly { readonly topic: TopicConfig; readonly table: TopicTable }[],
    columns: Awaited<ReturnType<typeof describeQuery>>,
    signal: AbortSignal,
  ): Promise<void> {
    const topics = await this.#openTopics();
    let bad = 0;
    for (const { topic, table } of tables)
      for await (const blocks of topics.read(topic.name, { beginning: true, follow: false, signal }))
        bad += await table.add(blocks);
    if (signal.aborted) return;
    this.#printer.result(await runQuery(duckdb, sql, columns));
    this.#tellBad(bad);
  }

  #tellBad(bad: number): void {
    if (bad > 0)
      this.#printer.note(
        `${bad} ${bad === 1 ? "record is no event" : "records are no events"} and left out: PRINT shows them`,
      );
  }

  async #askDatabase(sql: string, signal: AbortSignal): Promise<void> {
    if (this.#database === undefined) {
      const secret = await this.#live.database();
      if (secret === undefined)
        throw new StatementFailed(
          "the pipeline has no database, and the statement names no topic: SHOW TOPICS has them",
        );
      this.#database = new Database(secret, { write: this.#write });
    }
    for (const answer of await this.#database.query(sql, signal))
      if (answer.kind === "rows") this.#printer.result(answer.result);
      else this.#printer.note(answer.words);
  }

  async #createStream(name: string, select: string): Promise<void> {
    const pipeline = await this.#live.pipeline();
    const spec = await streamSpec(pipeline, name, select);
    const problems = await problemsWith(pipeline, spec);
    if (problems.length > 0) throw new StatementFailed(problems.join("\n"));
    await this.#live.apply(managerOf(name), { ...spec });
    this.#printer.text(stringify(spec, { lineWidth: 0, version: "1.1" }).trimEnd());
    this.#printer.note(`written into StreamPipeline/${pipeline.metadata.name} by the field manager ${managerOf(name)}`);
  }

  async #dropStream(name: string): Promise<void> {
    const pipeline = await this.#live.pipeline();
    const manager = managerOf(name);
    if (!(await this.#live.managers()).includes(manager)) throw new StatementFailed(notOurs(pipeline, name));
    await this.#live.apply(manager, {});
    this.#printer.note(
      `the stream ${name} left StreamPipeline/${pipeline.metadata.name}; its topic and records are kept`,
    );
  }

  async #openTopics(): Promise<Topics> {
    this.#topics ??= new Topics(await this.#live.kafka());
    return this.#topics;
  }
}

function notOurs({ spec, metadata }: StreamPipeline, name: string): string {
  const known = (spec.transforms ?? []).some((stage) => stage.name === name);
  return known
    ? `${name} was not made by CREATE STREAM: remove the transform from the file of StreamPipeline/${metadata.name}, and apply that`
    : `there is no stream ${name}: SHOW STREAMS names those of the pipeline`;
}
