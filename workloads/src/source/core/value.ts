/**
 * A column's value as JSON of a field's type. Values come as PostgreSQL writes them: text, in UTC, with DateStyle ISO.
 * What the field's type cannot hold without loss is a {@link Misfit}, never something near to it.
 */

/** Why a value does not fit, for people. */
export interface Misfit {
  readonly misfit: string;
}

/** @returns JSON text */
export type WriteValue = (text: string) => string | Misfit;

const Oid = {
  bool: 16,
  int8: 20,
  int2: 21,
  int4: 23,
  json: 114,
  float4: 700,
  float8: 701,
  date: 1082,
  timestamp: 1114,
  timestamptz: 1184,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
} as const;

/** Types of PostgreSQL, by the field types that hold them; a string holds any. */
const accepted: Readonly<Record<string, readonly number[]>> = {
  boolean: [Oid.bool],
  integer: [Oid.int2, Oid.int4],
  bigint: [Oid.int2, Oid.int4, Oid.int8],
  double: [Oid.float4, Oid.float8, Oid.int2, Oid.int4, Oid.numeric],
  decimal: [Oid.numeric, Oid.int2, Oid.int4, Oid.int8],
  timestamp: [Oid.timestamptz, Oid.timestamp],
  date: [Oid.date],
  uuid: [Oid.uuid],
  json: [Oid.json, Oid.jsonb],
};

/** The types that {@link valueWriter} takes for a field, as PostgreSQL names them. */
export function typesFor(fieldType: string): string {
  const oids = accepted[fieldType.replace(/\(.*$/, "")] ?? [];
  return Object.entries(Oid)
    .flatMap(([name, oid]) => (oids.includes(oid) ? [name] : []))
    .join(", ");
}

/** Whether the column may order rows by time. */
export function isTime(oid: number): boolean {
  return oid === Oid.timestamptz || oid === Oid.timestamp;
}

/** Whether a time of this type says its zone; others are taken as UTC. */
export function hasZone(oid: number): boolean {
  return oid === Oid.timestamptz;
}

/**
 * @param fieldType as the API writes it
 * @param oid of the column's type; of a domain, its base type's
 * @returns undefined when a field of this type cannot hold such columns
 */
export function valueWriter(fieldType: string, oid: number): WriteValue | undefined {
  if (fieldType === "string") return (text) => JSON.stringify(text);
  const match = /^decimal\((\d+),(\d+)\)$/.exec(fieldType);
  const name = match === null ? fieldType : "decimal";
  if (accepted[name]?.includes(oid) !== true) return undefined;
  if (match !== null) return decimalWriter(Number(match[1]), Number(match[2]));
  switch (name) {
    case "boolean":
      return (text) => (text === "t" ? "true" : "false");
    case "double":
      return (text) => (/^-?[0-9]/.test(text) ? text : { misfit: `${text} is not a finite number` });
    case "timestamp":
      return writeTimestamp;
    case "date":
      return (text) =>
        /^\d{4}-\d\d-\d\d$/.test(text) ? `"${text}"` : { misfit: `${text} is not in the years 1 to 9999` };
    case "uuid":
      return (text) => `"${text}"`;
    default:
      return (text) => text;
  }
}

const TIME = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d{1,6})?(\+00)?$/;

/** `2026-11-21 14:00:00.5+00` → `"2026-11-21T14:00:00.500Z"`: milliseconds, or microseconds where there are any. */
function writeTimestamp(text: string): string | Misfit {
  const match = TIME.exec(text);
  if (match === null) return { misfit: `${text} is not in the years 1 to 9999` };
  const [, day = "", time = "", fraction = ""] = match;
  const digits = fraction === "" ? "" : fraction.padEnd(fraction.length <= 4 ? 4 : 7, "0");
  return `"${day}T${time}${digits}Z"`;
}

/** JSON numbers are exact up to this many digits for those who read them as doubles; longer ones are strings. */
const EXACT_DIGITS = 15;

function decimalWriter(precision: number, scale: number): WriteValue {
  return (text) => {
    const match = /^-?(\d+)(?:\.(\d+))?$/.exec(text);
    if (match === null) return { misfit: `${text} is not a finite number` };
    const whole = (match[1] ?? "").replace(/^0+/, "").length;
    const fraction = (match[2] ?? "").replace(/0+$/, "").length;
    if (whole > precision - scale || fraction > scale)
      return { misfit: `${text} has more digits than decimal(${precision},${scale})` };
    const digits = whole + (match[2] ?? "").length;
    return digits > EXACT_DIGITS ? `"${text}"` : text;
  };
}
