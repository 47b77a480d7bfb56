/** Queries that DuckDB answers, with values as PostgreSQL would write them. */
import type { DuckDBBlobValue } from "@duckdb/node-api";
import { type DuckDB, openDuckDB } from "@caudal/pipeline/duckdb";
import { quote, structured } from "@caudal/pipeline/sql";
import { StatementFailed } from "../errors.ts";
import { kindOfDuckDB, type Result, type ResultColumn } from "../output/result.ts";
import { placeOfByte } from "./place.ts";

/** Records of a topic, and what a query makes of them, are held in memory up to this. */
const MEMORY = "1GB";

export async function openQueries(): Promise<DuckDB> {
  return await openDuckDB({ memoryLimit: MEMORY, structuredErrors: true });
}

const DESCRIBE = "describe ";

/**
 * @param placeBefore where a place of the query is in what was typed
 * @throws StatementFailed with DuckDB's words, which name the candidates for a name that is wrong, and the place
 */
export async function describeQuery(
  duckdb: DuckDB,
  sql: string,
  placeBefore: (at: number) => number = (at) => at,
): Promise<readonly ResultColumn[]> {
  const text = `${DESCRIBE}${sql}`;
  const rows = await orFailed(
    async () => await duckdb.rows(text),
    (byte) => placeBefore(placeOfByte(text, byte) - DESCRIBE.length),
  );
  return rows.map(({ column_name: name, column_type: type }) => ({
    name: String(name),
    kind: kindOfDuckDB(String(type)),
  }));
}

/** @param columns as {@link describeQuery} gives them @throws StatementFailed */
export async function runQuery(duckdb: DuckDB, sql: string, columns: readonly ResultColumn[]): Promise<Result> {
  const names = columns.map((_, index) => quote(`c${index}`));
  // As bytes: the library's own reading of texts loses a U+FEFF at their beginning.
  const texts = names.map((name) => `encode(${name}::varchar)`).join(", ");
  const reader = await orFailed(
    async () => await duckdb.connection.runAndReadAll(`select ${texts} from (${sql}) as q(${names.join(", ")})`),
  );
  const textOf = (value: unknown) => (value === null ? null : Buffer.from((value as DuckDBBlobValue).bytes).toString());
  return { columns, rows: reader.getRows().map((row) => row.map(textOf)) };
}

/**
 * Whether each row of the result depends on one record alone, so that records may be looked at a few at a time.
 *
 * @returns what stands against it, in words; undefined when nothing does
 */
export async function whyNotByRecord(duckdb: DuckDB, sql: string): Promise<string | undefined> {
  const [row] = await duckdb.rows("select json_serialize_sql($1::varchar)::varchar as tree", [sql]);
  const tree = JSON.parse(String(row?.["tree"])) as { error?: boolean; statements?: { node?: SelectNode }[] };
  const node = tree.statements?.[0]?.node;
  if (tree.error === true || node === undefined) return undefined; // DuckDB's binder has better words
  if (node.type !== "SELECT_NODE") return "a UNION or another set operation";
  if ((node.cte_map?.map?.length ?? 0) > 0) return "WITH";
  if (node.from_table?.type !== "BASE_TABLE") return "a join or a subquery";
  if ((node.group_expressions?.length ?? 0) > 0) return "GROUP BY";
  const modifier = node.modifiers?.[0]?.type;
  if (modifier !== undefined) return MODIFIERS[modifier] ?? modifier;
  const aggregates = await aggregateNames(duckdb);
  return findIn([node.select_list, node.where_clause, node.qualify, node.having], aggregates);
}

const MODIFIERS: Readonly<Record<string, string>> = {
  LIMIT_MODIFIER: "LIMIT",
  ORDER_MODIFIER: "ORDER BY",
  DISTINCT_MODIFIER: "DISTINCT",
};

interface SelectNode {
  readonly type?: string;
  readonly cte_map?: { readonly map?: readonly unknown[] };
  readonly from_table?: { readonly type?: string };
  readonly group_expressions?: readonly unknown[];
  readonly modifiers?: readonly { readonly type?: string }[];
  readonly select_list?: unknown;
  readonly where_clause?: unknown;
  readonly qualify?: unknown;
  readonly having?: unknown;
}

function findIn(part: unknown, aggregates: ReadonlySet<string>): string | undefined {
  if (typeof part !== "object" || part === null) return undefined;
  const { class: kind, function_name: name } = part as { readonly class?: unknown; readonly function_name?: unknown };
  if (kind === "WINDOW") return "a window function";
  if (kind === "SUBQUERY") return "a subquery";
  if (kind === "FUNCTION" && typeof name === "string" && aggregates.has(name.toLowerCase()))
    return name === "count_star" ? "count(*)" : `${name}(…)`;
  for (const child of Object.values(part)) {
    const found = findIn(child, aggregates);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function aggregateNames(duckdb: DuckDB): Promise<ReadonlySet<string>> {
  const rows = await duckdb.rows(`select function_name as name from duckdb_functions() group by all
    having bool_and(function_type = 'aggregate')`);
  return new Set(rows.map(({ name }) => String(name)));
}

/**
 * Work of DuckDB's, with its errors in words.
 *
 * @param placeOf what was typed, of the place that DuckDB tells; undefined where it is given another text
 * @throws StatementFailed
 */
export async function orFailed<T>(work: () => Promise<T>, placeOf?: (byte: number) => number): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const found = structured(error);
    const said = (found.exception_message ?? "").trim();
    if (/Out of Memory/.test(`${found.exception_type ?? ""} ${said}`))
      throw new StatementFailed(
        `the query needs more than ${MEMORY} of memory: write a WHERE that keeps fewer records, select fewer columns, or let an aggregator keep a table`,
        { cause: error },
      );
    const { position, type, name } = found;
    throw new StatementFailed(said.replaceAll(/[!;]?\s*\n\s*/g, "; "), {
      at: position === undefined ? undefined : placeOf?.(Number(position)),
      ...(type === "Table" && name !== undefined ? { missing: name } : {}),
      isSyntax: found.exception_type === "Parser",
      cause: error,
    });
  }
}
