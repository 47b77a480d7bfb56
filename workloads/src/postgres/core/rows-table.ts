/** A table whose rows are events, and the statement that adds to it. Pure: SQL out. */
import { createHash } from "node:crypto";
import type { DeltaColumn } from "../../kernel/delta.ts";
import type { ProjectedColumn } from "../../sql/transform-plan.ts";
import { binaryArray } from "./binary-array.ts";
import { identifier, qualified } from "./identifiers.ts";
import { catalogueType, type Column } from "./table-ddl.ts";
import type { UpsertStatement } from "./upsert.ts";

export interface RowsTable {
  readonly name: string;
  /** What must not change while the table has rows: its key. */
  readonly hash: string;
  readonly key: readonly string[];
  readonly columns: readonly ProjectedColumn[];
}

const ORDINAL = identifier("#n");

export function rowsTable(name: string, key: readonly string[], columns: readonly ProjectedColumn[]): RowsTable {
  const hash = createHash("sha256")
    .update(JSON.stringify({ format: "rows 1", key }))
    .digest("hex");
  return { name, hash, key, columns };
}

export function rowsPlace(name: string): string {
  return qualified({ schema: "public", name });
}

export function rowsColumns({ columns }: RowsTable): readonly Column[] {
  return columns.map(({ name, postgresType }) => ({ name, type: catalogueType(postgresType) }));
}

export function createRowsTable(table: RowsTable): readonly string[] {
  const { name, key, columns } = table;
  const definitions = columns.map((column) => `  ${definition(column)}${key.includes(column.name) ? " not null" : ""}`);
  if (key.length > 0) definitions.push(`  primary key (${key.map(identifier).join(", ")})`);
  return [`create table ${rowsPlace(name)} (\n${definitions.join(",\n")}\n)`];
}

/** Adds a column that the select has got since the table was made. */
export function addColumn(table: RowsTable, column: ProjectedColumn): string {
  return `alter table ${rowsPlace(table.name)} add column ${definition(column)}`;
}

/** Texts are compared bytewise here as in the kernel. */
function definition({ name, postgresType }: ProjectedColumn): string {
  return `${identifier(name)} ${postgresType}${postgresType === "text" ? ` collate "C"` : ""}`;
}

/** Of several rows with one key in a batch the last one stays; rows are locked in the order of their keys. */
export function rowsText({ name, key, columns }: RowsTable): string {
  const names = columns.map((column) => identifier(column.name));
  const list = names.join(", ");
  const arrays = columns.map(({ postgresType }, index) => `$${index + 1}::${postgresType}[]`).join(", ");
  const insert = `insert into ${rowsPlace(name)} (${list})`;
  if (key.length === 0) return `${insert}\nselect ${list} from unnest(${arrays}) as d(${list})`;
  const keys = key.map(identifier).join(", ");
  const rest = names.filter((column) => !key.map(identifier).includes(column));
  const action =
    rest.length === 0
      ? "do nothing"
      : `do update set ${rest.map((column) => `${column} = excluded.${column}`).join(", ")}`;
  return `${insert}
select ${list} from (
  select distinct on (${keys}) ${list}
  from unnest(${arrays}) with ordinality as d(${list}, ${ORDINAL})
  order by ${keys}, ${ORDINAL} desc
) as r
on conflict (${keys}) ${action}`;
}

/** @param columns in the table's order */
export function insertRows(table: RowsTable, columns: readonly DeltaColumn[]): UpsertStatement {
  return {
    name: `rows ${table.name}`,
    text: rowsText(table),
    values: table.columns.map((column, index) => {
      const values = columns[index];
      if (values === undefined) throw new RangeError(`the rows have no column ${index}`);
      return binaryArray(column, values);
    }),
  };
}
