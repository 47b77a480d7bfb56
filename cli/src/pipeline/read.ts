/** StreamPipelines in a file of YAML documents. */
import { LineCounter, parseAllDocuments, visit } from "yaml";
import { KIND } from "@caudal/crds";
import { FileInvalid } from "../errors.ts";
import { Places } from "./places.ts";
import { readText } from "./read-text.ts";

/** A pipeline as it was written: nothing of it has been checked. */
export type WrittenPipeline = Readonly<Record<string, unknown>>;

/** Of pipelines that were read from a file: where their parts stand in it. */
const places = new WeakMap<WrittenPipeline, Places>();

/** @returns undefined for a pipeline that was not read from a file */
export function placesOf(pipeline: WrittenPipeline): Places | undefined {
  return places.get(pipeline);
}

/**
 * Reads all pipelines of a file.
 *
 * @param file path; `-` is standard input
 * @throws FileInvalid when there is none
 */
export async function readPipelines(file: string): Promise<readonly WrittenPipeline[]> {
  const source = await readText(file);
  if (SQL.test(source))
    throw new FileInvalid(
      `${file} holds SQL: a StreamPipeline is YAML, with one expression in each of select, where, groupBy and aggregates; give CREATE STREAM … AS SELECT to the prompt of caudal sql, which makes a pipeline of it`,
    );
  const pipelines = parsePipelines(source, file);
  if (pipelines.length === 0)
    throw new FileInvalid(`${file} holds no ${KIND}: name the file that has \`kind: ${KIND}\``);
  return pipelines;
}

/**
 * Reads the one pipeline of a file. Documents of other kinds are passed over.
 *
 * @param file path; `-` is standard input
 * @param name of the pipeline, where the file has several
 * @throws FileInvalid when there is none, or more than one to choose from
 */
export async function readPipeline(file: string, name?: string): Promise<WrittenPipeline> {
  const pipelines = await readPipelines(file);
  const found = name === undefined ? pipelines : pipelines.filter((pipeline) => nameOf(pipeline) === name);
  const [pipeline] = found;
  const names = pipelines.map(nameOf).join(", ");
  if (pipeline === undefined) throw new FileInvalid(`${file} holds no pipeline ${name ?? ""}: it has ${names}`);
  if (found.length > 1)
    throw new FileInvalid(`${file} holds ${found.length} pipelines (${names}): choose one with --pipeline NAME`);
  return pipeline;
}

/** @throws FileInvalid with the place, for what is no YAML */
export function parsePipelines(source: string, file: string): readonly WrittenPipeline[] {
  const lineCounter = new LineCounter();
  return parseAllDocuments(source, { lineCounter }).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new FileInvalid(`${file} is no YAML: ${error.message}`);
    visit(document, {
      Scalar: (_, node) => {
        // As kubectl reads YAML: what is not in quotes and means true or false in YAML 1.1 is no text.
        if (node.type === "PLAIN" && typeof node.value === "string" && WORD_OF_YAML.test(node.value))
          node.value = /^(y|yes|on)$/i.test(node.value);
      },
    });
    const value: unknown = document.toJS();
    if (!isPipeline(value)) return [];
    places.set(value, new Places(document, lineCounter));
    return [value];
  });
}

/** What begins as a statement does. */
const SQL = /^(?:\s|--.*\n|\/\*[^]*?\*\/)*(?:select|create|with|insert|from)\s+[^:\s]/i;

/** Source: sigs.k8s.io/yaml, which kubectl and helm use. */
const WORD_OF_YAML = /^(y|n|Y|N|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/;

function isPipeline(value: unknown): value is WrittenPipeline {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === KIND;
}

function nameOf({ metadata }: WrittenPipeline): string {
  const name = (metadata as { readonly name?: unknown } | null | undefined)?.name;
  return typeof name === "string" ? name : "(without a name)";
}
