/** How values of DuckDB's types are kept outside it, and how they come out. */

/** Microseconds and days since 1970 for times and dates; 0 and 1 for booleans; a decimal without its point. */
export interface Storage {
  readonly kind: "text" | "number";
  /** Whether numbers are integers, which may be larger than a double holds. */
  readonly integer: boolean;
  /** Digits after the point that the numbers leave out. */
  readonly scale: number;
  /** DuckDB expression that gives the stored value of one: VARCHAR of a text, DOUBLE of a double, HUGEINT of an integer. */
  stored(value: string): string;
  /** DuckDB expression that gives the value back of a stored one that is not NULL (VARCHAR, or DOUBLE). */
  value(stored: string): string;
}

const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/;

const whole = (value: string) => `(${value})::hugeint`;
const number = (duckdbType: string, more: Partial<Storage>): Storage => ({
  kind: "number",
  integer: true,
  scale: 0,
  stored: whole,
  value: (stored) => `${stored}::bigint::${duckdbType}`,
  ...more,
});

function decimal(duckdbType: string, scale: number): Storage {
  return number(duckdbType, {
    scale,
    // The digits without the point.
    stored: (value) => `replace((${value})::varchar, '.', '')::hugeint`,
    value: (stored) =>
      scale === 0
        ? `${stored}::bigint::${duckdbType}`
        : `(${stored}::bigint::decimal(18,0) * 0.${"0".repeat(scale - 1)}1::decimal(${scale + 1},${scale}))::${duckdbType}`,
  });
}

/** @param duckdbType one that a column of PostgreSQL can hold */
export function storageOf(duckdbType: string): Storage {
  const scale = DECIMAL.exec(duckdbType)?.[2];
  if (scale !== undefined) return decimal(duckdbType, Number(scale));
  switch (duckdbType) {
    case "VARCHAR":
    case "JSON":
    case "UUID":
      return {
        kind: "text",
        integer: false,
        scale: 0,
        stored: (value) => `(${value})::varchar`,
        value: (stored) => `${stored}::${duckdbType}`,
      };
    case "DOUBLE":
    case "FLOAT":
      return number(duckdbType, {
        integer: false,
        stored: (value) => `(${value})::double`,
        value: (stored) => `${stored}::${duckdbType}`,
      });
    case "BOOLEAN":
      return number(duckdbType, {
        stored: (value) => `(${value})::integer::hugeint`,
        value: (stored) => `(${stored} = 1)`,
      });
    case "DATE":
      return number(duckdbType, {
        stored: (value) => `((${value}) - date '1970-01-01')::hugeint`,
        value: (stored) => `(date '1970-01-01' + ${stored}::integer)`,
      });
    case "TIME":
    case "TIMESTAMP":
    case "TIMESTAMP_S":
    case "TIMESTAMP_MS":
    case "TIMESTAMP WITH TIME ZONE":
      return number(duckdbType, {
        stored: (value) => `epoch_us(${value})::hugeint`,
        value: (stored) => `make_timestamptz(${stored}::bigint)::${duckdbType}`,
      });
    default:
      return number(duckdbType, {});
  }
}
