/** Parts of an expression that are the same for every event: they are computed once, before anything runs. */
import type { BoundPlan } from "./bound-plan.ts";
import type { DuckDB } from "./duckdb.ts";
import { ownWords, SqlError } from "./sql-error.ts";
import { type Expression, isNode, type Node, printPart, PREFIX, shorten, walk } from "./syntax.ts";

/**
 * Refuses constants that cannot be computed, such as `'2026-13-01'` where a time is needed: no event could be evaluated.
 *
 * @param text as the spec has it
 * @throws SqlError
 */
export async function checkConstants(
  duckdb: DuckDB,
  expression: Expression,
  { casts }: BoundPlan,
  text: string,
): Promise<void> {
  for (const { node, path } of constantsOf(expression.node, "")) {
    // Of an interval, its number is at the same place, and it is this that is cast.
    const types = sharesPlace(node) ? [] : (casts.get(node.query_location ?? -1) ?? []);
    // A literal that nothing casts is what it is.
    const forms = types.length > 0 ? types : node.class === "CONSTANT" ? [] : [undefined];
    for (const type of forms) await compute(duckdb, await printPart(duckdb, expression.tree, path, type), node, text);
  }
}

async function compute(duckdb: DuckDB, sql: string, node: Node, text: string): Promise<void> {
  try {
    await duckdb.rows(`select (${sql}) is null`);
  } catch (error) {
    const place = placeOf(node);
    const at = place === undefined ? "" : ` (at "${text.slice(place, place + 24)}", character ${place + 1})`;
    throw new SqlError(
      `${shorten(sql)} fails, and is the same for every event, so that none could be evaluated: ${ownWords(error)}${at}: ${/ AS JSON\)$/.test(sql) ? "compare texts with what ->> gives, as in payload->>'a' = 'x'" : "write a constant that can be computed"}`,
    );
  }
}

interface Part {
  readonly node: Node;
  /** Path of JSON below the expression's root. */
  readonly path: string;
}

/** The largest parts that read no event, but for what `try` guards. */
function constantsOf(node: Node, path: string): readonly Part[] {
  if (node.type === "OPERATOR_TRY") return [];
  if (isConstant(node)) return [{ node, path }];
  return partsBelow(node, path).flatMap((part) => constantsOf(part.node, part.path));
}

function sharesPlace(node: Node): boolean {
  return partsBelow(node, "").some((part) => part.node.query_location === node.query_location);
}

function partsBelow(value: object, path: string): readonly Part[] {
  return Object.entries(value).flatMap(([key, child]: [string, unknown]) => {
    if (typeof child !== "object" || child === null) return [];
    const place = Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`;
    return isNode(child) ? [{ node: child, path: place }] : partsBelow(child, place);
  });
}

function isConstant(node: Node): boolean {
  let constant = true;
  walk(node, ({ class: kind, type }) => {
    if (kind === "COLUMN_REF" || kind === "LAMBDA" || type === "OPERATOR_TRY") constant = false;
  });
  return constant;
}

/** Where the part begins in the text of the spec: the first place that any of it has. */
function placeOf(node: Node): number | undefined {
  const places: number[] = [];
  walk(node, ({ query_location: place }) => {
    if (Number.isSafeInteger(place)) places.push((place ?? 0) - PREFIX.length);
  });
  return places.length === 0 ? undefined : Math.min(...places);
}
