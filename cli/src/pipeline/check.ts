/** Everything that API server and operator check of a pipeline, on a file: schema, rules, names, SQL. */
import { customResourceDefinition, KIND, API_VERSION, type StreamPipeline, withDefaults } from "@caudal/crds";
import { findSqlProblems } from "@caudal/operator/validate/sql";
import { validate } from "@caudal/operator/validate/validate";
import { checkFakeName } from "@caudal/workloads/generator/core/fake";
import { checkAll } from "@caudal/workloads/sql/check-sql";
import { PipelineInvalid } from "../errors.ts";
import type { WrittenPipeline } from "./read.ts";
import { checkRules } from "./rules.ts";
import { checkSchema, isObject, type Schema } from "./schema-check.ts";

export interface Checked {
  /** What the API server would hand the operator. */
  readonly pipeline: StreamPipeline;
  /** One sentence each; none: the operator would accept it. */
  readonly problems: readonly string[];
}

export async function checkPipeline(written: WrittenPipeline): Promise<Checked> {
  const pipeline = asServed(written);
  const problems = [...checkHead(written), ...checkStructure(written, pipeline)];
  // Rules and checks rely on what was checked before them.
  if (problems.length > 0) return { pipeline, problems };
  const found = validate({ pipeline, checkFakeName });
  const all = found.length > 0 ? found : (await findSqlProblems(pipeline, checkAll)).problems;
  return { pipeline, problems: all.map(({ message }) => message) };
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
  const [version] = (customResourceDefinition() as unknown as Definition).spec.versions;
  const root = version.schema.openAPIV3Schema;
  const { spec = {} } = root.properties;
  const unknown = Object.keys(written).filter((name) => !Object.hasOwn(root.properties, name));
  const problems = unknown.map((name) => `unknown field "${name}": remove it, or move it under spec`);
  // Null is what the API server drops where a field has a default.
  problems.push(...checkSchema(pipeline.spec, spec, "spec"));
  if (problems.length > 0) return problems;
  const { status: _status, ...stored } = pipeline;
  return checkRules(stored, { ...root, properties: { spec } }, "");
}
