/** Values at the ends of every type that a column can have, for tests of every path and every output: add a type here. */

export interface ExtremeValue {
  /** As DuckDB and PostgreSQL write it. */
  readonly text: string;
  /** As computed values are written in JSON. */
  readonly json: string;
  /** As an event's field has it; the same as `json` without one. */
  readonly field?: string;
}

export interface ExtremeType {
  readonly duckdbType: string;
  readonly postgresType: string;
  /** Type of a field that holds such values; none where only expressions give them. */
  readonly field?: string;
  /** In the order of the type. */
  readonly values: readonly ExtremeValue[];
}

const bare = (...texts: string[]): ExtremeValue[] => texts.map((text) => ({ text, json: text }));
const quoted = (...texts: string[]): ExtremeValue[] => texts.map((text) => ({ text, json: JSON.stringify(text) }));
const times = (zone: string, jsonZone: string, ...texts: string[]): ExtremeValue[] =>
  texts.map((text) => ({ text: `${text}${zone}`, json: `"${text.replace(" ", "T")}${jsonZone}"` }));
/** Digits that fill a number, with the point before the last of them. */
const filled = (precision: number, scale: number): readonly string[] => {
  const digits = "9".repeat(precision - scale) || "0";
  const most = scale === 0 ? digits : `${digits}.${"9".repeat(scale)}`;
  const least = scale === 0 ? "1" : `0.${"0".repeat(scale - 1)}1`;
  return [`-${most}`, `-${least}`, scale === 0 ? "0" : `0.${"0".repeat(scale)}`, least, most];
};
const decimal = (precision: number, scale: number): ExtremeType => {
  const type = `${precision},${scale}`;
  const values = filled(precision, scale);
  return {
    duckdbType: `DECIMAL(${type})`,
    postgresType: `numeric(${type})`,
    field: `decimal(${type})`,
    values:
      precision > 15 ? quoted(...values) : values.map((text) => ({ text, json: text, field: JSON.stringify(text) })),
  };
};

const MOMENTS = [
  "0001-01-01 00:00:00",
  "0001-01-01 00:00:00.000001",
  "1684-07-28 00:12:25.259009",
  "1684-07-28 00:12:25.259008",
  "1700-02-28 23:59:59.999999",
  "1969-12-31 23:59:59.999999",
  "1970-01-01 00:00:00",
  "2026-01-01 00:00:00.25",
  "2255-06-05 23:47:34.740991",
  "2255-06-05 23:47:34.740993",
  "9999-12-31 23:59:59",
  "9999-12-31 23:59:59.999999",
].sort();

export const EXTREMES: readonly ExtremeType[] = [
  { duckdbType: "BOOLEAN", postgresType: "boolean", field: "boolean", values: bare("false", "true") },
  { duckdbType: "TINYINT", postgresType: "smallint", values: bare("-128", "0", "127") },
  { duckdbType: "SMALLINT", postgresType: "smallint", values: bare("-32768", "0", "32767") },
  { duckdbType: "UTINYINT", postgresType: "smallint", values: bare("0", "255") },
  { duckdbType: "USMALLINT", postgresType: "integer", values: bare("0", "65535") },
  {
    ...{ duckdbType: "INTEGER", postgresType: "integer", field: "integer" },
    values: bare("-2147483648", "-1", "0", "2147483647"),
  },
  { duckdbType: "UINTEGER", postgresType: "bigint", values: bare("0", "4294967295") },
  {
    ...{ duckdbType: "BIGINT", postgresType: "bigint", field: "bigint" },
    values: bare(
      ...["-9223372036854775808", "-9007199254740993", "-9007199254740992", "-9007199254740991", "0"],
      ...["9007199254740991", "9007199254740992", "9007199254740993", "9223372036854775807"],
    ),
  },
  { duckdbType: "UBIGINT", postgresType: "numeric", values: bare("0", "9007199254740993", "18446744073709551615") },
  {
    ...{ duckdbType: "HUGEINT", postgresType: "numeric" },
    values: bare(
      ...["-170141183460469231731687303715884105728", "-9007199254740993", "0", "9007199254740993"],
      "170141183460469231731687303715884105727",
    ),
  },
  {
    ...{ duckdbType: "UHUGEINT", postgresType: "numeric" },
    values: bare("0", "9007199254740993", "340282366920938463463374607431768211455"),
  },
  {
    ...{ duckdbType: "BIGNUM", postgresType: "numeric" },
    values: bare(`-${"9".repeat(60)}`, "-9007199254740993", "0", "5", "9".repeat(60)),
  },
  ...[decimal(5, 0), decimal(10, 2), decimal(15, 15), decimal(18, 3), decimal(38, 0), decimal(38, 10), decimal(38, 38)],
  {
    ...{ duckdbType: "FLOAT", postgresType: "real" },
    values: bare("-3.4028235e+38", "-0", "1e-45", "0.1", "16777216", "3.4028235e+38"),
  },
  {
    ...{ duckdbType: "DOUBLE", postgresType: "double precision", field: "double" },
    values: [
      { text: "-1.7976931348623157e+308", json: "-1.7976931348623157e+308" },
      { text: "-0", json: "-0", field: "-0.0" },
      { text: "5e-324", json: "5e-324" },
      { text: "0.1", json: "0.1" },
      { text: "9007199254740992", json: "9007199254740992" },
      { text: "1.7976931348623157e+308", json: "1.7976931348623157e+308" },
    ],
  },
  {
    ...{ duckdbType: "VARCHAR", postgresType: "text", field: "string" },
    values: quoted("", " ", '"\\', "a", "NULL", "é", "\u{feff}", "\u{feff}a", "\u{ffff}", "😀", "😀\u{10ffff}"),
  },
  {
    ...{ duckdbType: "JSON", postgresType: "text", field: "json" },
    values: ['""', '"\ufeff"', "[]", "false", '{"a":[1,"😀"]}', "{}"].map((text) => ({ text, json: text })),
  },
  {
    ...{ duckdbType: "UUID", postgresType: "uuid", field: "uuid" },
    values: quoted(
      ...["00000000-0000-0000-0000-000000000000", "7fffffff-ffff-ffff-ffff-ffffffffffff"],
      ...["80000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    ),
  },
  {
    ...{ duckdbType: "DATE", postgresType: "date", field: "date" },
    values: quoted("0001-01-01", "1684-07-28", "1969-12-31", "1970-01-01", "2256-01-01", "9999-12-31"),
  },
  {
    ...{ duckdbType: "TIME", postgresType: "time" },
    values: quoted("00:00:00", "00:00:00.000001", "23:59:59.999999", "24:00:00"),
  },
  { duckdbType: "TIMESTAMP", postgresType: "timestamp", values: times("", "", ...MOMENTS) },
  {
    ...{ duckdbType: "TIMESTAMP_S", postgresType: "timestamp" },
    values: times("", "", "0001-01-01 00:00:00", "1970-01-01 00:00:00", "9999-12-31 23:59:59"),
  },
  {
    ...{ duckdbType: "TIMESTAMP_MS", postgresType: "timestamp" },
    values: times("", "", "0001-01-01 00:00:00.001", "1970-01-01 00:00:00", "9999-12-31 23:59:59.999"),
  },
  {
    ...{ duckdbType: "TIMESTAMP WITH TIME ZONE", postgresType: "timestamptz", field: "timestamp" },
    values: times("+00", "Z", ...MOMENTS),
  },
];

/** The value as a field of an event has it. */
export const fieldJson = ({ field, json }: ExtremeValue): string => field ?? json;

/** So many events hold all values of all types: value by value, those of types with fewer come again. */
export const EXTREME_ROWS = Math.max(...EXTREMES.map(({ values }) => values.length));

export const extremeAt = ({ values }: ExtremeType, row: number): ExtremeValue =>
  values[row % values.length] as ExtremeValue;

/** Fields of events that hold a value of each type: its text as `r<index>`, and itself as `v<index>` where fields can. */
export const extremeFields = (): Record<string, string> =>
  Object.fromEntries([
    ["n", "integer"],
    ["fail", "string?"],
    ...EXTREMES.flatMap(({ field }, index) => [
      [`r${index}`, "string?"],
      ...(field === undefined ? [] : [[`v${index}`, `${field}?`]]),
    ]),
  ]);

/** @param key of the first member: one with an escape makes the event one that the scanner leaves to the strict reader */
export const extremeEvent = (row: number, key = "n"): string => {
  const members = EXTREMES.flatMap((type, index) => {
    const value = extremeAt(type, row);
    const text = `"r${index}":${JSON.stringify(value.text)}`;
    return type.field === undefined ? [text] : [text, `"v${index}":${fieldJson(value)}`];
  });
  return `{"${key}":${row},${members.join(",")}}`;
};
