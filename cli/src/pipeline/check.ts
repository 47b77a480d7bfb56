/** Everything that API server and operator check of a pipeline, on a file: schema, rules, names, SQL. */
import { customResourceDefinition, KIND, API_VERSION, type StreamPipeline, withDefaults } from "@caudal/crds";
import { findSqlProblems, beside, validate, repaired } from "@caudal/pipeline/checks";
import { checkFakeName } from "@caudal/workloads/generator/core/fake";
import { PipelineInvalid } from "../errors.ts";
import { askSql } from "./ask-sql.ts";
import type { Place } from "./places.ts";
import { prune } from "./prune.ts";
import { placesOf, type WrittenPipeline } from "./read.ts";
import { checkRules } from "./rules.ts";
import { checkSchema, isObject, type Schema } from "./schema-check.ts";

export interface Checked {
  /** What the API server would hand the operator. */
  readonly pipeline: StreamPipeline;
  /** One sentence each; none: the operator would accept it. */
  readonly problems: readonly string[];
}

/**
 * All problems in one round: what is not of the schema is taken out, and the rest is checked as it stands.
 *
 * @param ask asks about the SQL
 */
export async function checkPipeline(written: WrittenPipeline, ask: typeof askSql = askSql): Promise<Checked> {
  const pipeline = asServed(written);
  const problems = [...checkHead(written), ...checkStructure(written, pipeline)];
  const spec = prune(pipeline.spec, specSchema());
  if (isObject(spec)) {
    const rest = withDefaults({ ...pipeline, spec });
    problems.push(...ruleProblems(rest));
    const found = validate({ pipeline: rest, checkFakeName });
    const sql = await findSqlProblems(found.length === 0 ? rest : repaired(rest), ask);
    problems.push(...[...found, ...beside(found, sql.problems)].map(({ message }) => message));
  } else problems.push(...problemsOfParts(pipeline.spec));
  const places = placesOf(written);
  return { pipeline, problems: problems.map((problem) => located(problem, places?.of(problem))) };
}

function located(problem: string, place: Place | undefined): string {
  return place === undefined ? problem : `line ${place.line}, column ${place.column}: ${problem}`;
}

/** @throws PipelineInvalid with all problems */
export async function acceptedPipeline(written: WrittenPipeline, file: string): Promise<StreamPipeline> {
  const { pipeline, problems } = await checkPipeline(written);
  if (problems.length > 0) throw new PipelineInvalid(describeProblems(file, problems));
  return pipeline;
}

export function describeProblems(file: string, problems: readonly string[]): string {
  return [`${file} would be refused:`, ...problems.map((problem) => `- ${problem}`)].join("\n");
}

function asServed(written: WrittenPipeline): StreamPipeline {
  const given = isObject(written["metadata"]) ? written["metadata"] : {};
  const metadata = { namespace: "default", uid: "", generation: 1, resourceVersion: "", ...given };
  return withDefaults({ ...written, metadata, spec: written["spec"] ?? {} } as unknown as StreamPipeline);
}

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function checkHead({ apiVersion, kind, metadata }: WrittenPipeline): string[] {
  const problems: string[] = [];
  if (apiVersion !== API_VERSION) problems.push(`apiVersion: write ${API_VERSION}`);
  if (kind !== KIND) problems.push(`kind: write ${KIND}`);
  const name = isObject(metadata) ? metadata["name"] : undefined;
  if (typeof name !== "string") problems.push("metadata.name: Required value: give the pipeline a name");
  else if (!NAME.test(name))
    problems.push(
      `metadata.name: Invalid value: "${name}": a lowercase RFC 1123 subdomain must consist of a to z, 0 to 9, - and .`,
    );
  return problems;
}

interface Definition {
  readonly spec: {
    readonly versions: readonly [
      { readonly schema: { readonly openAPIV3Schema: Schema & { properties: Record<string, Schema> } } },
    ];
  };
}

function checkStructure(written: WrittenPipeline, pipeline: StreamPipeline): string[] {
  const unknown = Object.keys(written).filter((name) => !Object.hasOwn(rootSchema().properties, name));
  // Null is what the API server drops where a field has a default.
  return [
    ...unknown.map((name) => `unknown field "${name}": remove it, or move it under spec`),
    ...checkSchema(pipeline.spec, specSchema(), "spec"),
  ];
}

function ruleProblems(pipeline: StreamPipeline): string[] {
  const { status: _status, ...stored } = pipeline;
  return checkRules(stored, { ...rootSchema(), properties: { spec: specSchema() } }, "");
}

/** Of a spec that lacks what it must have: the rules of what it has, each part for itself. */
function problemsOfParts(spec: unknown): string[] {
  if (!isObject(spec)) return [];
  return Object.entries(specSchema().properties ?? {}).flatMap(([name, schema]) => {
    const part = prune(spec[name], schema);
    return part === undefined ? [] : checkRules(part, schema, `spec.${name}`);
  });
}

function rootSchema() {
  const [version] = (customResourceDefinition() as unknown as Definition).spec.versions;
  return version.schema.openAPIV3Schema;
}

function specSchema(): Schema {
  return rootSchema().properties["spec"] ?? {};
}
