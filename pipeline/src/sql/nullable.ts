/** Whether an expression may be NULL for an event: certain where it says no. */
import { childrenOf, type Node } from "./syntax.ts";

/** Functions and operators that give NULL for NULL alone. */
const STRICT = new Set([
  ...["+", "-", "*", "||", "~~", "!~~", "abs", "round", "floor", "ceil", "ceiling", "sign", "greatest", "least"],
  ...[
    "lower",
    "upper",
    "trim",
    "ltrim",
    "rtrim",
    "length",
    "strlen",
    "replace",
    "contains",
    "starts_with",
    "ends_with",
  ],
  ...["prefix", "suffix", "concat", "left", "right", "substring", "substr", "lpad", "rpad", "reverse", "md5", "hash"],
  ...["year", "month", "day", "hour", "minute", "second", "date_trunc", "date_part", "date_diff", "epoch", "epoch_ms"],
  ...["strftime", "regexp_matches", "regexp_replace", "dayofweek", "isodow", "week", "quarter", "last_day"],
]);

/** @param required fields that are never NULL */
export function mayBeNull(node: Node, required: ReadonlySet<string>): boolean {
  const anyChild = (): boolean => childrenOf(node).some((child) => mayBeNull(child, required));
  switch (node.class) {
    case "CONSTANT":
      return node.value?.is_null !== false;
    case "COLUMN_REF":
      return node.column_names?.length !== 1 || !required.has(node.column_names[0]?.toLowerCase() ?? "");
    case "OPERATOR":
      if (node.type === "OPERATOR_IS_NULL" || node.type === "OPERATOR_IS_NOT_NULL") return false;
      if (node.type === "OPERATOR_COALESCE") return childrenOf(node).every((child) => mayBeNull(child, required));
      return (
        !(node.type === "OPERATOR_NOT" || node.type === "COMPARE_IN" || node.type === "COMPARE_NOT_IN") || anyChild()
      );
    case "FUNCTION":
      return !STRICT.has((node.function_name ?? "").toLowerCase()) || anyChild();
    case "CAST":
      return node.try_cast !== false || anyChild();
    case "COMPARISON":
    case "CONJUNCTION":
    case "BETWEEN":
    case "CASE":
      return anyChild();
    default:
      return true;
  }
}
