/** Looks into JSON texts without making values of them: digits stay as they were written. */
import { JsonReader } from "./json-reader.ts";
import { normalForm } from "./normal-form.ts";
import { findsMany, parsePath, type Step } from "./json-path.ts";

/** A text that is no JSON: in words for the person whose SQL took it for that. */
export class NoJson extends Error {
  readonly code = "NO_JSON";
  readonly reason = "NoJson";
  readonly retryable = false;
}

const reader = new JsonReader([]);
const SCALAR_START = /["\-0-9tfn]/;

/**
 * A document as it means one thing: each key once.
 *
 * @throws NoJson
 */
export function jsonOf(text: string): string {
  const bytes = Buffer.from(text);
  const found = reader.read(bytes, 0, bytes.length);
  if (found !== undefined && found.reason !== "NotAnObject") throw new NoJson(`${found.detail}: ${text.slice(0, 64)}`);
  return normalForm(text);
}

/** The value under a path; undefined where there is none. @throws NoJson */
export function valueUnder(text: string, path: string): string | undefined {
  return valuesUnder(text, path)[0];
}

/** The values under a path, which may have several. @throws NoJson */
export function valuesUnder(text: string, path: string): readonly string[] {
  const steps = parsePath(path);
  if (steps === undefined) throw new NoJson(`the path ${path} cannot be read`);
  let values: readonly string[] = [jsonOf(text)];
  for (const step of steps) values = values.flatMap((value) => inside(value, step));
  return values;
}

export function hasManyValues(path: string): boolean {
  const steps = parsePath(path);
  return steps !== undefined && findsMany(steps);
}

/** A text as what it says, null as undefined, and other values as they were written. */
export function plainText(json: string): string | undefined {
  if (json === "null") return undefined;
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

export function isScalar(json: string): boolean {
  return SCALAR_START.test(json[0] ?? "");
}

/** The elements of a list. @throws NoJson for another value */
export function elementsOf(text: string): readonly string[] {
  const json = jsonOf(text);
  if (!json.startsWith("[")) throw new NoJson(`it is no list: ${json.slice(0, 64)}`);
  return inside(json, "elements");
}

/** The same with numbers as texts of their digits, but for integers, which every reader of ours keeps. @throws NoJson */
export function withNumbersAsTexts(text: string): string {
  const json = jsonOf(text);
  return json.replaceAll(TOKEN, (token) => (/^-?\d/.test(token) && !INTEGER.test(token) ? `"${token}"` : token));
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[-+.\deE]*/g;
const INTEGER = /^(?:0|-?[1-9]\d{0,17})$/;

/** @param json in its normal form */
function inside(json: string, step: Step): readonly string[] {
  const isObject = json.startsWith("{");
  if (step === "members") return isObject ? membersOf(json).map(([, value]) => value) : [];
  const elements = json.startsWith("[") ? partsOf(json) : [];
  if (step === "elements") return elements;
  if ("index" in step) return elements.slice(...(step.index === -1 ? [-1] : [step.index, step.index + 1]));
  const key = JSON.stringify(step.key);
  const found = isObject ? membersOf(json).find(([name]) => name === key) : undefined;
  return found === undefined ? [] : [found[1]];
}

function membersOf(json: string): readonly (readonly [key: string, value: string])[] {
  return partsOf(json).map((part) => {
    const end = endOfText(part, 0);
    return [part.slice(0, end), part.slice(end + 1)] as const;
  });
}

/** What stands between the commas of an object or a list in its normal form. */
function partsOf(json: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 1;
  for (let at = 1; at < json.length; at++) {
    const character = json[at];
    if (character === '"') at = endOfText(json, at) - 1;
    else if (character === "{" || character === "[") depth++;
    else if (depth > 0 && (character === "}" || character === "]")) depth--;
    else if (depth === 0 && (character === "," || at === json.length - 1)) {
      if (at > from) parts.push(json.slice(from, at));
      from = at + 1;
    }
  }
  return parts;
}

/** @param start of the opening quote @returns behind the closing one */
function endOfText(json: string, start: number): number {
  let at = start + 1;
  for (; json[at] !== '"'; at++) if (json[at] === "\\") at++;
  return at + 1;
}
