/** Carries statements and backslash commands out on a live pipeline. What one of them needs is imported by that one. */
import { readTableName, sqlName, type StreamPipeline, tableTitle } from "@caudal/crds";
import { literal, placeOf, qualified } from "@caudal/workloads/postgres/core/identifiers";
import { StatementFailed } from "../errors.ts";
import type { Database } from "../live/database.ts";
import type { Live } from "../live/live.ts";
import type { Topics } from "../live/topics.ts";
import type { Printer } from "../output/printer.ts";
import { type Catalog, catalogOf } from "./catalog.ts";
import { PROMPT_HELP } from "./help.ts";
import { type Meta, parseMeta } from "./meta.ts";
import { placeText } from "./place.ts";
import { readRelations, type Relation } from "./relations.ts";
import type { Piece } from "./script.ts";
import { changeSettings } from "./settings.ts";
import {
  describe,
  showAll,
  showConnectors,
  showPipelines,
  showStreams,
  showTables,
  showTopics,
  topicNames,
  unknownName,
} from "./show.ts";
import { nothingToShow, parseStatement, type Query, type Shown } from "./statement.ts";
import { aboutRelation, noRelation } from "./unknown-relation.ts";

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
  #topics: Promise<Topics> | undefined;
  #database: Promise<Database | undefined> | undefined;
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

  /**
   * Carries one piece of a script out.
   *
   * @param signal ends it
   * @returns whether the script goes on: not behind `\q`
   * @throws CliError; its message shows the place in what was typed
   */
  async execute(piece: Piece, signal: AbortSignal): Promise<boolean> {
    try {
      if (piece.kind === "command") return await this.#command(parseMeta(piece.text), signal);
      const { settings } = this.#printer;
      const { expanded } = settings;
      if (piece.expanded) settings.expanded = "on";
      try {
        await this.#statement(piece.text, signal);
      } finally {
        settings.expanded = expanded;
      }
      return true;
    } catch (error) {
      if (!(error instanceof StatementFailed) || error.at === undefined) throw error;
      throw new StatementFailed(`${error.message}\n${placeText(piece.text, error.at, piece.line)}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    const close = async (opened: Promise<{ close(): Promise<void> } | undefined> | undefined) =>
      await (await opened)?.close();
    await Promise.allSettled([close(this.#topics), close(this.#database)]);
    await this.#live.close();
  }

  async #command(meta: Meta, signal: AbortSignal): Promise<boolean> {
    switch (meta.kind) {
      case "quit":
        return false;
      case "help":
        await this.#printer.long(PROMPT_HELP.trimEnd());
        break;
      case "list":
        await this.#printer.result(showAll(await this.catalog(), meta.pattern));
        break;
      case "show":
        await this.#show(meta.what);
        break;
      case "describe":
        await this.#describe(meta.name, meta.at, signal);
        break;
      default:
        for (const line of changeSettings(this.#printer.settings, meta)) this.#printer.note(line);
    }
    return true;
  }

  async #statement(source: string, signal: AbortSignal): Promise<void> {
    const statement = parseStatement(source);
    switch (statement.kind) {
      case "show":
        return await this.#show(statement.what);
      case "setting":
        return await this.#showSetting(statement.name, statement.at, signal);
      case "describe":
        return await this.#describe(statement.name, statement.at, signal);
      case "print": {
        const { printTopic } = await import("./print.ts");
        const { topic, limit } = statement;
        const catalog = await this.catalog();
        const topics = await this.#openTopics();
        // Kafka may have topics that the pipeline has not.
        if (!catalog.topics.some(({ config }) => config.name === topic) && (await topics.size(topic)) === undefined)
          throw noRelation(topic, { ...catalog, tables: [], streams: [] }, statement.at, undefined, "topic");
        const reading = { beginning: statement.beginning || this.#beginning, follow: true, signal };
        return await printTopic(topics, topic, reading, limit, this.#printer);
      }
      case "create stream":
        return await this.#createStream(statement);
      case "drop stream":
        return await this.#dropStream(statement.name);
      case "set":
        return this.#set(statement.setting, statement.value);
      case "query":
        return await this.#query(statement, signal);
    }
  }

  async #show(what: Shown): Promise<void> {
    if (what === "PIPELINES") {
      const [here, all] = await Promise.all([this.#live.pipeline(), this.#live.pipelines()]);
      return await this.#printer.result(showPipelines(all, here.metadata.name));
    }
    const catalog = await this.catalog();
    switch (what) {
      case "TOPICS": {
        const topics = await this.#openTopics();
        const names = catalog.topics.map(({ config }) => config.name);
        const sizes = await Promise.all(names.map(async (name) => [name, await topics.size(name)] as const));
        return await this.#printer.result(showTopics(catalog, new Map(sizes)));
      }
      case "CONNECTORS":
        return await this.#printer.result(showConnectors(catalog));
      case "STREAMS":
        return await this.#printer.result(showStreams(catalog));
      case "TABLES":
        return await this.#printer.result(showTables(catalog));
    }
  }

  /** A setting of PostgreSQL's, such as TimeZone. */
  async #showSetting(name: string, at: number, signal: AbortSignal): Promise<void> {
    const database = await this.#openDatabase();
    if (database === undefined) throw nothingToShow(name, at);
    try {
      await this.#printAnswers(database, `show ${name}`, signal);
    } catch (error) {
      throw error instanceof StatementFailed ? nothingToShow(name, at, error) : error;
    }
  }

  /** @param name as it is written @param at where that is */
  async #describe(name: string, at: number, signal: AbortSignal): Promise<void> {
    const pipeline = await this.#live.pipeline();
    const catalog = catalogOf(pipeline);
    const plain = /^".*"$/.test(name) ? name.slice(1, -1).replaceAll('""', '"') : name;
    const table = tableOf(catalog, name);
    const described = table === undefined ? describe(pipeline, catalog, plain) : undefined;
    if (described !== undefined) return await this.#printer.result(described);
    const ref = table === undefined ? readTableName(name) : placeOf(table);
    const database = typeof ref === "string" ? undefined : await this.#openDatabase();
    if (typeof ref === "string" || database === undefined) throw unknownName(catalog, plain, at);
    const sql = `select attname as column, format_type(atttypid, atttypmod) as type from pg_attribute
      where attrelid = to_regclass(${literal(qualified(ref))}) and attnum > 0 and not attisdropped and attname !~ '^_' order by attnum`;
    const [answer] = await database.query(sql, signal);
    if (answer?.kind === "rows" && answer.result.rows.length > 0) return await this.#printer.result(answer.result);
    if (table === undefined) throw unknownName(catalog, plain, at);
    throw new StatementFailed(
      `the table ${table} does not exist yet: the stage that writes it makes it when it starts`,
      {
        at,
      },
    );
  }

  #set(setting: string, value: string): void {
    if (setting.toLowerCase() !== "auto.offset.reset" || !["earliest", "latest"].includes(value))
      throw new StatementFailed("write SET 'auto.offset.reset' = 'earliest', or 'latest'", { at: 0 });
    this.#beginning = value === "earliest";
    this.#printer.note(`PRINT and EMIT CHANGES begin with ${this.#beginning ? "the first record" : "what comes"}`);
  }

  async #query(query: Query, signal: AbortSignal): Promise<void> {
    const catalog = await this.catalog();
    const topics = new Map(catalog.topics.map(({ config }) => [config.name, config]));
    // A table has its name for itself, unless changes are asked for: only topics have these.
    const topicOf = ({ name }: Relation) =>
      query.emit || tableOf(catalog, name) === undefined ? topics.get(name) : undefined;
    const read = readRelations(query.sql);
    const others = read.relations.filter(
      (one) => topicOf(one) === undefined && tableOf(catalog, one.name) === undefined,
    );
    const isOfTopics = read.relations.some((relation) => topicOf(relation) !== undefined);
    if (!isOfTopics && query.emit) throw this.#nothingToFollow(catalog, read.relations);
    try {
      if (!isOfTopics) return await this.#askDatabase(query.sql, others, catalog, signal);
      const { askTopics } = await import("./topic-query.ts");
      const around = {
        printer: this.#printer,
        topics: async () => await this.#openTopics(),
        database: async () => await this.#openDatabase(),
      };
      await askTopics({ query, read, topicOf, beginning: this.#beginning }, around, signal);
    } catch (error) {
      throw aboutRelation(error, query.sql, others, catalog);
    }
  }

  #nothingToFollow(catalog: Catalog, [first]: readonly Relation[]): StatementFailed {
    if (first !== undefined && tableOf(catalog, first.name) === undefined)
      return noRelation(first.name, { ...catalog, tables: [] }, first.from, undefined, "topic");
    return new StatementFailed(
      `EMIT CHANGES follows a topic: write FROM one of ${topicNames(catalog).join(", ")}; a table is asked again`,
      { at: first?.from },
    );
  }

  async #askDatabase(
    sql: string,
    [unknown]: readonly Relation[],
    catalog: Catalog,
    signal: AbortSignal,
  ): Promise<void> {
    const database = await this.#openDatabase();
    if (database !== undefined) return await this.#printAnswers(database, sql, signal);
    if (unknown !== undefined) throw noRelation(sql.slice(unknown.from, unknown.to), catalog, unknown.from);
    throw new StatementFailed("the pipeline has no database, and the statement names no topic: SHOW TOPICS has them");
  }

  async #printAnswers(database: Database, sql: string, signal: AbortSignal): Promise<void> {
    for (const answer of await database.query(sql, signal))
      if (answer.kind === "rows") await this.#printer.result(answer.result);
      else this.#printer.note(answer.words);
  }

  async #createStream({ name, select, at }: { name: string; select: string; at: number }): Promise<void> {
    const { createStream } = await import("./create-stream.ts");
    const pipeline = await this.#live.pipeline();
    try {
      const { manager, spec, text } = await createStream(pipeline, name, select);
      await this.#live.apply(manager, { ...spec });
      this.#printer.text(text);
      this.#printer.note(`written into StreamPipeline/${pipeline.metadata.name} by the field manager ${manager}`);
    } catch (error) {
      if (!(error instanceof StatementFailed) || error.at === undefined) throw error;
      throw new StatementFailed(error.message, { at: at + error.at, cause: error });
    }
  }

  async #dropStream(name: string): Promise<void> {
    const { managerOf } = await import("./stream-names.ts");
    const pipeline = await this.#live.pipeline();
    const manager = managerOf(name);
    if (!(await this.#live.managers()).includes(manager)) throw new StatementFailed(notOurs(pipeline, name));
    await this.#live.apply(manager, {});
    this.#printer.note(
      `the stream ${name} left StreamPipeline/${pipeline.metadata.name}; its topic and records are kept`,
    );
  }

  async #openTopics(): Promise<Topics> {
    const open = async () => new (await import("../live/topics.ts")).Topics(await this.#live.kafka());
    return await (this.#topics ??= open().catch((error: unknown) => {
      this.#topics = undefined;
      throw error;
    }));
  }

  /** @returns undefined for a pipeline without one */
  async #openDatabase(): Promise<Database | undefined> {
    const open = async () => {
      const secret = await this.#live.database();
      if (secret === undefined) return undefined;
      const { Database } = await import("../live/database.ts");
      return new Database(secret, { write: this.#write });
    };
    return await (this.#database ??= open().catch((error: unknown) => {
      this.#database = undefined;
      throw error;
    }));
  }
}

function notOurs({ spec, metadata }: StreamPipeline, name: string): string {
  const known = (spec.transforms ?? []).some((stage) => stage.name === name);
  return known
    ? `${name} was not made by CREATE STREAM: remove the transform from the file of StreamPipeline/${metadata.name}, and apply that`
    : `there is no stream ${name}: SHOW STREAMS names those of the pipeline`;
}
