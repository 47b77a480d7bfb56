/** Which example is shown, and what of it is worth waiting for: read from its pipeline. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { DemoFailed } from "./errors.ts";

export interface Example {
  readonly folder: string;
  readonly pipeline: string;
  /** CloudNativePG cluster and database with the results. */
  readonly databaseCluster: string;
  readonly database: string;
  readonly tables: readonly ExampleTable[];
  /** Queries over them that lie beside the pipeline, in the folder `dashboard`. */
  readonly queries: readonly ExampleQuery[];
  /** Images that its own pods name. */
  readonly images: readonly string[];
}

export interface ExampleQuery {
  readonly name: string;
  /** One statement without a semicolon. */
  readonly sql: string;
}

export interface ExampleTable {
  readonly name: string;
  /** Columns, the newest rows first: by name, or by number from 1. */
  readonly order: readonly (string | number)[];
}

interface PipelineFile {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly database?: { readonly name?: string; readonly clusterRef?: { readonly name: string } };
    readonly topics?: readonly { readonly name: string; readonly timestamp?: string }[];
    readonly transforms?: readonly {
      readonly topic: string;
      readonly to?: readonly { readonly table?: { readonly name: string; readonly key?: readonly string[] } }[];
    }[];
    readonly aggregators?: readonly { readonly tables?: readonly { readonly name: string }[] }[];
  };
}

/** What the text of a pipeline says about its results. */
export function describeExample(folder: string, text: string): Example {
  const { metadata, spec } = parse(text) as PipelineFile;
  return {
    folder,
    pipeline: metadata.name,
    databaseCluster: spec.database?.clusterRef?.name ?? `${metadata.name}-db`,
    database: spec.database?.name ?? metadata.name.replaceAll("-", "_"),
    tables: [...transformed(spec), ...aggregated(spec)],
    queries: queriesIn(join(folder, "dashboard")),
    images: imagesIn(folder),
  };
}

function queriesIn(folder: string): readonly ExampleQuery[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .sort()
    .map((file) => ({
      name: file.slice(0, -".sql".length),
      sql: readFileSync(join(folder, file), "utf8").trim().replace(/;$/, ""),
    }));
}

function imagesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const texts = readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => readFileSync(join(folder, file), "utf8"));
  return [
    ...new Set(
      texts.flatMap((text) => [...text.matchAll(/^\s+(?:- )?image: "?([^\s"]+)/gm)].map(([, name = ""]) => name)),
    ),
  ];
}

function aggregated({ aggregators = [] }: PipelineFile["spec"]): readonly ExampleTable[] {
  return aggregators.flatMap(({ tables = [] }) => tables.map(({ name }) => ({ name, order: ["window_start", 3] })));
}

/** Tables of events: the newest are those with the latest event time, which their select is taken to pass on. */
function transformed({ topics = [], transforms = [] }: PipelineFile["spec"]): readonly ExampleTable[] {
  return transforms.flatMap(({ topic, to = [] }) => {
    const timestamp = topics.find(({ name }) => name === topic)?.timestamp;
    return to.flatMap(({ table }) =>
      table === undefined ? [] : [{ name: table.name, order: [timestamp ?? table.key?.[0] ?? 1] }],
    );
  });
}

/** The example of a name, from the folder `examples`. */
export function findExample(examples: string, name: string): Example {
  const folder = join(examples, name);
  const file = join(folder, "pipeline.yaml");
  if (!existsSync(file)) {
    const names = readdirSync(examples).filter((entry) => existsSync(join(examples, entry, "pipeline.yaml")));
    throw new DemoFailed(`There is no example "${name}". There are: ${names.join(", ")}`);
  }
  return describeExample(folder, readFileSync(file, "utf8"));
}
