/** A table whose rows are events, and the statement that adds to it. Pure: SQL out. */
import { createHash } from "node:crypto";
import type { DeltaColumn } from "../../kernel/delta.ts";
import type { ProjectedColumn } from "@caudal/pipeline/sql";
import { binaryArray } from "./binary-array.ts";
import { identifier, placeOf, qualified } from "./identifiers.ts";
import { catalogueType, type Column } from "./table-ddl.ts";
import type { UpsertStatement } from "./upsert.ts";

export interface RowsTable {
  /** The table's title: its one spelling, with its schema where that is not public. */
  readonly name: string;
  /** What must not change while the table has rows: its key. */
  readonly hash: string;
  /** Hash of all that the spec says of it. */
  readonly asks: string;
  readonly key: readonly string[];
  readonly columns: readonly ProjectedColumn[];
}

const ORDINAL = identifier("#n");

export function rowsTable(name: string, key: readonly string[], columns: readonly ProjectedColumn[]): RowsTable {
  const types = columns.map((column) => [column.name, column.postgresType]);
  return {
    name,
    hash: hashOf({ format: "rows 1", key }),
    asks: hashOf({ format: "rows 1", key, columns: types }),
    key,
    columns,
  };
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

export function rowsPlace(name: string): string {
  return qualified(placeOf(name));
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

/** What tells two keys of a table apart is the table's: its column's type and the collation of its index. */
export interface KeyForm {
  /** To which values of the key are converted before they are compared. */
  readonly type: string;
  /** Quoted; of types that have one. */
  readonly collation?: string;
  /** Whether NULLs may be there, each of which is a key of its own. */
  readonly nullable: boolean;
}

/** How rows are written to a table that people made. */
export interface TargetForm {
  /** By column, what makes its value of an expression of the select's, where assigning it is not enough. */
  readonly written: ReadonlyMap<string, (value: string) => string>;
  /** By column of the key. */
  readonly keys: ReadonlyMap<string, KeyForm>;
}

/** Types of tables that we make in which equal values may be written in several ways: 0.0 and -0.0, 1.0 and 1.00. */
const LOOSE = new Set(["double precision", "real", "jsonb"]);

/**
 * Of several rows with one key in a batch the last one stays; rows are locked in the order of their keys.
 *
 * @param target of a table that people made
 */
export function rowsText(table: RowsTable, target?: TargetForm): string {
  const { name, key, columns } = table;
  const names = columns.map((column) => identifier(column.name));
  const list = names.join(", ");
  const arrays = columns.map(({ postgresType }, index) => `$${index + 1}::${postgresType}[]`).join(", ");
  const insert = `insert into ${rowsPlace(name)} (${list})`;
  const value = (column: string): string => {
    const given = `d.${identifier(column)}`;
    return target?.written.get(column)?.(given) ?? given;
  };
  const values = columns.map((column) => `${value(column.name)} as ${identifier(column.name)}`).join(", ");
  if (key.length === 0) return `${insert}\nselect ${values} from unnest(${arrays}) as d(${list})`;
  const compared = key.map((column) => comparedKey(value(column), target?.keys.get(column)));
  const nullable = key.filter((column) => target?.keys.get(column)?.nullable === true);
  const alone = nullable.map((column) => `case when d.${identifier(column)} is null then ${ORDINAL} end`);
  const keys = [...compared, ...alone].join(", ");
  // Which spelling of a key stays must not depend on how events fall into batches: the last one's does.
  const updated = columns.filter((column) => !key.includes(column.name) || isLoose(column, target));
  const sets = updated.map((column) => `${identifier(column.name)} = excluded.${identifier(column.name)}`);
  const action = sets.length === 0 ? "do nothing" : `do update set ${sets.join(", ")}`;
  return `${insert}
select ${list} from (
  select distinct on (${keys}) ${values}
  from unnest(${arrays}) with ordinality as d(${list}, ${ORDINAL})
  order by ${keys}, ${ORDINAL} desc
) as r
on conflict (${key.map(identifier).join(", ")}) ${action}`;
}

function comparedKey(value: string, form: KeyForm | undefined): string {
  if (form === undefined) return value;
  return `(${value})::${form.type}${form.collation === undefined ? "" : ` collate ${form.collation}`}`;
}

function isLoose({ postgresType }: ProjectedColumn, target: TargetForm | undefined): boolean {
  return target !== undefined || LOOSE.has(postgresType);
}

/** @param columns in the table's order */
export function insertRows(table: RowsTable, columns: readonly DeltaColumn[], target?: TargetForm): UpsertStatement {
  return {
    name: `rows ${table.name}`,
    text: rowsText(table, target),
    values: table.columns.map((column, index) => {
      const values = columns[index];
      if (values === undefined) throw new RangeError(`the rows have no column ${index}`);
      return binaryArray(column, values);
    }),
    writesRows: true,
  };
}
