/** How the reason of a bad record is told from its text. */
import type { TopicConfig } from "@caudal/crds";
import { finding, type Finding } from "./bad-rows.ts";
import { TIME_RANGE } from "./fields.ts";

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
    root = parseKeepingNumbers(value);
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

/** A number as it was written: 1, 1.0 and 1e0 are told apart. */
class WrittenNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function parseKeepingNumbers(value: string): unknown {
  const keep = (_key: string, found: unknown, context: { readonly source?: string }) =>
    typeof found === "number" ? new WrittenNumber(context.source ?? String(found)) : found;
  return JSON.parse(value, keep as Parameters<typeof JSON.parse>[1]);
}

function explainField(found: unknown, field: Fields[number]): Finding | undefined {
  if (typeof found === "string" && found.includes("\0") && field.type !== "json")
    return finding("NulInText", `${field.name} holds the character NUL`);
  const verdict = verdictOf(found, field.type);
  if (verdict === "good") return undefined;
  return verdict === "WrongType"
    ? finding("WrongType", `${field.name} is ${show(found)}, not ${described(field.type)}`)
    : finding("OutOfRange", `${field.name} is ${show(found)}, out of the range of ${field.type}`);
}

type Verdict = "good" | "WrongType" | "OutOfRange";

const WHOLE = /^-?\d+$/;
const DIGITS = /^-?\d+(\.\d+)?$/;

function verdictOf(found: unknown, type: string): Verdict {
  const number = found instanceof WrittenNumber ? found.text : undefined;
  const text = typeof found === "string" ? found : undefined;
  switch (type) {
    case "string":
      return text === undefined ? "WrongType" : "good";
    case "boolean":
      return typeof found === "boolean" ? "good" : "WrongType";
    case "json":
      return "good";
    case "double":
      return number === undefined ? "WrongType" : Number.isFinite(Number(number)) ? "good" : "OutOfRange";
    case "uuid":
      return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text ?? "") ? "good" : "WrongType";
    case "integer":
      return wholeVerdict(number, 32);
    case "bigint":
      return wholeVerdict(number ?? text, 64);
    case "timestamp":
      return timestampVerdict(number, text);
    case "date":
      return text === undefined || !/^\d{4}-\d\d-\d\d$/.test(text) ? "WrongType" : dateVerdict(text);
    default:
      return decimalVerdict(number, text, type);
  }
}

function wholeVerdict(written: string | undefined, bits: number): Verdict {
  if (written === undefined || !WHOLE.test(written)) return "WrongType";
  const value = BigInt(written);
  return BigInt.asIntN(bits, value) === value ? "good" : "OutOfRange";
}

function timestampVerdict(number: string | undefined, text: string | undefined): Verdict {
  const written = number ?? text ?? "";
  if (WHOLE.test(written)) {
    const ms = Number(written);
    return ms >= TIME_RANGE.from && ms <= TIME_RANGE.to ? "good" : "OutOfRange";
  }
  if (number !== undefined) return Math.abs(Number(number)) > TIME_RANGE.to ? "OutOfRange" : "WrongType";
  const [, date, hour] =
    /^(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?(Z|[+-]\d\d(:?\d\d)?)?)?)?$/.exec(written) ?? [];
  if (date === undefined || dateVerdict(date) === "WrongType") return "WrongType";
  return hour === undefined || !Number.isNaN(Date.parse(`2000-01-01${hour.slice(0, 9)}`))
    ? dateVerdict(date)
    : "WrongType";
}

function decimalVerdict(number: string | undefined, text: string | undefined, type: string): Verdict {
  const [precision = 0, scale = 0] = (/\d+,\d+/.exec(type)?.[0] ?? "").split(",").map(Number);
  const written = text ?? number ?? "";
  if (!DIGITS.test(written)) return number === undefined ? "WrongType" : "OutOfRange";
  const [whole = "", fraction = ""] = written.replace("-", "").split(".");
  const fits = whole.replace(/^0+/, "").length <= precision - scale && fraction.replace(/0+$/, "").length <= scale;
  // Of a number with a point no more than 15 digits are certain.
  return fits && (text !== undefined || fraction === "" || `${whole}${fraction}`.replace(/^0+/, "").length <= 15)
    ? "good"
    : "OutOfRange";
}

function dateVerdict(date: string): Verdict {
  return !isDate(date) ? "WrongType" : date.startsWith("0000") ? "OutOfRange" : "good";
}

function isDate(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(date);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof WrittenNumber);
}

function hasLoneSurrogate(root: unknown): boolean {
  // JSON.stringify escapes halves of pairs, and only those.
  return /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/.test(JSON.stringify(root));
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (value instanceof WrittenNumber) return "a number";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function show(value: unknown): string {
  const shown = value instanceof WrittenNumber ? value.text : JSON.stringify(value, showNumber);
  return shown.length <= 64 ? shown : `${shown.slice(0, 63)}…`;
}

function showNumber(_key: string, value: unknown): unknown {
  return value instanceof WrittenNumber ? Number(value.text) : value;
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
