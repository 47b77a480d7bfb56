import { GROUP, KIND, PLURAL, VERSION } from "./names.ts";
import { StreamPipelineSchema } from "./schema/pipeline.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Turns a TypeBox schema into the structural OpenAPI schema that the API server asks for:
 * literals become enums, what has a default is not required, records become additionalProperties, `exclusiveMinimum` its OpenAPI 3.0 form.
 */
export function structural(schema: unknown): Json {
  if (Array.isArray(schema)) return schema.map(structural);
  if (schema === null || typeof schema !== "object") return schema as Json;
  const source = schema as Record<string, unknown>;
  const { anyOf, patternProperties, const: literal, exclusiveMinimum, ...rest } = source;
  const out: Record<string, Json> = {};
  for (const [key, value] of Object.entries(rest)) {
    if (key.startsWith("~")) continue;
    if (key === "properties") {
      out[key] = Object.fromEntries(Object.entries(value as object).map(([name, child]) => [name, structural(child)]));
    } else out[key] = key === "default" || key.startsWith("x-kubernetes") ? (value as Json) : structural(value);
  }
  const property = (name: unknown) => (source["properties"] as Record<string, object> | undefined)?.[name as string];
  if (Array.isArray(out["required"])) {
    const required = out["required"].filter((name) => !("default" in (property(name) ?? {})));
    if (required.length > 0) out["required"] = required;
    else delete out["required"];
  }
  if (literal !== undefined) out["enum"] = [literal as Json];
  if (exclusiveMinimum !== undefined) Object.assign(out, { minimum: exclusiveMinimum, exclusiveMinimum: true });
  if (patternProperties !== undefined)
    out["additionalProperties"] = structural(Object.values(patternProperties as object)[0]);
  if (Array.isArray(anyOf)) {
    const literals = anyOf.map((member) => (member as Record<string, unknown>)["const"]);
    if (literals.every((member) => typeof member === "string")) Object.assign(out, { type: "string", enum: literals });
    else out["anyOf"] = structural(anyOf);
  }
  return out;
}

const conditionColumn = (type: string, field: string) => `.status.conditions[?(@.type=="${type}")].${field}`;

/** The CustomResourceDefinition of StreamPipeline. */
export function customResourceDefinition(): Json {
  const schema = structural(StreamPipelineSchema) as { properties: Record<string, Json> };
  for (const name of ["apiVersion", "kind"]) schema.properties[name] = { type: "string" };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: "Namespaced",
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ["sp"],
        categories: ["all"],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [
            { name: "Ready", type: "string", jsonPath: conditionColumn("Ready", "status") },
            { name: "Healthy", type: "string", jsonPath: conditionColumn("Healthy", "status") },
            { name: "Stages", type: "string", jsonPath: ".status.stagesReady" },
            { name: "Lag", type: "string", jsonPath: ".status.lag" },
            { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
            { name: "Reason", type: "string", priority: 1, jsonPath: conditionColumn("Ready", "reason") },
            { name: "Message", type: "string", priority: 1, jsonPath: conditionColumn("Ready", "message") },
          ],
          schema: { openAPIV3Schema: schema as unknown as Json },
        },
      ],
    },
  };
}
