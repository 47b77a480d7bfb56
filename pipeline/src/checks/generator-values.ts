/** Values of a generator against the fields that they are for. */
import type { Field, Generator, GeneratorValue } from "@caudal/crds";
import type { Problem } from "../problem.ts";
import { type Check, type CheckInput, topicOf } from "./check.ts";
import { readsAs } from "./field-text.ts";

export const generatorValuesFit: Check = (input) =>
  (input.pipeline.spec.generators ?? []).flatMap((generator) => valuesOf(input, generator));

function valuesOf(input: CheckInput, generator: Generator): Problem[] {
  const topic = topicOf(input, generator.topic);
  const fields = topic?.fields ?? [];
  // A topic without fields is told of by its own check.
  if (fields.length === 0) return [];
  return (generator.values ?? []).flatMap((value) => {
    const where = `spec.generators[${generator.name}].values[${value.field}]`;
    const field = fields.find(({ name }) => name === value.field);
    if (field === undefined)
      return {
        reason: "UnknownField",
        message: `${where}: the topic ${generator.topic} has no field ${value.field}: use one of ${fields.map(({ name }) => name).join(", ")}`,
      };
    const problem = valueProblem(value, field, input.checkFakeName);
    return problem === undefined ? [] : { reason: "ValueInvalid", message: `${where}: ${problem}` };
  });
}

const NUMBERS = ["integer", "bigint", "double", "decimal"];
const KINDS_OF_TYPE = {
  choiceFrom: ["string", "uuid", ...NUMBERS],
  numeric: NUMBERS,
  sequence: ["string", ...NUMBERS],
  uuid: ["uuid", "string"],
  fake: ["string", "json"],
  // As epoch milliseconds in a number.
  time: ["timestamp", "date", "bigint", "double"],
} as const;

function valueProblem(
  value: GeneratorValue,
  field: Field,
  checkFakeName: CheckInput["checkFakeName"],
): string | undefined {
  if ((value.nulls ?? 0) > 0 && !field.nullable)
    return `the field is not nullable: leave out nulls, or declare the field with nullable: true`;
  const type = field.type.replace(/\(.*/, "");
  const only = (kind: string, types: readonly string[]) =>
    types.includes(type) ? undefined : `${kind} makes no ${field.type}: use it for ${types.join(", ")}`;
  if (value.constant !== undefined) return textProblem([value.constant], field);
  if (value.weighted !== undefined)
    return textProblem(
      value.weighted.map((entry) => entry.value),
      field,
    );
  if (value.choice?.values !== undefined) return textProblem(value.choice.values, field);
  if (value.choice !== undefined)
    return prefixProblem("choice", value.choice.prefix, type) ?? only("choice.from", KINDS_OF_TYPE.choiceFrom);
  if (value.uniform !== undefined) return only("uniform", KINDS_OF_TYPE.numeric);
  if (value.normal !== undefined) return rangeProblem("normal", value.normal) ?? only("normal", KINDS_OF_TYPE.numeric);
  if (value.lognormal !== undefined)
    return rangeProblem("lognormal", value.lognormal) ?? only("lognormal", KINDS_OF_TYPE.numeric);
  if (value.sequence !== undefined)
    return prefixProblem("sequence", value.sequence.prefix, type) ?? only("sequence", KINDS_OF_TYPE.sequence);
  if (value.uuid !== undefined) return only("uuid", KINDS_OF_TYPE.uuid);
  if (value.now !== undefined) return only("now", KINDS_OF_TYPE.time);
  if (value.time !== undefined) return only("time", KINDS_OF_TYPE.time);
  if (value.fake !== undefined) return only("fake", KINDS_OF_TYPE.fake) ?? checkFakeName?.(value.fake);
  return undefined;
}

function textProblem(texts: readonly string[], field: Field): string | undefined {
  const bad = texts.find((text) => !readsAs(text, field.type));
  return bad === undefined ? undefined : `"${bad.slice(0, 60)}" is no ${field.type}: write a value of the field's type`;
}

function prefixProblem(kind: string, prefix: string | undefined, type: string): string | undefined {
  if (prefix === undefined || type === "string") return undefined;
  return `a ${kind} with a prefix makes text, and the field is ${type}: leave out the prefix`;
}

function rangeProblem(kind: string, { min, max }: { min?: number; max?: number }): string | undefined {
  if (min === undefined || max === undefined || min <= max) return undefined;
  return `${kind}.min ${min} exceeds ${kind}.max ${max}: exchange them`;
}
