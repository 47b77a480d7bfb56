/** The example's tables: read by PostgreSQL's own client in its pod, shown as text. */
import { kubectl } from "../cluster/host/kubectl.ts";
import { type Example, type ExampleQuery, type ExampleTable } from "./example.ts";
import { namespace } from "./install.ts";

export interface TableView {
  readonly name: string;
  readonly count: number;
  /** The newest rows, as PostgreSQL writes them in JSON. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** One statement that answers with all tables as JSON, the newest rows first, and then with what the queries give. */
export function tablesQuery(tables: readonly ExampleTable[], queries: readonly ExampleQuery[], rows: number): string {
  const results = queries.map(
    ({ name, sql }) => `(select json_build_object('name', ${literal(name)}, 'count', count(*),
      'rows', coalesce(json_agg(result) filter (where number <= ${rows}), '[]'))
      from (select row_number() over () as number, result from (${sql}\n) as result) as numbered)`,
  );
  const views = tables.map(({ name, order }) => {
    const columns = order.map((column) => `${typeof column === "string" ? quoted(column) : column} desc nulls last`);
    const newest = `select * from ${quoted(name)} order by ${columns.join(", ")} limit ${rows}`;
    return `json_build_object('name', ${literal(name)}, 'count', (select count(*) from ${quoted(name)}),
      'rows', (select coalesce(json_agg(newest), '[]') from (${newest}) newest))`;
  });
  return `select json_build_array(${[...views, ...results].join(",\n")})`;
}

/** The tables as they are now; rejects with kubectl's or psql's words while they are not there yet. */
export async function readTables(example: Example, rows: number): Promise<readonly TableView[]> {
  const cluster = ["get", "clusters.postgresql.cnpg.io", example.databaseCluster];
  const primary = await kubectl(["-n", namespace, ...cluster, "-o", "jsonpath={.status.currentPrimary}"]);
  const pod = ["-n", namespace, "exec", primary || `${example.databaseCluster}-1`, "-c", "postgres"];
  const psql = ["psql", "-d", example.database, "-v", "ON_ERROR_STOP=1", "-X", "-A", "-t", "-c"];
  return JSON.parse(
    await kubectl([...pod, "--", ...psql, tablesQuery(example.tables, example.queries, rows)]),
  ) as TableView[];
}

function cell(value: unknown): string {
  if (value === null) return "∅";
  if (typeof value === "number" && !Number.isInteger(value)) return value.toFixed(3);
  // Times are UTC in these tables; to the second is enough to look at.
  const time = typeof value === "string" ? /^(\d{4}-\d\d-\d\d)T([\d:]{8})(?:\.\d+)?\+00:00$/.exec(value) : null;
  if (time !== null) return `${time[1]} ${time[2]}`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A table with its name, its count and its newest rows, in aligned columns. */
export function formatTable({ name, count, rows }: TableView): string {
  const title = `${name}: ${count} ${count === 1 ? "row" : "rows"}`;
  const columns = Object.keys(rows[0] ?? {});
  if (columns.length === 0) return title;
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const numeric = columns.map((column) => rows.every((row) => typeof row[column] === "number"));
  const text = lines.map((line) =>
    line
      .map((value, index) =>
        numeric[index] === true ? value.padStart(widths[index] ?? 0) : value.padEnd(widths[index] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [title, ...[text[0] ?? "", rule, ...text.slice(1)].map((line) => `  ${line}`)].join("\n");
}
