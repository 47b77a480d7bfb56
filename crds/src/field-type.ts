/** Types of fields, and what people write who come from elsewhere. */

const TYPES = ["string", "uuid", "boolean", "integer", "bigint", "double", "timestamp", "date", "json"] as const;
const MAX_PRECISION = 38;

/** Other names, in small letters, and the type that is meant. */
const SYNONYMS: Readonly<Record<string, string>> = {
  ...meaning("string", "text", "varchar", "char", "character", "character varying", "bpchar", "nvarchar", "nchar"),
  ...meaning("string", "str", "citext", "name", "enum", "clob", "utf8", "keyword", "bytes", "bytea", "blob", "binary"),
  ...meaning("string", "varbinary", "time", "timetz", "interval", "inet", "cidr", "xml"),
  ...meaning("uuid", "guid", "uniqueidentifier"),
  ...meaning("boolean", "bool", "bit", "logical"),
  ...meaning("integer", "int", "int2", "int4", "int16", "int32", "smallint", "tinyint", "mediumint", "short", "byte"),
  ...meaning("integer", "serial", "uint8", "uint16", "int8_t", "int32_t"),
  ...meaning("bigint", "long", "int8", "int64", "bigserial", "uint32", "unsigned", "counter"),
  ...meaning("double", "float", "float4", "float8", "float32", "float64", "real", "double precision", "number"),
  ...meaning("decimal(38,0)", "uint64", "hugeint", "int128", "ubigint", "bignum", "biginteger"),
  ...meaning("decimal(18,4)", "decimal", "numeric", "dec", "money", "bigdecimal", "currency"),
  ...meaning("timestamp", "datetime", "timestamptz", "timestamp with time zone", "timestamp without time zone"),
  ...meaning("timestamp", "timestamp_ltz", "timestamp_ntz", "timestamp_tz", "instant", "datetime2", "datetimeoffset"),
  ...meaning("timestamp", "epoch", "timestamp_ms", "timestamp_s", "timestampz", "time stamp"),
  ...meaning("date", "localdate", "day", "date32"),
  ...meaning("json", "jsonb", "object", "struct", "map", "record", "row", "array", "list", "variant", "super", "any"),
  ...meaning("json", "dict", "hstore", "nested"),
};

function meaning(type: string, ...names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, type]));
}

const ALL = "string, uuid, boolean, integer, bigint, double, decimal(p,s), timestamp, date or json";
const DECIMAL = /^decimal\(([1-9][0-9]?),([0-9]{1,2})\)$/;

/**
 * @param type as the spec has it
 * @returns what to write instead; undefined for a type that exists, and for decimals that are out of range
 */
export function fieldTypeProblem(type: string): string | undefined {
  if (TYPES.some((one) => one === type) || DECIMAL.test(type)) return undefined;
  const text = type.trim().toLowerCase();
  if (/^(decimal|numeric)\(\d+$/.test(text))
    return `${type} ends at a comma, where YAML's { } begin another key: put the type in quotes: type: "decimal(${text.slice(text.indexOf("(") + 1)},2)"`;
  const meant = meantBy(text);
  if (meant === undefined) return `there is no type ${type}: write ${ALL}`;
  return `there is no type ${type}: write ${meant}${hintAbout(text, meant)}`;
}

/** The type that was meant, where it can be told: what the rest of a spec can be checked with. */
export function meantFieldType(type: string): string {
  const decimal = DECIMAL.exec(type);
  if (decimal !== null) {
    const scale = Math.min(Number(decimal[2]), MAX_PRECISION);
    return `decimal(${Math.max(Math.min(Number(decimal[1]), MAX_PRECISION), scale, 1)},${scale})`;
  }
  const text = type.trim().toLowerCase();
  const cut = /^(?:decimal|numeric)\((\d+)$/.exec(text);
  return cut === null ? (meantBy(text) ?? "string") : `decimal(${Math.min(Number(cut[1]) || 18, MAX_PRECISION)},2)`;
}

function meantBy(text: string): string | undefined {
  const digits = /^(?:decimal|numeric|dec|number)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)$/.exec(text);
  if (digits !== null) {
    const scale = Math.min(Number(digits[2] ?? 0), MAX_PRECISION);
    return `decimal(${Math.max(Math.min(Number(digits[1]), MAX_PRECISION), scale, 1)},${scale})`;
  }
  if (/\[\]|^(array|list|map|struct|row|multiset)\s*[<(]/.test(text)) return "json";
  const base = text
    .replace(/\s*\([^)]*\)/, "")
    .replace(/^nullable$|\s+(not )?null$|\s+unsigned$|[?!]$/, "")
    .trim();
  if (TYPES.some((one) => one === base)) return base;
  return Object.hasOwn(SYNONYMS, base) ? SYNONYMS[base] : undefined;
}

function hintAbout(text: string, meant: string): string {
  if (/\?$|null$/.test(text)) return ", and nullable: true where it may be null or missing";
  switch (meant) {
    case "integer":
      return ", or bigint beyond 2147483647";
    case "double":
      return ", or decimal(p,s), such as decimal(12,2), for exact digits";
    case "decimal(18,4)":
      return ", with as many digits in all and after the point as you need";
    case "json":
      return ": in SQL its parts are field->>'name' and field->>0";
    default:
      return "";
  }
}
