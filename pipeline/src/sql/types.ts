/** DuckDB's types as PostgreSQL's. */
import { SqlError } from "./sql-error.ts";

const postgresTypes: Readonly<Record<string, string>> = {
  BOOLEAN: "boolean",
  TINYINT: "smallint",
  SMALLINT: "smallint",
  INTEGER: "integer",
  BIGINT: "bigint",
  HUGEINT: "numeric",
  UTINYINT: "smallint",
  USMALLINT: "integer",
  UINTEGER: "bigint",
  UBIGINT: "numeric",
  UHUGEINT: "numeric",
  BIGNUM: "numeric",
  FLOAT: "real",
  DOUBLE: "double precision",
  VARCHAR: "text",
  JSON: "text",
  UUID: "uuid",
  DATE: "date",
  TIME: "time",
  TIMESTAMP: "timestamp",
  TIMESTAMP_S: "timestamp",
  TIMESTAMP_MS: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamptz",
};

const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/;

/**
 * @param what for the message, such as "group by tags"
 * @throws SqlError for types that have no like in PostgreSQL or no order
 */
export function postgresType(duckdbType: string, what: string): string {
  const decimal = DECIMAL.exec(duckdbType);
  if (decimal !== null) return `numeric(${decimal[1]},${decimal[2]})`;
  const type = postgresTypes[duckdbType];
  if (type !== undefined) return type;
  if (duckdbType === '"NULL"' || duckdbType === "NULL")
    throw new SqlError(`${what} is always NULL: give it a type, as in null::varchar, or leave it out`);
  throw new SqlError(
    `${what} is of type ${duckdbType}, which no column can hold: write an expression that gives a number, text, boolean, uuid, date or timestamp, such as (…)::varchar`,
  );
}

/** Whether values of the type may be no finite number or no finite time. */
export function mayBeInfinite(duckdbType: string): boolean {
  return duckdbType === "DOUBLE" || duckdbType === "FLOAT" || isTime(duckdbType);
}

export function isTime(duckdbType: string): boolean {
  return duckdbType === "DATE" || duckdbType.startsWith("TIMESTAMP");
}

export function isText(duckdbType: string): boolean {
  return duckdbType === "VARCHAR" || duckdbType === "JSON";
}

const INTEGERS = new Set(["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"]);
/** Decimals up to here can be added 10 billion times before 38 digits are full. */
const MAX_SUMMED_PRECISION = 28;

/**
 * Type of `sum` over a type.
 *
 * @throws SqlError for what cannot be added, or not without running over
 */
export function sumType(duckdbType: string, what: string): string {
  if (INTEGERS.has(duckdbType)) return "HUGEINT";
  if (duckdbType === "DOUBLE" || duckdbType === "FLOAT") return "DOUBLE";
  const decimal = DECIMAL.exec(duckdbType);
  if (decimal !== null && Number(decimal[1]) <= MAX_SUMMED_PRECISION) return `DECIMAL(38,${decimal[2]})`;
  if (decimal !== null || duckdbType === "HUGEINT" || duckdbType === "UHUGEINT")
    throw new SqlError(
      `${what} is of type ${duckdbType}, whose sum may run over 38 digits: write (…)::decimal(28,${Math.min(Number(decimal?.[2] ?? 0), 28)}) or (…)::double`,
    );
  throw new SqlError(
    `${what} is of type ${duckdbType}, which cannot be added: write a number, as in (…)::double, or count(…) filter (where …) to count`,
  );
}
