/** Types of fields, as DuckDB's. How the text of a JSON value becomes one is the reader's: see pipeline/src/json. */

/** Longest decimal that DuckDB and the API have. */
const MAX_DECIMAL_PRECISION = 38;

const simple: Readonly<Record<string, string>> = {
  string: "VARCHAR",
  uuid: "UUID",
  boolean: "BOOLEAN",
  integer: "INTEGER",
  bigint: "BIGINT",
  double: "DOUBLE",
  timestamp: "TIMESTAMP WITH TIME ZONE",
  date: "DATE",
  json: "JSON",
};

/**
 * @param type as the API writes it, such as `bigint` or `decimal(10,2)`
 * @returns whether there is such a type: there is no `decimal(2,5)`
 */
export function isFieldType(type: string): boolean {
  return knownType(type) !== undefined;
}

/** DuckDB's type for a field's; text for a type that does not exist, which is a problem of its own. */
export function duckdbTypeOf(type: string): string {
  return knownType(type) ?? "VARCHAR";
}

function knownType(type: string): string | undefined {
  const match = /^decimal\(([0-9]+),([0-9]+)\)$/.exec(type);
  if (match === null) return Object.hasOwn(simple, type) ? simple[type] : undefined;
  const [precision, scale] = [Number(match[1]), Number(match[2])];
  return precision >= 1 && precision <= MAX_DECIMAL_PRECISION && scale <= precision
    ? `DECIMAL(${precision},${scale})`
    : undefined;
}
