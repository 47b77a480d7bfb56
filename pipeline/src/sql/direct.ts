/**
 * Which expressions need no DuckDB, and what they are then. Only those of which it is certain that doubles and bytes give
 * DuckDB's own answer: numbers compared with each other where both sides are exact, texts with constants, and what joins
 * such conditions.
 */
import type { TopicConfig } from "@caudal/crds";
import type { Node } from "./syntax.ts";
import type { Direct } from "./transform-plan.ts";

type Fields = ReadonlyMap<string, TopicConfig["fields"][number]>;
type Operator = Extract<Direct, { kind: "compare" }>["operator"];

const OPERATORS: Readonly<Record<string, Operator>> = {
  COMPARE_EQUAL: "=",
  COMPARE_NOTEQUAL: "<>",
  COMPARE_LESSTHAN: "<",
  COMPARE_LESSTHANOREQUALTO: "<=",
  COMPARE_GREATERTHAN: ">",
  COMPARE_GREATERTHANOREQUALTO: ">=",
};
const MIRRORED: Readonly<Record<Operator, Operator>> = {
  "=": "=",
  "<>": "<>",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};
const FLOATING = "double";
/** Whole numbers of so many digits are exact as doubles, and so is a quotient of one and a power of ten, to one rounding. */
const EXACT = 10 ** 15;

/** @returns undefined where DuckDB has to evaluate it */
export function directOf(node: Node, topic: TopicConfig): Direct | undefined {
  return condition(node, new Map(topic.fields.map((field) => [field.name.toLowerCase(), field])));
}

/** Something that is true, false or NULL. */
function condition(node: Node, fields: Fields): Direct | undefined {
  switch (node.class) {
    case "COLUMN_REF": {
      const field = fieldOf(node, fields);
      return field?.type === "boolean" ? { kind: "field", field: field.name } : undefined;
    }
    case "COMPARISON": {
      const operator = OPERATORS[node.type];
      return operator === undefined ? undefined : compared(operator, node.left, node.right, fields);
    }
    case "BETWEEN": {
      if (node.type !== "COMPARE_BETWEEN") return undefined;
      return joined("and", [
        compared(">=", node.input, node.lower, fields),
        compared("<=", node.input, node.upper, fields),
      ]);
    }
    case "CONJUNCTION":
      return joined(
        node.type === "CONJUNCTION_AND" ? "and" : "or",
        (node.children ?? []).map((child) => condition(child, fields)),
      );
    case "OPERATOR":
      return operation(node, fields);
    default:
      return undefined;
  }
}

function operation({ type, children = [] }: Node, fields: Fields): Direct | undefined {
  const [first, ...others] = children;
  if (first === undefined) return undefined;
  switch (type) {
    case "OPERATOR_NOT":
      return negated(condition(first, fields));
    case "OPERATOR_IS_NULL":
    case "OPERATOR_IS_NOT_NULL": {
      const field = fieldOf(first, fields);
      return field === undefined
        ? undefined
        : { kind: "isNull", field: field.name, not: type === "OPERATOR_IS_NOT_NULL" };
    }
    case "COMPARE_IN":
    case "COMPARE_NOT_IN": {
      // Of mixed constants DuckDB compares in their common type: only those of one kind are certain.
      if (new Set(others.map((other) => other.value?.type?.id)).size > 1) return undefined;
      const found = joined(
        "or",
        others.map((other) => compared("=", first, other, fields)),
      );
      return type === "COMPARE_IN" ? found : negated(found);
    }
    default:
      return undefined;
  }
}

function negated(term: Direct | undefined): Direct | undefined {
  return term === undefined ? undefined : { kind: "not", term };
}

function joined(kind: "and" | "or", terms: readonly (Direct | undefined)[]): Direct | undefined {
  const certain = terms.flatMap((term) => term ?? []);
  return certain.length < terms.length || certain.length === 0 ? undefined : { kind, terms: certain };
}

function compared(
  operator: Operator,
  left: Node | undefined,
  right: Node | undefined,
  fields: Fields,
): Direct | undefined {
  if (left === undefined || right === undefined) return undefined;
  if (left.class === "CONSTANT")
    return right.class === "CONSTANT" ? undefined : compared(MIRRORED[operator], right, left, fields);
  const field = fieldOf(left, fields);
  if (field === undefined) return undefined;
  if (right.class !== "CONSTANT") {
    const other = fieldOf(right, fields);
    if (other === undefined || !isPlainNumber(field.type) || !isPlainNumber(other.type)) return undefined;
    return { kind: "compare", operator, left: fieldTerm(field.name), right: fieldTerm(other.name) };
  }
  const { value } = right;
  if (value === undefined || value.is_null) return undefined;
  if (field.type === "string") {
    if (value.type?.id !== "VARCHAR" || typeof value.value !== "string" || !(operator === "=" || operator === "<>"))
      return undefined;
    return { kind: "text", field: field.name, equal: operator === "=", text: value.value };
  }
  const constant = numberFor(field.type, value);
  if (constant === undefined) return undefined;
  return { kind: "compare", operator, left: fieldTerm(field.name), right: { kind: "constant", value: constant } };
}

function fieldTerm(field: string): Direct {
  return { kind: "field", field };
}

/** The constant as the field's numbers are stored: those of a decimal leave out the point. */
function numberFor(type: string, { type: of, value }: NonNullable<Node["value"]>): number | undefined {
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  const whole = of?.id === "INTEGER" || of?.id === "BIGINT";
  const decimal = of?.id === "DECIMAL";
  if ((whole || decimal) && Math.abs(value) >= EXACT) return undefined;
  const scale = decimal ? (of.type_info?.scale ?? 0) : 0;
  if (isPlainNumber(type)) {
    // A double is compared with the double next to the constant, a whole number with the constant itself.
    if (of?.id === "DOUBLE") return type === FLOATING ? value : undefined;
    return whole || decimal ? value / 10 ** scale : undefined;
  }
  const [, fieldScale] = /^decimal\(\d+,(\d+)\)$/.exec(type) ?? [];
  if (fieldScale === undefined || !(whole || decimal)) return undefined;
  const shift = Number(fieldScale) - scale;
  const stored = shift >= 0 ? value * 10 ** shift : undefined;
  return stored !== undefined && Math.abs(stored) < EXACT ? stored : undefined;
}

function isPlainNumber(type: string): boolean {
  return type === FLOATING || type === "integer" || type === "bigint";
}

function fieldOf(node: Node, fields: Fields): TopicConfig["fields"][number] | undefined {
  if (node.class !== "COLUMN_REF" || node.column_names?.length !== 1) return undefined;
  return fields.get(node.column_names[0]?.toLowerCase() ?? "");
}
