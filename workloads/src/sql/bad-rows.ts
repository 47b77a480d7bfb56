/** Why a record cannot become an event: the closed list of reasons, and how each is told from the record's text. */
import type { TopicConfig } from "@caudal/crds";
import { fieldType, TIME_RANGE } from "./fields.ts";

export const BAD_ROW_REASONS = {
  EmptyValue: "The record's value has no bytes.",
  Tombstone: "The record's value is null.",
  InvalidText: "The value is not UTF-8, or holds half of a surrogate pair.",
  MalformedJson: "The value is not JSON.",
  NotAnObject: "The value is JSON, but not an object.",
  MissingField: "A field that is not nullable is missing or null.",
  WrongType: "A field's value is not of the declared type.",
  OutOfRange: "A field's value is of the declared type, but too large, too small or too precise.",
  NulInText: "A text holds the character NUL, which PostgreSQL cannot keep.",
  GroupKeyTooLong: "The texts of a table's group columns have more than 1024 bytes together.",
  TooFarAhead: "The event time is further ahead of the record's own time than watermark.maxAhead.",
  EvaluationFailed: "An expression of the pipeline fails on this event, or gives a number that is not finite.",
  RefusedByDatabase: "PostgreSQL refuses what the event would write.",
} as const;
export type BadRowReason = keyof typeof BAD_ROW_REASONS;

export interface Finding {
  readonly reason: BadRowReason;
  /** For people; at most 512 characters. */
  readonly detail: string;
}

const MAX_DETAIL = 512;

/** A finding whose detail is cut to what a dead letter's header may hold. */
export function finding(reason: BadRowReason, detail: string): Finding {
  return { reason, detail: detail.length <= MAX_DETAIL ? detail : `${detail.slice(0, MAX_DETAIL - 1)}…` };
}

type Fields = TopicConfig["fields"];

/**
 * Says what is wrong with a value that DuckDB refused to read as an event. DuckDB is the judge, this only explains:
 * it is called for bad rows alone, and always gives a reason.
 *
 * @param value the record's text
 * @param timestamp the field that is the event time, which may not be null even where it is nullable
 */
export function explain(value: string, fields: Fields, timestamp: string | undefined): Finding {
  let root: unknown;
  try {
    root = JSON.parse(value);
  } catch (error) {
    return finding("MalformedJson", error instanceof Error ? error.message : String(error));
  }
  if (!isObject(root)) return finding("NotAnObject", `the value is ${kindOf(root)}, not an object`);
  for (const field of fields) {
    const found = root[field.name];
    if (found === undefined || found === null) {
      if (!field.nullable || field.name === timestamp)
        return finding("MissingField", `${field.name} is ${found === null ? "null" : "missing"}`);
      continue;
    }
    const problem = explainField(found, field);
    if (problem !== undefined) return problem;
  }
  if (hasLoneSurrogate(root)) return finding("InvalidText", "a text holds half of a surrogate pair");
  return finding("WrongType", "the fields cannot be read as declared; is a key there twice?");
}

function explainField(found: unknown, field: Fields[number]): Finding | undefined {
  if (typeof found === "string" && found.includes("\0") && field.type !== "json")
    return finding("NulInText", `${field.name} holds the character NUL`);
  if (typeof found === "string" && !found.isWellFormed())
    return finding("InvalidText", `${field.name} holds half of a surrogate pair`);
  const verdict = verdictOf(found, field.type);
  if (verdict === "good") return undefined;
  const shown = found === Infinity || found === -Infinity ? "a number beyond a double's range" : show(found);
  return verdict === "WrongType"
    ? finding("WrongType", `${field.name} is ${shown}, not ${described(field.type)}`)
    : finding("OutOfRange", `${field.name} is ${shown}, out of the range of ${field.type}`);
}

type Verdict = "good" | "WrongType" | "OutOfRange";

function verdictOf(found: unknown, type: string): Verdict {
  const asText = typeof found === "string" ? found : typeof found === "number" ? String(found) : undefined;
  switch (type) {
    case "string":
      return typeof found === "string" ? "good" : "WrongType";
    case "boolean":
      return typeof found === "boolean" ? "good" : "WrongType";
    case "json":
      return "good";
    case "double":
      return typeof found !== "number" ? "WrongType" : Number.isFinite(found) ? "good" : "OutOfRange";
    case "uuid":
      return typeof found === "string" && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(found)
        ? "good"
        : "WrongType";
    case "integer":
      if (typeof found !== "number" || (Number.isFinite(found) && !Number.isInteger(found))) return "WrongType";
      return inBits(found, 32);
    case "bigint":
      if (asText === undefined || !isWhole(found, asText)) return "WrongType";
      return inBits(found as string | number, 64);
    case "timestamp":
      return timestampVerdict(found, asText);
    case "date":
      if (typeof found !== "string" || !/^\d{4}-\d\d-\d\d$/.test(found)) return "WrongType";
      return found.startsWith("0000") ? "OutOfRange" : isDate(found) ? "good" : "WrongType";
    default:
      return decimalVerdict(found, asText, type);
  }
}

function timestampVerdict(found: unknown, asText: string | undefined): Verdict {
  if (asText === undefined) return "WrongType";
  if (isWhole(found, asText)) {
    const ms = Number(asText);
    return ms >= TIME_RANGE.from && ms <= TIME_RANGE.to ? "good" : "OutOfRange";
  }
  const date = /^(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?(Z|[+-]\d\d(:?\d\d)?)?)?)?$/.exec(asText)?.[1];
  return date !== undefined && isDate(date) && !date.startsWith("0000") ? "OutOfRange" : "WrongType";
}

function decimalVerdict(found: unknown, asText: string | undefined, type: string): Verdict {
  if (asText === undefined || fieldType(type) === undefined) return "WrongType";
  if (typeof found === "string" && !/^-?\d+(\.\d+)?$/.test(found)) return "WrongType";
  return "OutOfRange";
}

function isWhole(found: unknown, asText: string): boolean {
  if (typeof found === "number") return Number.isInteger(found) || !Number.isFinite(found);
  return /^-?\d+$/.test(asText);
}

function inBits(found: string | number, bits: number): Verdict {
  if (typeof found === "number" && !Number.isSafeInteger(found)) return "OutOfRange";
  const value = BigInt(found);
  // A whole number that is in range but was refused was written with a fraction or an exponent.
  return BigInt.asIntN(bits, value) === value ? "WrongType" : "OutOfRange";
}

function isDate(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(date);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasLoneSurrogate(root: unknown): boolean {
  // JSON.stringify escapes halves of pairs, and only those.
  return /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/.test(JSON.stringify(root));
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function show(value: unknown): string {
  const shown = JSON.stringify(value);
  return shown.length <= 64 ? shown : `${shown.slice(0, 63)}…`;
}

function described(type: string): string {
  const forms: Readonly<Record<string, string>> = {
    string: "a string",
    boolean: "true or false",
    integer: "a whole number",
    bigint: "a whole number, or a string of one",
    double: "a number",
    uuid: "a UUID such as 123e4567-e89b-12d3-a456-426614174000",
    timestamp: "a time: ISO 8601, or whole milliseconds since 1970",
    date: "a date such as 2026-01-31",
  };
  return forms[type] ?? `a ${type}`;
}
