/**
 * SQL over JSON whose digits stay as they were written: calls of DuckDB's JSON functions become calls of ours (see
 * json-functions.ts), and what would still make doubles of numbers is refused with what to write instead.
 */
import type { DuckDB } from "./duckdb.ts";
import { SqlError } from "./sql-error.ts";
import type { Node } from "./syntax.ts";
import { hasManyValues } from "../json/json-text.ts";

const EXTRACT: Readonly<Record<string, "json" | "text" | "value">> = {
  "->": "json",
  json_extract: "json",
  json_extract_path: "json",
  "->>": "text",
  json_extract_string: "text",
  json_extract_path_text: "text",
  json_value: "value",
};
/** They give no digits, but take the first of a key's values. */
const LOOKS = new Set(["json_type", "json_keys", "json_array_length", "json_exists", "json_structure"]);
const TRANSFORMS = new Set(["from_json", "from_json_strict", "json_transform", "json_transform_strict"]);
/** They write numbers of their JSON arguments anew. */
const WRITES: Readonly<Record<string, string>> = {
  json_array: "write '[' || … || ']' with the JSON values as they are, and ::json behind it",
  json_object: "write '{\"name\":' || … || '}' with the JSON value as it is, and ::json behind it",
  json_quote: "write the JSON value as it is",
  to_json: "write the JSON value as it is",
  row_to_json: "write the JSON values as columns of their own",
  array_to_json: "write the JSON value as it is",
  json_merge_patch: "take the members apart with ->",
  json_pretty: "write the JSON value as it is",
  json_group_array: "write ('[' || string_agg(…::varchar, ',') || ']')::json with the JSON values as they are",
  json_group_object:
    "write ('{' || string_agg(to_json(name) || ':' || value::varchar, ',') || '}')::json with the JSON values as they are",
  json_each: "take the members with ->, or the elements with unnest((…)::json[])",
  json_tree: "take the members with ->, or the elements with unnest((…)::json[])",
  json_contains: "compare what ->> gives, or list_contains(from_json(…, '[\"VARCHAR\"]'), …)",
};
/** Of these: they take nothing else. */
const TAKES_JSON = new Set(["json_merge_patch", "json_pretty", "json_contains", "json_each", "json_tree"]);
/** Names that the bound SQL must not have: DuckDB's own, of which none may be left. */
const READS = new Set(Object.keys(EXTRACT));
const LISTS = new Set(["list_value", "array_value"]);

/** The type of a node's value as DuckDB writes it; undefined where only its place tells, as in a lambda. */
export type TypeOf = (node: Node) => Promise<string | undefined>;

interface Options {
  readonly typeOf: TypeOf;
  /** Functions that take a lambda: elsewhere `a -> 'b'` looks into JSON. */
  readonly lambdas: ReadonlySet<string>;
}

/** @param tree of an expression or of a whole select @throws SqlError for what cannot be exact */
export async function exactJson<Tree>(tree: Tree, options: Options): Promise<Tree> {
  return (await rewriteAny(tree, options, false)) as Tree;
}

/** Functions of DuckDB's that take a lambda. */
export async function readLambdaFunctions(duckdb: DuckDB): Promise<ReadonlySet<string>> {
  const rows = await duckdb.rows(
    "select distinct function_name as name from duckdb_functions() where list_contains(parameter_types, 'LAMBDA')",
  );
  return new Set(rows.map(({ name }) => String(name)));
}

async function rewriteAny(value: unknown, options: Options, isLambda: boolean): Promise<unknown> {
  if (typeof value !== "object" || value === null || "rawJSON" in value) return value;
  if (Array.isArray(value))
    return await Promise.all(value.map(async (one) => await rewriteAny(one, options, isLambda)));
  const node = value as Partial<Node>;
  const takesLambda = node.class === "FUNCTION" && options.lambdas.has(nameOf(node));
  const entries: [string, unknown][] = [];
  for (const [key, part] of Object.entries(value))
    entries.push([key, await rewriteAny(part, options, takesLambda && key === "children")]);
  const rewritten = Object.fromEntries(entries) as unknown as Node;
  return node.class === undefined ? rewritten : await rewriteNode(value as Node, rewritten, options, isLambda);
}

/** @param before the node as it was, whose type can be asked for @param node the same with its parts rewritten */
async function rewriteNode(before: Node, node: Node, options: Options, isLambda: boolean): Promise<Node> {
  switch (node.class) {
    case "FUNCTION":
      return await rewriteCall(before, node, options);
    case "LAMBDA":
      return isLambda ? node : extracted(before, "json", node.lhs, node.expr ?? undefined);
    case "OPERATOR":
      return await rewriteOperator(before, node, options);
    case "CAST":
      return await rewriteCast(before, node, options);
    case "COLUMN_REF":
      return await rewriteReference(before, options);
    default:
      return node;
  }
}

async function rewriteCall(before: Node, node: Node, { typeOf }: Options): Promise<Node> {
  const name = nameOf(node);
  const [document, ...rest] = node.children ?? [];
  const form = EXTRACT[name];
  if (document === undefined) return node;
  if (form !== undefined) return extracted(before, form, document, rest[0]);
  if (LOOKS.has(name)) return { ...node, children: [call("caudal_json", [document]), ...rest] };
  if (name === "json") return call("caudal_json", [document], before);
  if (TRANSFORMS.has(name)) {
    if (/"JSON"/i.test(textOf(rest[0]) ?? '"JSON"'))
      throw new SqlError(
        `${name} would round the numbers of what it gives as JSON: write the structure as a constant with VARCHAR in place of JSON, or take the value with ->`,
      );
    return { ...node, children: [call("caudal_json_exact", [document]), ...rest] };
  }
  const advice = WRITES[name];
  if (advice === undefined) return node;
  const types = await Promise.all((before.children ?? []).map(async (child) => await typeOf(child)));
  if (!TAKES_JSON.has(name) && types.every((type) => type !== undefined && !ROUNDED.test(type)))
    return { ...node, children: (node.children ?? []).map((child, index) => wide(child, types[index] ?? "")) };
  throw new SqlError(`${name} would round numbers in JSON: ${advice}`);
}

/** JSON, and decimals in lists and structs that go through doubles and do not fit them. */
const ROUNDED = /\bJSON\b|.DECIMAL\(1[678],/;

/** Decimals of up to 18 digits are written as doubles, wider ones with all their digits. */
function wide(child: Node, type: string): Node {
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(type)?.[1];
  if (scale === undefined) return child;
  const info = { type: "DECIMAL_TYPE_INFO", alias: "", extension_info: null, width: 38, scale: Number(scale) };
  return cast(child, { id: "DECIMAL", type_info: info });
}

async function rewriteOperator(before: Node, node: Node, { typeOf }: Options): Promise<Node> {
  if (node.type !== "STRUCT_EXTRACT" && node.type !== "ARRAY_EXTRACT") return node;
  const [document, key] = before.children ?? [];
  if (document === undefined || (await typeOf(document)) !== "JSON") return node;
  return extracted(before, "json", node.children?.[0], key);
}

async function rewriteCast(before: Node, node: Node, { typeOf }: Options): Promise<Node> {
  const { child, cast_type: type } = node as CastNode;
  const source = await typeOf((before as CastNode).child);
  const target = JSON.stringify(type);
  const isJson = /"name":"json"/i.test(target);
  if (type.id === "UNBOUND" && isJson) {
    if (source === "VARCHAR" || source === "JSON") return call("caudal_json", [child], before);
    if (source === undefined || !ROUNDED.test(source)) return node;
    throw new SqlError(
      `a cast of ${source} to JSON would round numbers: write the texts of the values together, such as '[' || list_aggregate(…::varchar[], 'string_agg', ',') || ']', and ::json behind them`,
    );
  }
  if (source !== "JSON" || type.id === "VARCHAR") return node;
  if (type.type_info?.child_type === undefined && type.type_info?.child_types === undefined)
    return { ...node, child: call("caudal_json_text", [child, text("$")]) } as Node;
  if (!isJson) return { ...node, child: call("caudal_json_exact", [child]) } as Node;
  if (type.id === "LIST" && type.type_info.child_type?.id === "UNBOUND")
    return { ...node, child: listOfTexts(call("caudal_json_elements", [child])) } as Node;
  throw new SqlError("the cast would round numbers in JSON: take the JSON values with ->, or cast them to varchar");
}

/** `lookup.column.member` */
async function rewriteReference(node: Node, { typeOf }: Options): Promise<Node> {
  const names = node.column_names ?? [];
  if (names.length < 3 || (await typeOf({ ...node, column_names: names.slice(0, 2) })) !== "JSON") return node;
  let found: Node = { ...node, column_names: names.slice(0, 2) };
  for (const name of names.slice(2))
    found = call("caudal_json_extract", [found, text(`$.${JSON.stringify(name)}`)], node);
  return found;
}

const OURS = {
  one: { json: "caudal_json_extract", text: "caudal_json_text", value: "caudal_json_value" },
  many: { json: "caudal_json_values", text: "caudal_json_texts", value: "caudal_json_values" },
} as const;

function extracted(before: Node, form: keyof typeof OURS.one, document?: Node, path?: Node): Node {
  if (document === undefined || path === undefined) return before;
  if (path.class === "FUNCTION" && LISTS.has(nameOf(path)))
    return { ...path, children: (path.children ?? []).map((one) => extracted(before, form, document, one)) };
  const constant = pathOf(path);
  // `doc->'v' > 1` is `doc->('v' > 1)`.
  if (path.class === "COMPARISON")
    throw new SqlError("-> binds weaker than a comparison: put it in brackets, as in (doc->>'v')::double > 1");
  if (constant === undefined)
    throw new SqlError(
      `the path of ${before.function_name ?? "->"} has to be a constant, such as '$.a.b' or 0, so that digits in JSON stay as they are: list_transform takes all elements of a list that (…)::json[] gives`,
    );
  if (constant.includes(".."))
    throw new SqlError(`the path ${constant} would round numbers in JSON: name each member instead of ..`);
  const call1 = (name: string) => call(name, [document, text(constant)], before);
  if (!hasManyValues(constant)) return call1(OURS.one[form]);
  const list = listOfTexts(call1(OURS.many[form]));
  return form === "text" ? list : cast(list, JSON_LIST);
}

/** @returns a path of ours; undefined where it is no constant */
function pathOf(node: Node): string | undefined {
  const value = node.class === "CONSTANT" ? node.value : undefined;
  if (value === undefined || value.is_null) return undefined;
  const written = typeof value.value === "string" ? value.value : JSON.stringify(value.value);
  if (value.type?.id === "VARCHAR") return written;
  return /INT$|^INTEGER|LITERAL$/.test(value.type?.id ?? "") && /^-?\d+$/.test(written) ? `$[${written}]` : undefined;
}

function textOf(node: Node | undefined): string | undefined {
  return node?.class === "CONSTANT" && typeof node.value?.value === "string" ? node.value.value : undefined;
}

interface CastNode extends Node {
  readonly child: Node;
  readonly cast_type: {
    readonly id: string;
    readonly type_info?: { readonly child_type?: { readonly id: string }; readonly child_types?: unknown } | null;
  };
}

const JSON_TYPE = {
  id: "UNBOUND",
  type_info: {
    ...{ type: "UNBOUND_TYPE_INFO", alias: "", extension_info: null },
    ...{ name: "json", catalog: "", schema: "", user_type_modifiers: [] },
  },
};
const JSON_LIST = {
  id: "LIST",
  type_info: { type: "LIST_TYPE_INFO", alias: "", extension_info: null, child_type: JSON_TYPE },
};

function cast(child: Node, type: unknown): Node {
  const node = { class: "CAST", type: "OPERATOR_CAST", alias: "", query_location: 0, child, cast_type: type };
  return { ...node, try_cast: false };
}

function listOfTexts(document: Node): Node {
  return call("from_json", [document, text('["VARCHAR"]')]);
}

/** @param like node whose alias it keeps */
function call(name: string, children: readonly Node[], like?: Node): Node {
  const node = {
    ...{ class: "FUNCTION", type: "FUNCTION", alias: like?.alias ?? "", query_location: like?.query_location ?? 0 },
    ...{ function_name: name, schema: "", children, filter: null, order_bys: { type: "ORDER_MODIFIER", orders: [] } },
  };
  return { ...node, ...{ distinct: false, is_operator: false, export_state: false, catalog: "" } } as Node;
}

function text(value: string): Node {
  const type = { id: "VARCHAR", type_info: null };
  return {
    ...{ class: "CONSTANT", type: "VALUE_CONSTANT", alias: "", query_location: 0 },
    value: { type, is_null: false, value },
  };
}

function nameOf({ function_name: name = "" }: Partial<Node>): string {
  return name.toLowerCase();
}

/**
 * Refuses what the binder itself would read of JSON: a comparison of it with a number, or a function that is left.
 *
 * @param plan as `json_serialize_plan` gives it
 * @throws SqlError
 */
export function checkExactJson(plan: unknown): void {
  if (typeof plan !== "object" || plan === null) return;
  const part = plan as Bound;
  if (part.expression_class === "BOUND_FUNCTION" && READS.has(part.name ?? ""))
    throw new SqlError(
      `${part.name ?? ""} would round numbers in JSON here: write it outside of the function around it`,
    );
  if (part.expression_class === "BOUND_CAST" && isJson(part.child) && !isText(part.return_type))
    if (part.child?.name !== "caudal_json_exact")
      throw new SqlError(
        "JSON is compared with, or taken for, a number here, which would round it: write what ->> gives with a cast, such as (doc->>'amount')::decimal(38,4) > 1",
      );
  for (const child of Object.values(plan)) checkExactJson(child);
}

interface Bound {
  readonly expression_class?: string;
  readonly name?: string;
  readonly child?: Bound;
  readonly return_type?: BoundType;
}
interface BoundType {
  readonly id?: string;
  readonly type_info?: { readonly alias?: string } | null;
}

/** What a bound part gives: a constant says it of its value, a cast and a function of what they return. */
function isJson(part: Bound | undefined): boolean {
  return part?.return_type?.id === "VARCHAR" && part.return_type.type_info?.alias === "JSON";
}

function isText(type: BoundType | undefined): boolean {
  return type?.id === "VARCHAR";
}
