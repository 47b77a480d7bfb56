/** Answers of SHOW and DESCRIBE that need nothing but the pipeline. Pure. */
import type { StreamPipeline } from "@caudal/crds";
import { stringify } from "yaml";
import { StatementFailed } from "../errors.ts";
import type { Result } from "../output/result.ts";
import type { TopicSize } from "../live/topics.ts";
import type { Catalog } from "./catalog.ts";

/** A result of text columns. */
export function textResult(names: readonly string[], rows: Result["rows"]): Result {
  return { columns: names.map((name) => ({ name, kind: "text" as const })), rows };
}

/** @param sizes by topic; undefined for one that does not exist in Kafka */
export function showTopics({ topics }: Catalog, sizes: ReadonlyMap<string, TopicSize | undefined>): Result {
  return {
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

function destinationOf(output: Readonly<Record<string, unknown>> & { readonly name: string }): string {
  const { name, ...ways } = output;
  const [[way, place] = [name, ""]] = Object.entries(ways);
  if (typeof place === "string") return `${way} ${place}`;
  const { name: table, path } = place as { readonly name?: string; readonly path?: string };
  return [way, table ?? path].filter((part) => part !== undefined).join(" ");
}

/** A topic's fields, or the spec of a stream or connector. @throws StatementFailed for a name that nothing has */
export function describe(pipeline: StreamPipeline, catalog: Catalog, name: string): Result {
  const topic = catalog.topics.find(({ config }) => config.name === name)?.config;
  if (topic !== undefined)
    return textResult(
      ["field", "type", "nullable", "is"],
      topic.fields.map((field) => [
        field.name,
        field.type,
        field.nullable ? "yes" : "no",
        [
          field.name === topic.key && "key",
          field.name === topic.timestamp && "event time",
          field.from !== undefined && `from ${field.from}`,
        ]
          .filter(Boolean)
          .join(", ") || null,
      ]),
    );
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
  const names = [
    ...catalog.topics.map(({ config }) => config.name),
    ...catalog.tables.map((table) => table.name),
    ...catalog.streams.map((stream) => stream.transform.name),
    ...catalog.connectors.map((connector) => connector.name),
  ];
  throw new StatementFailed(`the pipeline has no ${name}: it has ${names.join(", ")}`);
}

function specOf(stage: object): Result {
  const lines = stringify(stage, { lineWidth: 0, version: "1.1" }).trimEnd().split("\n");
  return textResult(
    ["spec"],
    lines.map((line) => [line]),
  );
}
