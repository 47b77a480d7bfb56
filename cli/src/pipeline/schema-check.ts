/**
 * What the API server says of a resource before it stores it, without an API server: the structural schema of the CRD,
 * in the API server's words. Source: kube-openapi's validation and apiextensions' list types.
 */

import { unknownFieldHint } from "./unknown-field.ts";

/** The part of OpenAPI that the CRD uses. */
export interface Schema {
  readonly description?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly Rule[];
}

export interface Rule {
  readonly rule: string;
  readonly message: string;
  /** Says it better than `message`, where it can be evaluated. */
  readonly messageExpression?: string;
  readonly fieldPath?: string;
}

/** @returns one sentence a mistake, each with the place; none: the value is of the schema */
export function checkSchema(value: unknown, schema: Schema, path: string): string[] {
  if (schema["x-kubernetes-int-or-string"] === true)
    return typeof value === "string" || Number.isInteger(value)
      ? checkText(String(value), schema, path)
      : [typeProblem(value, "integer,string", path)];
  switch (schema.type) {
    case "object":
      return isObject(value)
        ? checkObject(value, schema, path)
        : [`${typeProblem(value, "object", path)}${objectHint(value, schema)}`];
    case "array":
      return Array.isArray(value)
        ? checkList(value, schema, path)
        : [`${typeProblem(value, "array", path)}${listHint(value, schema)}`];
    case "string":
      return typeof value === "string" ? checkText(value, schema, path) : [typeProblem(value, "string", path)];
    case "boolean":
      return typeof value === "boolean" ? [] : [typeProblem(value, "boolean", path)];
    case "integer":
      return Number.isInteger(value)
        ? checkNumber(value as number, schema, path)
        : [typeProblem(value, "integer", path)];
    case "number":
      return typeof value === "number" ? checkNumber(value, schema, path) : [typeProblem(value, "number", path)];
    default:
      return [];
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Where a value in an object or list is. */
export function placeIn(path: string, key: string | number): string {
  return typeof key === "number" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
}

function checkObject(value: Readonly<Record<string, unknown>>, schema: Schema, path: string): string[] {
  const { properties = {}, additionalProperties, required = [], maxProperties } = schema;
  const problems = required
    .filter((name) => value[name] === undefined || value[name] === null)
    .map((name) => `${placeIn(path, name)}: Required value`);
  const count = Object.keys(value).length;
  if (maxProperties !== undefined && count > maxProperties)
    problems.push(`${path}: Too many: ${count}: must have at most ${maxProperties} items`);
  for (const [name, child] of Object.entries(value)) {
    const place = placeIn(path, name);
    const known = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (known === undefined && isRestOfType(name, value["type"])) continue;
    if (child === null && known !== undefined) continue;
    if (known !== undefined) problems.push(...checkSchema(child, known, place));
    else if (schema["x-kubernetes-preserve-unknown-fields"] !== true)
      problems.push(`unknown field "${place}": ${unknownFieldHint(name, Object.keys(properties))}`);
  }
  return problems;
}

/** What follows the comma of a decimal without quotes: of its type it is told. */
function isRestOfType(name: string, type: unknown): boolean {
  return /^\d+\)$/.test(name) && typeof type === "string" && /^[a-z]+\(\d+$/.test(type);
}

function objectHint(value: unknown, { properties = {} }: Schema): string {
  const [only, ...more] = Object.keys(properties);
  if (only === undefined || typeof value === "object") return "";
  return more.length === 0 ? `: write { ${only}: ${String(value)} }` : `: write { ${only}: … } with its fields`;
}

function listHint(value: unknown, { items = {} }: Schema): string {
  if (typeof value === "string")
    return items.type === "object"
      ? `: write a list of objects, [ { ${Object.keys(items.properties ?? {})[0] ?? "name"}: ${value} } ]`
      : `: write a list, [ ${JSON.stringify(value)} ]`;
  return isObject(value) ? ": put - before its first line, for a list of one" : "";
}

function checkList(value: readonly unknown[], schema: Schema, path: string): string[] {
  const { items = {}, minItems, maxItems } = schema;
  const problems: string[] = [];
  if (minItems !== undefined && value.length < minItems)
    problems.push(`${path}: ${path} in body should have at least ${minItems} items`);
  if (maxItems !== undefined && value.length > maxItems)
    problems.push(`${path}: Too many: ${value.length}: must have at most ${maxItems} items`);
  problems.push(...value.flatMap((item, index) => checkSchema(item, items, placeIn(path, index))));
  if (schema["x-kubernetes-list-type"] === "map")
    problems.push(...checkKeys(value, schema["x-kubernetes-list-map-keys"] ?? [], path));
  return problems;
}

function checkKeys(value: readonly unknown[], keys: readonly string[], path: string): string[] {
  const seen = new Set<string>();
  return value.flatMap((item, index) => {
    if (!isObject(item)) return [];
    const key = JSON.stringify(Object.fromEntries(keys.map((name) => [name, item[name]])));
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [`${placeIn(path, index)}: Duplicate value: ${key}`];
  });
}

function checkText(value: string, schema: Schema, path: string): string[] {
  const { minLength = 0, maxLength, pattern } = schema;
  const allowed = schema.enum;
  const bytes = Buffer.byteLength(value);
  if (maxLength !== undefined && bytes > maxLength)
    return [`${path}: Too long: may not be more than ${maxLength} bytes`];
  if (value.length < minLength) return [`${path}: ${path} in body should be at least ${minLength} chars long`];
  if (allowed !== undefined && !allowed.includes(value))
    return [`${path}: Unsupported value: "${value}": supported values: ${allowed.map((one) => `"${one}"`).join(", ")}`];
  if (pattern !== undefined && !new RegExp(pattern, "u").test(value))
    return [
      `${path}: Invalid value: "${value}": ${path} in body should match '${pattern}'${schema.description === undefined ? "" : ` (${schema.description})`}`,
    ];
  return [];
}

function checkNumber(value: number, { minimum, maximum, exclusiveMinimum }: Schema, path: string): string[] {
  const at = `${path}: Invalid value: ${value}: ${path} in body should be`;
  if (minimum !== undefined && exclusiveMinimum === true && value <= minimum) return [`${at} greater than ${minimum}`];
  if (minimum !== undefined && value < minimum) return [`${at} greater than or equal to ${minimum}`];
  if (maximum !== undefined && value > maximum) return [`${at} less than or equal to ${maximum}`];
  return [];
}

function typeProblem(value: unknown, type: string, path: string): string {
  const shown = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const quotes =
    type === "string" && typeof value === "boolean"
      ? `: kubectl reads y, n, yes, no, on and off as ${String(value)}, put the text in quotes`
      : "";
  return `${path}: Invalid value: "${shown}": ${path} in body must be of type ${type}${quotes}`;
}
