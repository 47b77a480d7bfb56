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
  readonly tables: readonly string[];
}

interface PipelineFile {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly database?: { readonly name?: string; readonly clusterRef?: { readonly name: string } };
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
    tables: (spec.aggregators ?? []).flatMap(({ tables }) => (tables ?? []).map(({ name }) => name)),
  };
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
