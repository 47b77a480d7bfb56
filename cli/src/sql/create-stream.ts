/** CREATE STREAM: the transform and the topic that a SELECT stands for. */
import { type Field, type StreamPipeline, type Topic, withDefaults } from "@caudal/crds";
import { duckdbTypeOf, fieldSql, quote } from "@caudal/pipeline/sql";
import { stringify } from "yaml";
import { StatementFailed } from "../errors.ts";
import { checkPipeline } from "../pipeline/check.ts";
import { describeQuery, openQueries, whyNotByRecord } from "./duck-query.ts";
import { didYouMean } from "./guess.ts";
import { isSymbol, isWord, lex, nameAt } from "./lexer.ts";
import { readRelations, type Rewritten, rewriteRelations } from "./relations.ts";
import { managerOf, stageName } from "./stream-names.ts";

/** The part of a pipeline's spec that makes the stream. */
export interface StreamSpec {
  readonly topics: readonly Readonly<Record<string, unknown>>[];
  readonly transforms: readonly Readonly<Record<string, unknown>>[];
}

export interface CreatedStream {
  readonly manager: string;
  readonly spec: StreamSpec;
  /** The spec as a person puts it into a file. */
  readonly text: string;
}

/** @throws StatementFailed for what the pipeline would not be accepted with; its place is one of the SELECT */
export async function createStream(pipeline: StreamPipeline, name: string, select: string): Promise<CreatedStream> {
  const spec = await streamSpec(pipeline, name, select);
  const problems = await problemsWith(pipeline, spec);
  if (problems.length > 0) throw new StatementFailed(problems.join("\n"));
  return { manager: managerOf(name), spec, text: stringify(spec, { lineWidth: 0, version: "1.1" }).trimEnd() };
}

/** @throws StatementFailed for a SELECT that is no transform, in words that say what to write */
async function streamSpec(pipeline: StreamPipeline, stream: string, select: string): Promise<StreamSpec> {
  const name = stageName(stream);
  if (name === "") throw new StatementFailed(`${stream} gives no name of a stage: write letters and digits`);
  const topics = new Map(pipeline.spec.topics.map((topic) => [topic.name, topic]));
  if (topics.has(stream))
    throw new StatementFailed(`there is a topic ${stream} already: write another name, or DROP STREAM ${stream}`);
  const { relations } = readRelations(select);
  const [from = "", ...more] = new Set(relations.map((relation) => relation.name));
  const source = topics.get(from);
  if (source === undefined || more.length > 0) {
    const known = [...topics.keys()].map(fieldSql);
    const wrong = source === undefined ? relations[0] : relations.find((relation) => relation.name !== from);
    throw new StatementFailed(
      `a stream reads one topic: write SELECT … FROM one of ${known.join(", ")}; to join two, keep one as a table and look it up in a transform${source === undefined ? didYouMean(from, known) : ""}`,
      { at: wrong?.from },
    );
  }
  const fields = await outputFields(
    rewriteRelations(select, relations, (relation) => quote(relation.name)),
    source,
  );
  const { expressions, where } = readSelect(select);
  const has = (field: string | undefined) => field !== undefined && fields.some((one) => one.name === field);
  const topic = {
    name: stream,
    ...(source.partitions === undefined || !source.managed ? {} : { partitions: source.partitions }),
    ...(has(source.key) ? { key: source.key } : {}),
    ...(has(source.timestamp) ? { timestamp: source.timestamp } : {}),
    fields,
  };
  const transform = {
    name,
    topic: from,
    ...(where === undefined ? {} : { where }),
    select: expressions,
    to: [{ name: "topic", topic: stream }],
  };
  return { topics: [topic], transforms: [transform] };
}

/** What is wrong with the pipeline once it has the stream. */
async function problemsWith(pipeline: StreamPipeline, { topics, transforms }: StreamSpec): Promise<readonly string[]> {
  const { status: _status, ...stored } = pipeline;
  const spec = {
    ...stored.spec,
    topics: [...stored.spec.topics, ...topics],
    transforms: [...(stored.spec.transforms ?? []), ...transforms],
  };
  return (await checkPipeline(withDefaults({ ...stored, spec }) as unknown as Readonly<Record<string, unknown>>))
    .problems;
}

/** The fields of the records, by DuckDB's types of the select over an empty topic. */
async function outputFields({ sql, placeBefore }: Rewritten, source: Topic): Promise<readonly Field[]> {
  const fields = source.fields ?? [];
  const duckdb = await openQueries();
  try {
    const columns = fields.map(({ name, type }) => `${quote(name)} ${duckdbTypeOf(type)}`);
    await duckdb.connection.run(`create table ${quote(source.name)} (${columns.join(", ")})`);
    await describeQuery(duckdb, sql, placeBefore);
    const reason = await whyNotByRecord(duckdb, sql);
    if (reason !== undefined)
      throw new StatementFailed(
        `${reason} looks at more than one record, and a stream makes one of each: an aggregator's table does that, see docs/windows.md`,
      );
    const rows = await duckdb.rows(`describe ${sql}`);
    return rows.map(({ column_name, column_type }) => {
      const name = String(column_name);
      const same = fields.find((field) => field.name === name && duckdbTypeOf(field.type) === column_type);
      return { name, type: same?.type ?? fieldTypeOf(String(column_type), name), nullable: same?.nullable ?? true };
    });
  } finally {
    duckdb.close();
  }
}

const FIELD_TYPES: Readonly<Record<string, string>> = {
  ...{
    VARCHAR: "string",
    UUID: "uuid",
    BOOLEAN: "boolean",
    JSON: "json",
    DATE: "date",
    DOUBLE: "double",
    FLOAT: "double",
  },
  ...{ TINYINT: "integer", SMALLINT: "integer", INTEGER: "integer", UTINYINT: "integer", USMALLINT: "integer" },
  ...{ BIGINT: "bigint", UINTEGER: "bigint", "TIMESTAMP WITH TIME ZONE": "timestamp", TIMESTAMP: "timestamp" },
};

function fieldTypeOf(duckdbType: string, column: string): string {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(duckdbType);
  if (decimal !== null) return `decimal(${decimal[1]},${decimal[2]})`;
  const type = FIELD_TYPES[duckdbType];
  if (type !== undefined) return type;
  throw new StatementFailed(
    `the column ${column} is of type ${duckdbType}, which no field has: cast it, such as (…)::varchar as ${column}`,
  );
}

interface Select {
  /** As a transform's `select` has them. */
  readonly expressions: readonly string[];
  readonly where: string | undefined;
}

/** Takes `SELECT a, f(b) AS c FROM topic WHERE …` apart. */
function readSelect(source: string): Select {
  const { tokens } = lex(source);
  const expressions: string[] = [];
  let depth = 0;
  let from = tokens[0]?.to ?? 0;
  for (const [index, token] of tokens.entries()) {
    if (isSymbol(token, "(") || isSymbol(token, "[")) depth++;
    if (isSymbol(token, ")") || isSymbol(token, "]")) depth--;
    if (depth > 0 || index === 0) continue;
    const ends = isWord(token, "FROM");
    if (!ends && !isSymbol(token, ",")) continue;
    expressions.push(source.slice(from, token.from).trim());
    from = token.to;
    if (!ends) continue;
    const next = nameAt(source, tokens, index + 1)?.next ?? tokens.length;
    const where = tokens[next];
    if (where === undefined) return { expressions, where: undefined };
    if (!isWord(where, "WHERE"))
      throw new StatementFailed(`"${where.value}" has no meaning here: write SELECT … FROM topic [WHERE …]`, {
        at: where.from,
      });
    return { expressions, where: source.slice(where.to).trim() };
  }
  throw new StatementFailed("write SELECT … FROM topic [WHERE …]");
}
