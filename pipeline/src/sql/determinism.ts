/** What an expression may hold: only what gives the same result for the same event, on every machine and at any time. */
import type { DuckDB } from "./duckdb.ts";
import { quote } from "./quote.ts";
import { SqlError } from "./sql-error.ts";
import { jsonPath } from "./sql-hints.ts";
import { type Node, parseExpression, walk } from "./syntax.ts";

/** What may be called, from DuckDB's own catalogue. */
export interface Functions {
  /** Every name that exists, of whatever kind. */
  readonly known: ReadonlySet<string>;
  /** Those that give the same result for the same arguments; macros join when `admitMacros` has met them. */
  readonly scalar: Set<string>;
  readonly aggregate: ReadonlySet<string>;
  /** Other names of functions, and what they are names of. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Those that give rows. */
  readonly table: ReadonlySet<string>;
  /** Why a macro that `admitMacros` has met may not be called. */
  readonly refused: Map<string, string>;
  readonly macros: ReadonlyMap<string, { readonly sql: string; readonly parameters: readonly string[] }>;
}

/** Functions that DuckDB calls consistent but that look at the clock, at settings or at how a value is stored. */
const NOT_CONSISTENT = new Set([
  "current_localtime",
  "current_localtimestamp",
  "current_setting",
  "getvariable",
  "json_deserialize_sql",
  "json_serialize_plan",
  "json_serialize_sql",
  "parse_duckdb_log_message",
  "vector_type",
  "version",
]);

/** Why a kind of node is refused. Kinds that are in neither list are refused too. */
const REFUSED: Readonly<Record<string, string>> = {
  SUBQUERY: "a subquery reads more than the event: write an expression over its fields",
  WINDOW: "a window function looks at other events: use the table's window and groupBy",
  STAR: "it stands for many columns: name the field (count(*) may have *, and * [exclude, replace, rename] is an item of select)",
  PARAMETER: "there are no parameters: write the value",
  POSITIONAL_REFERENCE: "write the field's name instead of its position",
  COLLATE: "text is compared bytewise: use lower(…) or strip_accents(…) instead of collate",
};
const ALLOWED = new Set([
  "COLUMN_REF",
  "CONSTANT",
  "FUNCTION",
  "CAST",
  "CASE",
  "CONJUNCTION",
  "COMPARISON",
  "BETWEEN",
  "OPERATOR",
  "LAMBDA",
]);

/** Reads which functions exist and which of them always give the same result. */
export async function readFunctions(duckdb: DuckDB): Promise<Functions> {
  const rows = await duckdb.rows(`select function_name as name, function_type as type,
    bool_and(stability is not distinct from 'CONSISTENT') as consistent,
    any_value(macro_definition) as macro, any_value(alias_of) as meaning, to_json(any_value(parameters))::varchar as parameters
    from duckdb_functions() group by all order by all`);
  const named = (type: string) => rows.filter((row) => row["type"] === type);
  const scalar = new Set(
    named("scalar")
      .filter((row) => row["consistent"] === true)
      .map((row) => String(row["name"])),
  );
  for (const name of NOT_CONSISTENT) scalar.delete(name);
  const aggregate = new Set(named("aggregate").map((row) => String(row["name"])));
  const table = new Set([...named("table"), ...named("table_macro")].map((row) => String(row["name"])));
  const macros = named("macro").map((row) => {
    const parameters = JSON.parse(String(row["parameters"])) as readonly string[];
    return [String(row["name"]), { sql: String(row["macro"]), parameters }] as const;
  });
  const known = new Set(rows.map((row) => String(row["name"])));
  const aliases = new Map(
    rows.flatMap(({ name, meaning }) => (typeof meaning === "string" ? [[String(name), meaning] as const] : [])),
  );
  return { known, scalar, aggregate, aliases, table, refused: new Map(), macros: new Map(macros) };
}

/** Looks into the macros that an expression calls: one is as good as the SQL that it stands for. */
export async function admitMacros(duckdb: DuckDB, functions: Functions, node: Node): Promise<void> {
  const called = new Set<string>();
  walk(node, ({ class: kind, function_name: name }) => {
    if (kind === "FUNCTION" && name !== undefined) called.add(name.toLowerCase());
  });
  for (const name of called) {
    const macro = functions.macros.get(name);
    if (macro === undefined || functions.scalar.has(name)) continue;
    try {
      const { node: meaning } = await parseExpression(duckdb, macro.sql);
      await admitMacros(duckdb, functions, meaning);
      checkKinds(meaning, functions);
      readFields(meaning, macro.parameters);
      functions.scalar.add(name);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      functions.refused.set(name, error.message);
    }
  }
}

/**
 * Refuses what reads more than one event, or gives another result the next time. Names that do not exist pass: DuckDB's
 * binder has better words for them.
 *
 * @throws SqlError
 */
export function checkKinds(node: Node, functions: Functions): void {
  walk(node, (part) => {
    checkKind(part, functions);
  });
}

/**
 * Refuses names that are no fields but mean something to DuckDB, such as current_date.
 *
 * @param fields as declared
 * @param lookups whose columns may be read, as `lookup.column`
 * @returns fields and lookups that the expression reads
 * @throws SqlError
 */
export function readFields(
  node: Node,
  fields: readonly string[],
  lookups: ReadonlySet<string> = new Set(),
): ReadonlySet<string> {
  const declared = new Map(fields.map((field) => [field.toLowerCase(), field]));
  const lambdas = new Set<string>();
  walk(node, ({ class: kind, lhs }) => {
    if (kind === "LAMBDA" && lhs !== undefined)
      for (const { first, rest } of columnNames(lhs)) if (rest.length === 0) lambdas.add(first);
  });
  const used = new Set<string>();
  for (const { first, rest } of columnNames(node)) {
    const field = rest.length === 0 ? declared.get(first) : undefined;
    if (field !== undefined) used.add(field);
    else if (lookups.has(first)) used.add(first);
    else if (rest.length > 0) throw new SqlError(prefixed(first, rest, declared));
    else if (!lambdas.has(first)) throw new SqlError(volatile(first));
  }
  return used;
}

function checkKind(part: Node, functions: Functions): void {
  const refused = REFUSED[part.class];
  if (refused !== undefined) throw new SqlError(refused);
  if (!ALLOWED.has(part.class)) throw new SqlError(`${part.class.toLowerCase()} cannot be used here`);
  if (part.type === "GROUPING_FUNCTION") throw new SqlError("grouping() has no meaning here");
  if (part.class !== "FUNCTION") return;
  const name = (part.function_name ?? "").toLowerCase().replace("count_star", "count");
  const isAggregate = functions.aggregate.has(name) && !functions.scalar.has(name);
  if (isAggregate)
    throw new SqlError(
      `${name} is an aggregate over many events, and an expression sees one: it stands alone in an aggregator's aggregates, as in "${name}(…) as name", and nowhere else`,
    );
  if (functions.known.has(name) && !functions.scalar.has(name)) throw new SqlError(whyRefused(name, functions));
  if (name === "age" && part.children?.length === 1)
    throw new SqlError("age(x) looks at the clock: write age(a, b) with both times");
}

function prefixed(prefix: string, path: readonly string[], declared: ReadonlyMap<string, string>): string {
  const name = [prefix, ...path].join(".");
  const whole = declared.get(name);
  if (whole !== undefined) return `a name with a dot needs double quotes: write ${quote(whole)}`;
  const holder = declared.get(prefix);
  if (holder !== undefined) return `${name} is inside the field ${holder}: write ${jsonPath(holder, path)}`;
  const field = path.length === 1 ? declared.get(path[0] ?? "") : undefined;
  return `write a field's name alone, without a prefix, not ${name}${field === undefined ? "" : `: write ${field}`}`;
}

function whyRefused(name: string, functions: Functions): string {
  const macro = functions.refused.get(name);
  if (macro !== undefined) return `${name} is a macro that cannot be used here: ${macro}`;
  return functions.table.has(name) ? givesRows(name) : volatile(name);
}

/** Why something that gives more or fewer rows than one cannot stand in an expression. */
export function givesRows(name: string): string {
  return `${name} gives any number of rows, and an event is one: write an expression that gives one value, such as items->>0, list_transform(items::json[], lambda x: x->>'name'), list_sum(items::double[]), array_to_string(items::varchar[], ',') or len(items::json[])`;
}

function volatile(name: string): string {
  return `${name} does not give the same result each time: use the event's fields, such as its timestamp, so that the tables stay exact`;
}

/** Names of columns in lower case: a name with a dot in it is one name, only what stands behind a dot of SQL is another. */
function columnNames(node: Node): readonly { readonly first: string; readonly rest: readonly string[] }[] {
  const names: { first: string; rest: readonly string[] }[] = [];
  walk(node, ({ class: kind, column_names: columns = [] }) => {
    if (kind !== "COLUMN_REF") return;
    const [first = "", ...rest] = columns.map((name) => name.toLowerCase());
    names.push({ first, rest });
  });
  return names;
}
