/** The CEL rules of the CRD. Those that compare with the stored object (`oldSelf`) have nothing to say of a file. */
import { Environment, EvaluationError } from "@marcbachmann/cel-js";
import { isObject, placeIn, type Rule, type Schema } from "./schema-check.ts";

const environment = new Environment({ unlistedVariablesAreDyn: true });
const programs = new Map<string, (context: Record<string, unknown>) => unknown>();

/** @param value of the schema, with its defaults @returns one sentence a rule that does not hold, each with the place */
export function checkRules(value: unknown, schema: Schema, path: string): string[] {
  const problems = (schema["x-kubernetes-validations"] ?? []).flatMap((rule) => checkRule(value, rule, path));
  if (isObject(value))
    for (const [name, child] of Object.entries(value)) {
      const known = schema.properties?.[name] ?? schema.additionalProperties;
      if (known !== undefined) problems.push(...checkRules(child, known, placeIn(path, name)));
    }
  else if (Array.isArray(value) && schema.items !== undefined)
    for (const [index, item] of value.entries()) problems.push(...checkRules(item, schema.items, placeIn(path, index)));
  return problems;
}

function checkRule(self: unknown, { rule, message, messageExpression, fieldPath = "" }: Rule, path: string): string[] {
  if (/\boldSelf\b/.test(rule) || evaluate(rule, self) === true) return [];
  const place = `${path}${fieldPath}`.replace(/^\./, "");
  const better = messageExpression === undefined ? undefined : evaluate(messageExpression, self);
  return [`${place === "" ? "" : `${place}: `}${typeof better === "string" ? better : message}`];
}

/** @returns undefined where it fails on the value: as in the API server, such a rule does not hold for it */
function evaluate(expression: string, self: unknown): unknown {
  const program = programs.get(expression) ?? environment.parse(expression);
  programs.set(expression, program);
  try {
    return program({ self });
  } catch (error) {
    if (error instanceof EvaluationError) return undefined;
    throw error;
  }
}
