/**
 * Types of fields: how the text of a JSON value becomes a column. The text is what DuckDB's JSON reader gives, with the
 * quotes of strings kept, so that "5" and 5 and true stay different; a reader gives NULL for text that is not of its type.
 */
import { quote, text } from "./quote.ts";

export interface FieldType {
  readonly duckdbType: string;
  /** DuckDB expression over the JSON text `json` that gives the value, or NULL where the text is none. */
  read(json: string): string;
  /** Condition over the value: false where it is out of range. */
  inRange?(value: string): string;
  /** Condition over `json` that is cheaper than to make the value, for fields that no SQL reads. */
  check?(json: string): string;
}

/** Timestamps and dates are from the year 1 to the year 9999, in microseconds. */
export const TIME_RANGE = { from: -62_135_596_800_000, to: 253_402_300_799_999 } as const;
/** Longest decimal that DuckDB and the API have. */
export const MAX_DECIMAL_PRECISION = 38;

const isString = (json: string) => `prefix(${json}, '"')`;
const inside = (json: string) => `${json}[2:-2]`;
/** Text that begins like a number: the characters from - to 9. Not NaN, Infinity, a string, true, false or null. */
const isNumber = (json: string) => `${json} between '-' and ':'`;
const matches = (json: string, pattern: string) => `regexp_full_match(${json}, ${text(pattern)})`;

function integer(duckdbType: string, acceptsText: boolean): FieldType {
  return {
    duckdbType,
    read(json) {
      // Only a whole number gives back its own text: 1.7, 1e3 and -0.0 do not.
      const number = `when ${isNumber(json)} and try_cast(${json} as ${duckdbType})::varchar = ${json} then try_cast(${json} as ${duckdbType})`;
      const string = `when ${matches(json, '"-?[0-9]{1,19}"')} then try_cast(${inside(json)} as ${duckdbType})`;
      return `case ${number} ${acceptsText ? string : ""} end`;
    },
  };
}

function decimal(precision: number, scale: number): FieldType {
  const duckdbType = `DECIMAL(${precision},${scale})`;
  const fraction = scale === 0 ? "([.]0+)?" : `([.][0-9]{1,${scale}}0*)?`;
  return {
    duckdbType,
    read(json) {
      const cast = `try_cast(${json} as ${duckdbType})`;
      const double = `try_cast(${json} as double)`;
      // A number with a point has been through a double: its digits are exact up to 15.
      const exact = precision <= 15 ? "true" : `format('{:.15g}', ${double})::double = ${double}`;
      return `case when ${isString(json)} then case when ${matches(json, `"-?[0-9]+${fraction}"`)} then try_cast(${inside(json)} as ${duckdbType}) end
        when ${matches(json, "-?[0-9]+")} then ${cast}
        when ${isNumber(json)} and ${cast}::double = ${double} and ${exact} then ${cast} end`;
    },
  };
}

const UUID = '"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"';
const DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
const TIME = "[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?";

/** The two spellings that most programs write, at a third of the cost of the general way; NULL for any other. */
function usualTime(json: string): string {
  const parse = (fraction: string) =>
    `make_timestamptz(epoch_us(try_strptime(${json}, '"%Y-%m-%dT%H:%M:%S${fraction}Z"')))`;
  return `case strlen(${json}) when 26 then ${parse(".%g")} when 22 then ${parse("")} end`;
}

const simple: Readonly<Record<string, FieldType>> = {
  string: {
    duckdbType: "VARCHAR",
    read: (json) =>
      `case when not ${isString(json)} then null when contains(${json}, '\\') then case when not contains(json_extract_string(${json}, '$'), chr(0)) then json_extract_string(${json}, '$') end else ${inside(json)} end`,
  },
  uuid: {
    duckdbType: "UUID",
    read: (json) => `case when ${matches(json, UUID)} then ${inside(json)}::uuid end`,
    check: (json) => matches(json, UUID),
  },
  boolean: {
    duckdbType: "BOOLEAN",
    read: (json) => `case ${json} when 'true' then true when 'false' then false end`,
  },
  integer: integer("INTEGER", false),
  bigint: integer("BIGINT", true),
  double: {
    duckdbType: "DOUBLE",
    read: (json) => `case when ${isNumber(json)} then try_cast(${json} as double) end`,
    inRange: (value) => `isfinite(${value})`,
  },
  timestamp: {
    duckdbType: "TIMESTAMP WITH TIME ZONE",
    read: (json) => {
      const text = `when ${matches(json, `"${DATE}([T ]${TIME})?"`)} then try_cast(${inside(json)} as timestamptz)`;
      const number = `when ${matches(json, '-?[0-9]{1,15}|"-?[0-9]{1,15}"')} then make_timestamptz(trim(${json}, '"')::bigint * 1000)`;
      return `coalesce(${usualTime(json)}, case ${text} ${number} end)`;
    },
    inRange: (value) => `epoch_us(${value}) between ${TIME_RANGE.from}000 and ${TIME_RANGE.to}999`,
  },
  date: {
    duckdbType: "DATE",
    read: (json) => `case when ${matches(json, `"${DATE}"`)} then try_cast(${inside(json)} as date) end`,
    inRange: (value) => `${value} >= date '0001-01-01'`,
  },
  json: { duckdbType: "JSON", read: (json) => `${json}::json`, check: (json) => `${json} is not null` },
};

/**
 * @param type as the API writes it, such as `bigint` or `decimal(10,2)`
 * @returns undefined for a type that does not exist, such as `decimal(2,5)`
 */
export function fieldType(type: string): FieldType | undefined {
  const match = /^decimal\(([0-9]+),([0-9]+)\)$/.exec(type);
  if (match === null) return Object.hasOwn(simple, type) ? simple[type] : undefined;
  const [precision, scale] = [Number(match[1]), Number(match[2])];
  return precision >= 1 && precision <= MAX_DECIMAL_PRECISION && scale <= precision
    ? decimal(precision, scale)
    : undefined;
}

/** DuckDB's type for a field's; text for a type that does not exist, which is a problem of its own. */
export function duckdbTypeOf(type: string): string {
  return fieldType(type)?.duckdbType ?? "VARCHAR";
}

/** Column that holds a field's JSON text while a block is read. */
export const jsonColumn = (field: string) => quote(`#json ${field}`);
