/**
 * Which arithmetic needs no DuckDB: sums, differences, products and quotients of whole numbers and doubles. DuckDB computes
 * with doubles as JavaScript does (IEEE 754), and with whole numbers as a double does while it holds them exactly; what
 * exceeds its type, and what is divided by zero, is left to DuckDB.
 */
import type { TopicConfig } from "@caudal/crds";
import type { Node } from "./syntax.ts";
import type { Direct } from "./transform-plan.ts";

type Operator = Extract<Direct, { kind: "arithmetic" }>["operator"];
type NumberType = "INTEGER" | "BIGINT" | "DOUBLE";

/** A term, and the type that DuckDB gives it. */
interface Typed {
  readonly term: Direct;
  readonly type: NumberType;
}

const FIELD_TYPES: Readonly<Record<string, NumberType>> = { integer: "INTEGER", bigint: "BIGINT", double: "DOUBLE" };
/** Results of each type that are certain. */
const BELOW: Readonly<Record<NumberType, number>> = { INTEGER: 2 ** 31, BIGINT: 2 ** 53, DOUBLE: Infinity };
const MAX_CONSTANT = 2 ** 31;
/** Digits of a decimal constant that a double holds exactly, and powers of ten that it does. */
const MAX_DECIMAL = 10 ** 15;

/**
 * @param duckdbType of the expression
 * @returns undefined where DuckDB has to evaluate it
 */
export function arithmeticOf(node: Node, topic: TopicConfig, duckdbType: string): Direct | undefined {
  if (node.class !== "FUNCTION") return undefined;
  const typed = termOf(node, new Map(topic.fields.map((field) => [field.name.toLowerCase(), field])));
  return typed?.type === duckdbType ? typed.term : undefined;
}

type Fields = ReadonlyMap<string, TopicConfig["fields"][number]>;

function termOf(node: Node, fields: Fields): Typed | undefined {
  switch (node.class) {
    case "COLUMN_REF":
      return fieldOf(node, fields);
    case "FUNCTION":
      return functionOf(node, fields);
    default:
      return undefined;
  }
}

function functionOf({ function_name: name, children = [] }: Node, fields: Fields): Typed | undefined {
  const [first, second, third] = children;
  if (first === undefined || second === undefined || third !== undefined || !isOperator(name)) return undefined;
  const left = termOf(first, fields);
  const right = termOf(second, fields);
  // A constant takes the type of the other side where that holds it.
  const one = left ?? constantFor(first, right?.type);
  const other = right ?? constantFor(second, left?.type);
  if (one === undefined || other === undefined) return undefined;
  const type = name === "/" ? "DOUBLE" : wider(one.type, other.type);
  return { term: { kind: "arithmetic", operator: name, left: one.term, right: other.term, below: BELOW[type] }, type };
}

function fieldOf({ column_names: names }: Node, fields: Fields): Typed | undefined {
  const field = names?.length === 1 ? fields.get(names[0]?.toLowerCase() ?? "") : undefined;
  const type = FIELD_TYPES[field?.type ?? ""];
  return field === undefined || type === undefined ? undefined : { term: { kind: "field", field: field.name }, type };
}

function constantFor({ class: kind, value }: Node, beside: NumberType | undefined): Typed | undefined {
  if (kind !== "CONSTANT" || beside === undefined || value === undefined || value.is_null) return undefined;
  const { type, value: constant } = value;
  if (typeof constant !== "number" || !Number.isFinite(constant)) return undefined;
  const typed = (number: number): Typed => ({ term: { kind: "constant", value: number }, type: beside });
  switch (type?.id) {
    case "INTEGER":
      return Math.abs(constant) < MAX_CONSTANT ? typed(constant) : undefined;
    case "DECIMAL":
      return beside === "DOUBLE" && Math.abs(constant) < MAX_DECIMAL
        ? typed(constant / 10 ** (type.type_info?.scale ?? 0))
        : undefined;
    case "DOUBLE":
      return beside === "DOUBLE" ? typed(constant) : undefined;
    default:
      return undefined;
  }
}

function wider(one: NumberType, other: NumberType): NumberType {
  if (one === "DOUBLE" || other === "DOUBLE") return "DOUBLE";
  return one === "BIGINT" || other === "BIGINT" ? "BIGINT" : "INTEGER";
}

function isOperator(name: string | undefined): name is Operator {
  return name === "+" || name === "-" || name === "*" || name === "/";
}
