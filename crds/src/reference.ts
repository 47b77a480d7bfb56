import { customResourceDefinition } from "./crd.ts";

interface Node {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  properties?: Record<string, Node>;
  items?: Node;
  required?: string[];
  additionalProperties?: Node;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
  minItems?: number;
  "x-kubernetes-int-or-string"?: boolean;
  pattern?: string;
  "x-kubernetes-validations"?: { message: string }[];
}

/** Name of a node's type for people: `string`, `list of objects`, `Retain or Delete`. */
function typeName(node: Node): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(" or ");
  if (node["x-kubernetes-int-or-string"] === true) return node.pattern === undefined ? "duration" : "quantity";
  if (node.items !== undefined) return node.items.properties !== undefined ? "list" : `list of ${typeName(node.items)}`;
  if (node.additionalProperties !== undefined) return `map of ${typeName(node.additionalProperties)}`;
  return node.type ?? "any";
}

/** Everything about one field, one row a field, depth first. */
function* rows(node: Node, path: string): Generator<string> {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const here = path === "" ? name : `${path}.${name}`;
    const notes: string[] = [child.description ?? ""];
    if (child.default !== undefined && JSON.stringify(child.default) !== "{}")
      notes.push(`Default \`${JSON.stringify(child.default)}\`.`);
    if (node.required?.includes(name) === true) notes.push("**Required.**");
    if (child.maxItems !== undefined) notes.push(`At most ${child.maxItems}.`);
    yield `| \`${here}${child.items === undefined ? "" : "[]"}\` | ${typeName(child)} | ${notes
      .filter((note) => note !== "")
      .join(" ")
      .replaceAll("|", "\\|")} |`;
    yield* rows(child.items ?? child, child.items === undefined ? here : `${here}[]`);
  }
}

/** Every rule that the API server checks, by its path. */
function* ruleRows(node: Node, path: string): Generator<string> {
  for (const rule of node["x-kubernetes-validations"] ?? [])
    yield `| \`${path === "" ? "metadata.name" : path}\` | ${rule.message.replaceAll("|", "\\|")} |`;
  for (const [name, child] of Object.entries(node.properties ?? {}))
    yield* ruleRows(
      child.items ?? child,
      `${path === "" ? "" : `${path}.`}${name}${child.items === undefined ? "" : "[]"}`,
    );
}

/** The reference of the API in Markdown, from the CRD itself. */
export function reference(): string {
  const crd = customResourceDefinition() as unknown as { spec: { versions: { schema: { openAPIV3Schema: Node } }[] } };
  const schema = crd.spec.versions[0]?.schema.openAPIV3Schema ?? {};
  const spec = schema.properties?.["spec"] ?? {};
  const status = schema.properties?.["status"] ?? {};
  return [
    "<!-- Generated from crds/src/schema by `npm run generate`; do not edit. -->",
    "# StreamPipeline reference",
    "",
    "`caudal.dev/v1alpha1`, short name `sp`. What it is about: [pipelines.md](pipelines.md).",
    "",
    "## spec",
    "",
    "| field | type | |",
    "|---|---|---|",
    ...rows(spec, ""),
    "",
    "## status",
    "",
    "| field | type | |",
    "|---|---|---|",
    ...rows(status, ""),
    "",
    "## Rules of the API server",
    "",
    "| where | what it says |",
    "|---|---|",
    ...ruleRows(schema, ""),
    "",
  ].join("\n");
}
