/** Aggregates of a spec as parts that can be added up over batches. */
import { createHash } from "node:crypto";
import { MAX_NAME_BYTES } from "@caudal/crds";
import type { Functions } from "./determinism.ts";
import { checkKinds } from "./determinism.ts";
import type { AggregateColumn, Part } from "./plan.ts";
import { whyNotDistinct, whyNotKept } from "./other-aggregates.ts";
import { quote } from "./quote.ts";
import { SqlError } from "./sql-error.ts";
import type { Expression } from "./syntax.ts";
import { postgresType, sumType } from "./types.ts";

const NAMES = ["count", "sum", "avg", "min", "max"] as const;
export type AggregateName = (typeof NAMES)[number];

/** One aggregate call, taken apart. */
export interface AggregateCall {
  readonly name: AggregateName;
  /** DuckDB expression of one event that is NULL where the event does not count. */
  readonly argument: string;
}

/**
 * Takes `avg(x) filter (where y) as name` apart.
 *
 * @throws SqlError for anything but one call of one of the five aggregates
 */
export function readAggregate(expression: Expression, functions: Functions): AggregateCall {
  const { node } = expression;
  const form = `write count(*), count(x), sum(x), avg(x), min(x) or max(x), with "as name"`;
  if (node.class === "WINDOW") throw new SqlError(`a window function (over …) looks at other events: ${form}`);
  if (node.class === "SUBQUERY") throw new SqlError(`a subquery reads more than the event: ${form}`);
  if (node.class !== "FUNCTION" || node.function_name === undefined)
    throw new SqlError(
      `an aggregate stands alone, without a calculation around it: ${form}, and calculate inside it or in your query`,
    );
  const called = node.function_name.toLowerCase();
  const name = NAMES.find((known) => known === (called === "count_star" ? "count" : called));
  if (name === undefined) throw new SqlError(otherAggregate(called, functions, form));
  if (node.distinct === true) throw new SqlError(whyNotDistinct(name));
  if ((node.order_bys?.orders.length ?? 0) > 0) throw new SqlError(`order by has no effect in ${name}: leave it out`);
  const children = node.children ?? [];
  if (children.length > 1) throw new SqlError(`${name} takes one argument: ${form}`);
  if (children.length === 0 && name !== "count") throw new SqlError(`${name} needs an argument: ${form}`);
  for (const child of children) checkKinds(child, functions);
  if (node.filter !== null && node.filter !== undefined) checkKinds(node.filter, functions);
  const argument = expression.argument ?? "true";
  return {
    name,
    argument: expression.filter === null ? argument : `case when ${expression.filter} then ${argument} end`,
  };
}

function otherAggregate(called: string, functions: Functions, form: string): string {
  const meaning = functions.aliases.get(called) ?? called;
  if (NAMES.some((known) => known === meaning)) return `${called} is written as ${meaning}(x)`;
  const why = whyNotKept(called, meaning);
  if (why !== undefined) return why;
  return functions.aggregate.has(called)
    ? `${called} is none of the aggregates that a table keeps: ${form}`
    : `${called} is not an aggregate: ${form}`;
}

/**
 * The parts of one aggregate and the value that people see.
 *
 * @param column its name in the table
 * @param type DuckDB type of its argument
 * @throws SqlError where the type cannot be aggregated so
 */
export function planAggregate(column: string, call: AggregateCall, type: string): AggregateColumn {
  const what = `the argument of ${call.name}`;
  const part = (suffix: string, of: Pick<Part, "function" | "merge" | "duckdbType">): Part => ({
    column: suffix === "" ? column : hiddenColumn(column, suffix),
    postgresType: postgresType(of.duckdbType, what),
    expression: call.argument,
    ...of,
  });
  const shown = (only: Part): AggregateColumn => ({
    name: column,
    postgresType: only.postgresType,
    parts: [only],
    value: quote(column),
  });
  const count = { function: "count", merge: "add", duckdbType: "BIGINT" } as const;
  switch (call.name) {
    case "count":
      return shown(part("", count));
    case "min":
      postgresType(type, what);
      return shown(part("", { function: "min", merge: "least", duckdbType: type }));
    case "max":
      postgresType(type, what);
      return shown(part("", { function: "max", merge: "greatest", duckdbType: type }));
    case "sum":
    case "avg": {
      const total = sumType(type, what);
      const sum = part("s", { function: "sum", merge: "add", duckdbType: total });
      const counted = part("n", count);
      const parts = [{ ...sum, postgresType: total === "DOUBLE" ? "double precision" : "numeric" }, counted];
      const [s, n] = [quote(sum.column), quote(counted.column)];
      return call.name === "sum"
        ? { name: column, postgresType: parts[0]?.postgresType ?? "", parts, value: `case when ${n} > 0 then ${s} end` }
        : {
            name: column,
            postgresType: "double precision",
            parts,
            value: `(case when ${n} > 0 then ${s} / ${n} end)::double precision`,
          };
    }
  }
}

/** Name of a part that people do not see: of a long name its hash, for PostgreSQL cuts off what is behind 63 bytes. */
function hiddenColumn(column: string, suffix: string): string {
  const name = `_${column}_${suffix}`;
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  return `_${createHash("sha256").update(column).digest("hex").slice(0, 16)}_${suffix}`;
}

/** Whether the value of an aggregate of two parts is one divided by the other, and not the first of them. */
export function isAverage({ value }: Pick<AggregateColumn, "value">): boolean {
  return value.includes(" / ");
}
