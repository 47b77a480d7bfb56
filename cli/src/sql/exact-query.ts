/** Queries whose numbers in JSON keep their digits, as stages read them. */
import { type DuckDB, exactJson, readLambdaFunctions, type Node, parseTree } from "@caudal/pipeline/duckdb";
import { SqlError } from "@caudal/pipeline/sql";
import { StatementFailed } from "../errors.ts";

/**
 * A query with the digits of numbers in JSON as they were written, as stages read them.
 *
 * @param sql that DuckDB has bound: what it reads is there
 * @throws StatementFailed with what to write in place of what would round
 */
export async function exactQuery(duckdb: DuckDB, sql: string): Promise<string> {
  const [row] = await duckdb.rows("select json_serialize_sql($1::varchar)::varchar as tree", [sql]);
  const tree = parseTree(String(row?.["tree"]));
  const scopes = [...scopesOf(tree)];
  const typeOf = async (node: Node) => {
    for (const scope of scopes)
      try {
        const asked = { ...scope, select_list: [{ ...node, alias: "" }] };
        const text = JSON.stringify({ error: false, statements: [{ node: asked, named_param_map: [] }] });
        const [found] = await duckdb.rows(`describe ${await printed(duckdb, text)}`);
        return String(found?.["column_type"]);
      } catch {
        // It is a part of another select.
      }
    return undefined;
  };
  try {
    const exact = await exactJson(tree, { typeOf, lambdas: await readLambdaFunctions(duckdb) });
    const text = JSON.stringify(exact);
    return text === JSON.stringify(tree) ? sql : await printed(duckdb, text);
  } catch (error) {
    if (error instanceof SqlError) throw new StatementFailed(error.message, { cause: error });
    throw error;
  }
}

async function printed(duckdb: DuckDB, tree: string): Promise<string> {
  const [row] = await duckdb.rows("select json_deserialize_sql($1::varchar::json) as sql", [tree]);
  return String(row?.["sql"]);
}

interface Select {
  readonly type?: unknown;
  readonly cte_map?: { readonly map: readonly unknown[] };
}

/** What each select of a query reads: selects without their conditions, groups and columns. */
function* scopesOf(part: unknown, outer: readonly unknown[] = []): Generator<Select> {
  if (typeof part !== "object" || part === null) return;
  const select = part as Select;
  const named = [...outer, ...(select.cte_map?.map ?? [])];
  if (select.type === "SELECT_NODE")
    yield {
      ...select,
      ...{ cte_map: { map: named }, modifiers: [], where_clause: null, group_expressions: [], group_sets: [] },
      ...{ having: null, qualify: null, sample: null, aggregate_handling: "STANDARD_HANDLING" },
    };
  for (const child of Object.values(part)) yield* scopesOf(child, named);
}
