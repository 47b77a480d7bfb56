/** Answers of SHOW and DESCRIBE that need nothing but the pipeline. Pure. */
import type { StreamPipeline, TopicConfig } from "@caudal/crds";
import { fieldSql } from "@caudal/pipeline/sql";
import { stringify } from "yaml";
import { StatementFailed } from "../errors.ts";
import type { Result } from "../output/result.ts";
import type { TopicSize } from "../live/topics.ts";
import type { Catalog } from "./catalog.ts";
import { didYouMean } from "./guess.ts";
import { RECORD_COLUMNS, RECORD_TYPES } from "./record-columns.ts";

/** A list of our own: text columns, and nothing where there is nothing to say. */
export function textResult(names: readonly string[], rows: Result["rows"]): Result {
  return { columns: names.map((name) => ({ name, kind: "text" as const })), rows, blank: true };
}

/** @param sizes by topic; undefined for one that does not exist in Kafka */
export function showTopics({ topics }: Catalog, sizes: ReadonlyMap<string, TopicSize | undefined>): Result {
  return {
    blank: true,
    columns: [
      { name: "topic", kind: "text" },
      { name: "partitions", kind: "number" },
      { name: "records", kind: "number" },
      { name: "key", kind: "text" },
      { name: "holds", kind: "text" },
    ],
    rows: topics.map(({ config, deadLettersOf }) => {
      const size = sizes.get(config.name);
      const fields = config.fields.length === 0 ? "records without declared fields" : `${config.fields.length} fields`;
      const holds = deadLettersOf.length === 0 ? fields : `dead letters of ${deadLettersOf.join(", ")}`;
      return [
        config.name,
        size === undefined ? null : String(size.partitions),
        size === undefined ? null : String(size.records),
        config.key ?? null,
        size === undefined ? "does not exist yet" : holds,
      ];
    }),
  };
}

export function showTables({ tables }: Catalog): Result {
  return textResult(
    ["table", "stage", "topic", "window", "key"],
    tables.map(({ name, stage, topic, window, key }) => [name, stage, topic, window, key.join(", ") || null]),
  );
}

export function showStreams({ streams }: Catalog): Result {
  return textResult(
    ["stream", "from", "to", "state"],
    streams.map(({ transform: { name, topic, to }, state }) => [
      name,
      topic,
      to.map((output) => destinationOf(output)).join(", "),
      state,
    ]),
  );
}

export function showConnectors({ connectors }: Catalog): Result {
  return textResult(
    ["connector", "type", "table", "topic", "status"],
    connectors.map(({ name, type, table, topic, status }) => [name, type, table, topic, status]),
  );
}

/** @param here the name of the pipeline that the session is of */
export function showPipelines(pipelines: readonly StreamPipeline[], here: string): Result {
  return textResult(
    ["pipeline", "current", "ready", "stages", "message"],
    pipelines.map(({ metadata: { name, generation }, status }) => {
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      const seen = ready !== undefined && ready.observedGeneration === generation;
      const stages = status?.stages ?? [];
      const running = stages.filter(({ state }) => state === "Running").length;
      const message = ready?.status === "True" ? null : (ready?.message ?? null);
      return [
        name,
        name === here ? "yes" : null,
        seen ? ready.status : "Unknown",
        `${running} of ${stages.length} run`,
        seen ? message : "the operator has not looked at it yet as it is now",
      ];
    }),
  );
}

/**
 * Everything that has a name.
 *
 * @param pattern of the names that are listed, in which * and ? stand for any characters
 */
export function showAll({ topics, tables, streams, connectors }: Catalog, pattern: string | undefined): Result {
  const rows: [name: string, kind: string, from: string | null][] = [
    ...topics.map(({ config, deadLettersOf }): [string, string, string | null] => [
      config.name,
      "topic",
      deadLettersOf.length === 0 ? null : `dead letters of ${deadLettersOf.join(", ")}`,
    ]),
    ...tables.map(({ name, stage }): [string, string, string] => [name, "table", `${stage} writes it`]),
    ...streams.map(({ transform }): [string, string, string] => [transform.name, "stream", `reads ${transform.topic}`]),
    ...connectors.map(({ name, topic }): [string, string, string] => [name, "connector", `writes ${topic}`]),
  ];
  const fits = pattern === undefined ? undefined : patternOf(pattern);
  return textResult(
    ["name", "kind", "what"],
    rows.filter(([name]) => fits === undefined || fits.test(name) || fits.test(withoutQuotes(name))),
  );
}

function patternOf(pattern: string): RegExp {
  const escaped = withoutQuotes(pattern).replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "iu");
}

/** Without quotes. */
function withoutQuotes(name: string): string {
  return name.replaceAll('"', "");
}

/** What a guess may be, as it is written in SQL. */
export function namesOf(catalog: Catalog): readonly string[] {
  return [...topicNames(catalog), ...catalog.tables.map(({ name }) => name), ...catalog.streams.map(streamName)];
}

/** Topics as they stand in SQL: in quotes where they need them. */
export function topicNames({ topics }: Catalog): readonly string[] {
  return topics.map(({ config }) => fieldSql(config.name));
}

function streamName({ transform }: Catalog["streams"][number]): string {
  return fieldSql(transform.name);
}

function destinationOf(output: Readonly<Record<string, unknown>> & { readonly name: string }): string {
  const { name, ...ways } = output;
  const [[way, place] = [name, ""]] = Object.entries(ways);
  if (typeof place === "string") return `${way} ${place}`;
  const { name: table, path } = place as { readonly name?: string; readonly path?: string };
  return [way, table ?? path].filter((part) => part !== undefined).join(" ");
}

/**
 * A topic's fields, or the spec of a stream or connector.
 *
 * @returns undefined for a name that none of them has
 */
export function describe(pipeline: StreamPipeline, catalog: Catalog, name: string): Result | undefined {
  const topic = catalog.topics.find(({ config }) => config.name === name)?.config;
  if (topic !== undefined) return fieldsOf(topic);
  const { transforms = [], sources = [] } = pipeline.spec;
  const transform = transforms.find((stage) => stage.name === name);
  if (transform !== undefined) {
    const columns = pipeline.status?.stages?.find((stage) => stage.name === name)?.columns;
    if (columns === undefined) return specOf(transform);
    return textResult(
      ["column", "type"],
      columns.map((column) => [column.name, column.type]),
    );
  }
  const source = sources.find((stage) => stage.name === name);
  if (source !== undefined) return specOf(source);
  return undefined;
}

function fieldsOf({ fields, key, timestamp }: TopicConfig): Result {
  const own =
    fields.length > 0
      ? []
      : RECORD_COLUMNS.map((name, index) => [name, RECORD_TYPES[index] ?? "", "yes", "of each record"]);
  const rows = fields.map(({ name, type, nullable, from }) => [
    name,
    type,
    nullable ? "yes" : "no",
    [name === key && "key", name === timestamp && "event time", from !== undefined && `from ${from}`]
      .filter(Boolean)
      .join(", ") || null,
  ]);
  return textResult(["field", "type", "nullable", "is"], [...rows, ...own]);
}

/** @throws StatementFailed for a name that nothing has, with what is near it */
export function unknownName(catalog: Catalog, name: string, at: number | undefined, cause?: unknown): StatementFailed {
  const known = [...namesOf(catalog), ...catalog.connectors.map((connector) => connector.name)];
  const all = known.length === 0 ? "" : `: it has ${[...new Set(known)].join(", ")}`;
  return new StatementFailed(`the pipeline has no ${name}${didYouMean(name, known, all)}`, { at, cause });
}

function specOf(stage: object): Result {
  const lines = stringify(stage, { lineWidth: 0, version: "1.1" }).trimEnd().split("\n");
  return textResult(
    ["spec"],
    lines.map((line) => [line]),
  );
}
