/** Rows to show, whatever they come from: values are text as PostgreSQL writes it. */

/** How a value stands in JSON: bare, as text, or (time) as ISO 8601. */
export type ValueKind = "number" | "boolean" | "json" | "text" | "time";

export interface ResultColumn {
  readonly name: string;
  readonly kind: ValueKind;
}

export interface Result {
  readonly columns: readonly ResultColumn[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** A list of our own, where NULL is nothing to say: its cells stay empty in what people read. */
  readonly blank?: true;
}

const NUMBERS = /^(smallint|integer|bigint|real|double precision|numeric)/;

/** @param type as PostgreSQL names it */
export function kindOfPostgres(type: string): ValueKind {
  if (NUMBERS.test(type)) return "number";
  if (type === "boolean" || type === "json") return type;
  if (type === "jsonb") return "json";
  return type.startsWith("timestamp") ? "time" : "text";
}

/** @param type as DuckDB names it */
export function kindOfDuckDB(type: string): ValueKind {
  if (/^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL|BIGNUM)/.test(type)) return "number";
  if (type === "BOOLEAN") return "boolean";
  if (type === "JSON") return "json";
  return type.startsWith("TIMESTAMP") ? "time" : "text";
}
