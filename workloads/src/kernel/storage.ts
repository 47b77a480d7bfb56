/** How values of DuckDB's types are kept outside it, and how they come out. */

/** Microseconds and days since 1970 for times and dates; 0 and 1 for booleans; a decimal without its point. */
export interface Storage {
  readonly kind: "text" | "number";
  /** Whether numbers are integers, which may be larger than a double holds. */
  readonly integer: boolean;
  /** Digits after the point that the numbers leave out. */
  readonly scale: number;
  /** DuckDB expression that gives the stored value of one: BLOB of a text, DOUBLE of a double, any kind of an integer. */
  stored(value: string): string;
  /** Condition over a stored integer: whether a double holds it. */
  isSmall(stored: string): string;
  /** DuckDB expression that gives the value back of a stored one that is not NULL (VARCHAR, or DOUBLE). */
  value(stored: string): string;
  /** The same of an integer of any size, from its digits with the point where it has one (VARCHAR). */
  exact(digits: string): string;
}

const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/;
const MAX_PRECISION = 38;
/** Whole numbers up to here are doubles. */
const MAX_SAFE = "9007199254740991";

const number = (duckdbType: string, more: Partial<Storage>): Storage => ({
  kind: "number",
  integer: true,
  scale: 0,
  stored: (value) => `(${value})::hugeint`,
  isSmall: (stored) => `${stored} between -${MAX_SAFE} and ${MAX_SAFE}`,
  value: (stored) => `${stored}::bigint::${duckdbType}`,
  exact: (digits) => `${digits}::${duckdbType}`,
  ...more,
});

/** @param make DuckDB expression of the time that is so many microseconds (BIGINT) after 1970 */
const time = (duckdbType: string, make: (micros: string) => string): Storage =>
  number(duckdbType, {
    stored: (value) => `epoch_us(${value})::hugeint`,
    value: (stored) => make(`${stored}::bigint`),
    // A text of digits is no time of DuckDB's.
    exact: (digits) => make(`${digits}::bigint`),
  });

const text = (duckdbType: string): Storage => ({
  kind: "text",
  integer: false,
  scale: 0,
  // DuckDB's client takes a leading U+FEFF from texts for a mark of their encoding, and leaves it out; bytes stay as they are.
  stored: (value) => `encode((${value})::varchar)`,
  isSmall: () => "true",
  value: (stored) => `${stored}::${duckdbType}`,
  exact: (digits) => `${digits}::${duckdbType}`,
});

function decimal(duckdbType: string, scale: number): Storage {
  const unit = `0.${"0".repeat(Math.max(scale - 1, 0))}1::decimal(${Math.min(scale + 1, MAX_PRECISION)},${scale})`;
  return number(duckdbType, {
    scale,
    // The digits without the point.
    stored: (value) => `replace((${value})::varchar, '.', '')::hugeint`,
    value: (stored) =>
      scale === 0 ? `${stored}::bigint::${duckdbType}` : `(${stored}::bigint::decimal(18,0) * ${unit})::${duckdbType}`,
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
      return text(duckdbType);
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
      // A day has a last moment, 24:00:00, that is no time of a timestamp.
      return time(
        duckdbType,
        (micros) => `case when ${micros} = 86400000000 then time '24:00:00' else make_timestamp(${micros})::time end`,
      );
    case "TIMESTAMP":
    case "TIMESTAMP_S":
    case "TIMESTAMP_MS":
      return time(duckdbType, (micros) => `make_timestamp(${micros})::${duckdbType}`);
    case "TIMESTAMP WITH TIME ZONE":
      return time(duckdbType, (micros) => `make_timestamptz(${micros})`);
    // Hugeint does not hold all of these.
    case "UHUGEINT":
      return number(duckdbType, {
        stored: (value) => `(${value})`,
        isSmall: (stored) => `${stored} <= '${MAX_SAFE}'::uhugeint`,
      });
    case "BIGNUM":
      return number(duckdbType, {
        stored: (value) => `(${value})`,
        isSmall: (stored) => `${stored} between '-${MAX_SAFE}'::bignum and '${MAX_SAFE}'::bignum`,
      });
    default:
      return number(duckdbType, {});
  }
}
