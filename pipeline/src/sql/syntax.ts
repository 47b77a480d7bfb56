/** The syntax tree of one SQL expression, made by DuckDB's own parser. */
import type { DuckDB } from "./duckdb.ts";
import { describeSqlError, ownWords, placeOfError, SqlError } from "./sql-error.ts";
import { endsStatement } from "./sql-hints.ts";

/** A node of the tree as `json_serialize_sql` gives it. */
export interface Node {
  readonly class: string;
  readonly type: string;
  readonly alias?: string;
  readonly query_location?: number;
  readonly function_name?: string;
  readonly schema?: string;
  readonly children?: readonly Node[];
  readonly filter?: Node | null;
  readonly order_bys?: { readonly orders: readonly unknown[] };
  readonly distinct?: boolean;
  readonly column_names?: readonly string[];
  readonly lhs?: Node;
  readonly try_cast?: boolean;
  readonly value?: {
    readonly is_null: boolean;
    readonly value?: unknown;
    readonly type?: { readonly id: string; readonly type_info?: { readonly scale?: number } | null };
  };
  readonly left?: Node;
  readonly right?: Node;
  readonly input?: Node;
  readonly lower?: Node;
  readonly upper?: Node;
  /** Of a STAR: whether it is `columns(…)`, and what `*` leaves out, replaces and renames. */
  readonly columns?: boolean;
  readonly relation_name?: string;
  readonly expr?: Node | null;
  readonly exclude_list?: readonly string[];
  readonly replace_list?: readonly { readonly key: string; readonly value: Node }[];
  readonly rename_list?: readonly { readonly key: { readonly column: string }; readonly value: string }[];
}

export interface Expression {
  readonly node: Node;
  /** Name given by `as name`, empty without one. */
  readonly alias: string;
  /** The expression in DuckDB's own spelling: equal for what differs in spaces, case of keywords and brackets only. */
  readonly sql: string;
  /** SQL of the node's first child, such as the argument of an aggregate. */
  readonly argument: string | null;
  /** SQL of what follows `filter (where`. */
  readonly filter: string | null;
  /** The whole tree as DuckDB printed it, with every digit of its numbers: what `printPart` reads. */
  readonly tree: string;
}

/** What stands before an expression where it is parsed and bound: places in errors count from there. */
export const PREFIX = "select ";
const EMPTY_SELECT = {
  type: "SELECT_NODE",
  modifiers: [],
  cte_map: { map: [] },
  select_list: [],
  where_clause: null,
  group_expressions: [],
  group_sets: [],
  aggregate_handling: "STANDARD_HANDLING",
  having: null,
  sample: null,
  qualify: null,
};

const ROOT = "$.statements[0].node.select_list[0]";

/** What stands before and after a node in the tree of a select of it alone. */
function shellOf(): readonly [before: string, after: string] {
  const shell = JSON.stringify({
    error: false,
    statements: [
      {
        node: {
          ...EMPTY_SELECT,
          select_list: ["@"],
          from_table: { type: "EMPTY", alias: "", sample: null, query_location: 0 },
        },
        named_param_map: [],
      },
    ],
  });
  const [before = "", after = ""] = shell.split('"@"');
  return [before, after];
}

/** DuckDB expression that prints the node under `path` of the tree `t` as SQL, without its alias; NULL if there is none. */
function printed(path: string): string {
  const [before, after] = shellOf();
  const node = `(t->'${ROOT}${path}')`;
  return `case when json_type(${node}) = 'OBJECT' then json_deserialize_sql(('${before}' || json_merge_patch(${node}, '{"alias":""}')::varchar || '${after}')::json) end`;
}

const PARSE = `select t::varchar as tree, ${printed("")} as sql, ${printed(".children[0]")} as argument, ${printed(".filter")} as filter
from (select json_serialize_sql($1::varchar)::json as t)`;

interface Tree {
  readonly error: boolean;
  readonly error_message?: string;
  readonly position?: string;
  readonly statements?: readonly { readonly node: Readonly<Record<string, unknown>> }[];
}

/**
 * Parses one expression.
 *
 * @param text SQL as the spec has it, with or without `as name`
 * @throws SqlError for text that is not exactly one expression
 */
export async function parseExpression(duckdb: DuckDB, text: string): Promise<Expression> {
  if (endsStatement(text)) throw new SqlError(`leave out the ; at the end of "${shorten(text.trim())}"`);
  let row: Readonly<Record<string, unknown>> | undefined;
  try {
    [row] = await duckdb.rows(PARSE, [`${PREFIX}${text}`]);
  } catch (error) {
    throw new SqlError(describeSqlError(error, text, PREFIX.length));
  }
  const printedTree = String(row?.["tree"]);
  const tree = JSON.parse(printedTree) as Tree;
  if (tree.error) throw syntaxErrorOf(tree, text);
  const node = onlyExpression(tree, text);
  const sql = (value: unknown) => (typeof value === "string" ? value.replace(/^SELECT /, "") : null);
  return {
    node,
    alias: node.alias ?? "",
    sql: sql(row?.["sql"]) ?? "",
    argument: sql(row?.["argument"]),
    filter: sql(row?.["filter"]),
    tree: printedTree,
  };
}

/**
 * SQL of a part of an expression.
 *
 * @param tree of the expression
 * @param path of JSON from the expression to the part, such as `.children[0]`
 * @param type as trees and plans have it: the part is cast to it
 */
export async function printPart(duckdb: DuckDB, tree: string, path: string, type?: unknown): Promise<string> {
  const [before, after] = shellOf();
  const place = { alias: "", query_location: 0 };
  const cast = JSON.stringify({
    ...{ class: "CAST", type: "OPERATOR_CAST", ...place },
    ...{ child: "@", cast_type: type, try_cast: false },
  }).split('"@"');
  const [open = "", close = ""] = type === undefined ? [] : cast;
  const [row] = await duckdb.rows(
    `select json_deserialize_sql(($1::varchar || json_merge_patch($2::json->$3::varchar, '{"alias":""}')::varchar || $4::varchar)::json) as sql`,
    [before + open, tree, ROOT + path, close + after],
  );
  return String(row?.["sql"]).replace(/^SELECT /, "");
}

/** SQL of a node. */
export async function printNode(duckdb: DuckDB, node: Node): Promise<string> {
  return await printPart(duckdb, shellOf().join(JSON.stringify(node)), "");
}

/**
 * An expression with another tree.
 *
 * @param change gives the new node for the old one, in which numbers are as DuckDB printed them
 */
export async function changedExpression(
  duckdb: DuckDB,
  expression: Expression,
  change: (node: Node) => Promise<Node>,
): Promise<Expression> {
  const node = await change(onlyNode(parseTree(expression.tree) as Tree));
  const text = shellOf().join(JSON.stringify(node));
  return {
    ...{ node: onlyNode(JSON.parse(text) as Tree), alias: expression.alias, tree: text },
    sql: await printPart(duckdb, text, ""),
    argument: expression.argument === null ? null : await printPart(duckdb, text, ".children[0]"),
    filter: expression.filter === null ? null : await printPart(duckdb, text, ".filter"),
  };
}

/** A tree as DuckDB printed it, to be printed again: as numbers, large constants would lose digits. */
export function parseTree(text: string): unknown {
  const keep = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" ? rawJson(context?.source ?? String(value)) : value;
  return JSON.parse(text, keep as Parameters<typeof JSON.parse>[1]) as unknown;
}

/** Part of the standard's JSON, which the types of Node leave out. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

function onlyNode(tree: Tree): Node {
  const [node] = (tree.statements?.[0]?.node["select_list"] ?? []) as readonly Node[];
  if (node === undefined) throw new SqlError("it has no expression");
  return node;
}

/** Text that DuckDB cannot parse, and where. */
export class SyntaxProblem extends SqlError {
  /** Where in the text the parser stopped. */
  readonly at: number;
  /** The parser's own words, without a hint. */
  readonly plain: string;

  constructor(message: string, at: number, plain: string) {
    super(message);
    this.at = at;
    this.plain = plain;
  }
}

function syntaxErrorOf(tree: Tree, text: string): SyntaxProblem {
  const error = new Error(
    JSON.stringify({
      exception_type: "Parser",
      exception_message: tree.error_message ?? "it cannot be parsed",
      position: tree.position,
    }),
  );
  const at = placeOfError(error, PREFIX.length) ?? 0;
  return new SyntaxProblem(describeSqlError(error, text, PREFIX.length), at, ownWords(error));
}

function onlyExpression(tree: Tree, text: string): Node {
  const [first, ...others] = tree.statements ?? [];
  const select = first?.node;
  const list = (select?.["select_list"] ?? []) as readonly Node[];
  const from = select?.["from_table"] as Node | undefined;
  const bare =
    select?.["type"] === "SELECT_NODE" &&
    from?.type === "EMPTY" &&
    Object.entries(EMPTY_SELECT).every(
      ([key, value]) => key === "select_list" || JSON.stringify(select[key]) === JSON.stringify(value),
    );
  const [node, ...more] = list;
  if (node === undefined || others.length > 0 || more.length > 0 || !bare)
    throw new SqlError(`write one expression, without from, where, group by and the like, not "${shorten(text)}"`);
  return node;
}

export function shorten(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 119)}…`;
}

/** Calls `visit` for each node of an expression, parents first. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  for (const child of childrenOf(node)) walk(child, visit);
}

/** The nodes directly below one. */
export function childrenOf(node: Node): readonly Node[] {
  return Object.values(node).flatMap(nodesIn);
}

function nodesIn(value: unknown): readonly Node[] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(nodesIn);
  return isNode(value) ? [value] : Object.values(value).flatMap(nodesIn);
}

/** Whether part of a tree is a node. */
export function isNode(value: object): value is Node {
  return "class" in value && typeof value.class === "string" && "type" in value && typeof value.type === "string";
}
