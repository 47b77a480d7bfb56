/** Values of fields: from the JSON text of a value to what a column holds, or to why it is none of the field's type. */
import type { Field } from "@caudal/crds";
import { type BadRowReason, finding, type Finding } from "../sql/bad-rows.ts";
import { normalForm } from "./normal-form.ts";
import { decimalOf, scaled } from "./numbers.ts";
import { dateDays, epochMicros, isoMicros } from "./times.ts";

/**
 * Texts as texts; booleans as 0 and 1; decimals without their point; dates as days, times as microseconds since 1970.
 */
export type FieldValue = string | number | bigint;

/** Why a text is no value of the type. */
class Refused {
  readonly reason: BadRowReason;

  constructor(reason: BadRowReason) {
    this.reason = reason;
  }
}

const WRONG_TYPE = new Refused("WrongType");
const OUT_OF_RANGE = new Refused("OutOfRange");
const NUL_IN_TEXT = new Refused("NulInText");
const REFUSED = { WrongType: WRONG_TYPE, OutOfRange: OUT_OF_RANGE } as const;

type Read = (json: string) => FieldValue | Refused;

const NUMBER = /^[-\d]/;
const WHOLE = /^-?\d+$/;
const PLAIN_DECIMAL = /^-?\d+(?:\.\d+)?$/;
const UUID = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;
const DECIMAL_TYPE = /^decimal\((\d+),(\d+)\)$/;
const MAX_SHOWN = 64;
/** Characters of an integer of 64 bits, and zeros before it. */
const MAX_INTEGER = 64;

/** Reads one field's values. */
export class FieldReader {
  readonly #field: Field;
  readonly #read: Read;

  /** @param field of a type that exists */
  constructor(field: Field) {
    this.#field = field;
    this.#read = readerOf(field);
  }

  /** @param json text of a JSON value that is not null */
  read(json: string): FieldValue | Finding {
    const value = this.#read(json);
    return value instanceof Refused ? this.#explain(value.reason, json) : value;
  }

  #explain(reason: BadRowReason, json: string): Finding {
    const { name, type, unit } = this.#field;
    if (reason === "NulInText") return finding(reason, `${name} holds the character NUL`);
    const shown = json.length <= MAX_SHOWN ? json : `${json.slice(0, MAX_SHOWN - 1)}…`;
    return reason === "WrongType"
      ? finding(reason, `${name} is ${shown}, not ${described(type, unit)}`)
      : finding(reason, `${name} is ${shown}, out of the range of ${type}`);
  }
}

export function isFinding(value: FieldValue | Finding): value is Finding {
  return typeof value === "object";
}

function readerOf({ type, unit = "milliseconds" }: Field): Read {
  const [, precision, scale] = DECIMAL_TYPE.exec(type) ?? [];
  if (precision !== undefined) return (json) => readDecimal(json, Number(precision), Number(scale));
  switch (type) {
    case "string":
      return (json) => {
        const text = textOf(json);
        return text === undefined ? WRONG_TYPE : text.includes("\0") ? NUL_IN_TEXT : text;
      };
    case "uuid":
      return (json) => {
        const text = textOf(json) ?? "";
        return UUID.test(text) ? text.toLowerCase() : WRONG_TYPE;
      };
    case "boolean":
      return (json) => (json === "true" ? 1 : json === "false" ? 0 : WRONG_TYPE);
    case "integer":
      return (json) => readInteger(json, 32);
    case "bigint":
      return (json) => readInteger(textOf(json) ?? json, 64);
    case "double":
      return readDouble;
    case "date":
      return (json) => orRefused(dateDays(textOf(json) ?? ""));
    case "timestamp":
      return (json) => {
        const text = textOf(json);
        const isNumber = text === undefined || WHOLE.test(text) || (unit === "seconds" && PLAIN_DECIMAL.test(text));
        return orRefused(isNumber ? epochMicros(text ?? json, unit) : isoMicros(text));
      };
    default:
      return normalForm;
  }
}

/** What a JSON string says; undefined for another value. */
function textOf(json: string): string | undefined {
  if (!json.startsWith('"')) return undefined;
  return json.includes("\\") ? (JSON.parse(json) as string) : json.slice(1, -1);
}

function orRefused(value: number | bigint | "WrongType" | "OutOfRange"): number | bigint | Refused {
  return typeof value === "string" ? REFUSED[value] : value;
}

function readInteger(text: string, bits: number): bigint | number | Refused {
  if (!WHOLE.test(text)) return WRONG_TYPE;
  if (text.length < 10) return Number(text) + 0;
  if (text.length > MAX_INTEGER) return OUT_OF_RANGE;
  const value = BigInt(text);
  return BigInt.asIntN(bits, value) === value ? value : OUT_OF_RANGE;
}

function readDouble(json: string): number | Refused {
  if (!NUMBER.test(json)) return WRONG_TYPE;
  const value = Number(json);
  return Number.isFinite(value) ? value : OUT_OF_RANGE;
}

/** @param json a number in any spelling, or a string of one without an exponent */
function readDecimal(json: string, precision: number, scale: number): bigint | Refused {
  const text = textOf(json);
  if (text !== undefined && !PLAIN_DECIMAL.test(text)) return WRONG_TYPE;
  const number = decimalOf(text ?? json);
  if (number === undefined) return WRONG_TYPE;
  return scaled(number, precision, scale) ?? OUT_OF_RANGE;
}

function described(type: string, unit = "milliseconds"): string {
  const forms: Readonly<Record<string, string>> = {
    string: "a string",
    boolean: "true or false",
    integer: "a whole number",
    bigint: "a whole number, or a string of one",
    double: "a number",
    uuid: "a UUID such as 123e4567-e89b-12d3-a456-426614174000",
    timestamp: `a time: ISO 8601, or ${unit === "seconds" ? unit : `whole ${unit}`} since 1970`,
    date: "a date such as 2026-01-31",
  };
  return forms[type] ?? `a ${type}`;
}
