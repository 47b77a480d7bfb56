/** What is left of a value when all that is not of the schema has been taken out, so that the rest can be checked too. */
import { isObject, type Schema } from "./schema-check.ts";

/**
 * @returns undefined where nothing is left. A value where a list of values should be is a list of it, and one where an
 *   object of one field should be is that field's: they were meant so, and have been told.
 */
export function prune(value: unknown, schema: Schema): unknown {
  switch (schema.type) {
    case "object":
      return pruneObject(value, schema);
    case "array": {
      const items = Array.isArray(value) ? value : typeof value === "string" ? [value] : undefined;
      const left = items?.map((item: unknown) => prune(item, schema.items ?? {})).filter((item) => item !== undefined);
      return left === undefined || left.length < (schema.minItems ?? 0) ? undefined : left;
    }
    case "string":
      return typeof value === "object" || value === undefined ? undefined : String(value);
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    case "integer":
      return Number.isInteger(value) ? value : undefined;
    case "number":
      return typeof value === "number" ? value : undefined;
    default:
      return value;
  }
}

function pruneObject(value: unknown, schema: Schema): unknown {
  const { properties = {}, additionalProperties, required = [] } = schema;
  const [only, ...more] = Object.keys(properties);
  if (only !== undefined && more.length === 0 && (typeof value === "string" || typeof value === "number"))
    return pruneObject({ [only]: value }, schema);
  if (!isObject(value)) return undefined;
  if (schema["x-kubernetes-preserve-unknown-fields"] === true) return value;
  const left: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(value)) {
    const known = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    const kept = known === undefined || child === null ? undefined : prune(child, known);
    if (kept !== undefined) left[name] = kept;
  }
  return required.every((name) => name in left) ? left : undefined;
}
