/**
 * Where in a record a field is: `from` of a field, or the member of the event's object that has the field's name.
 *
 *   path    $ step+          from the root of the JSON value, as SQL/JSON paths are written
 *   step    .name            letters, digits, _ and $, not a digit first
 *           ."any text"      with the escapes of JSON: \" and \\
 *           [n]              an element of a list, from 0
 *   or      key | partition | offset | timestamp | header:NAME
 */
export type FieldPlace =
  | { readonly kind: "value"; readonly path: JsonPath }
  /** Of the record, beside its value. */
  | { readonly kind: "key" | "partition" | "offset" | "timestamp" }
  | { readonly kind: "header"; readonly name: string };

/** Names of members and numbers of elements, from the root on. */
export type JsonPath = readonly (string | number)[];

const STEP = /\.([\p{L}_$][\p{L}\p{N}_$]*)|\.("(?:[^"\\\p{Cc}]|\\.)*")|\[(\d{1,3})\]/uy;
const FORM =
  'write a path such as $.user.id, $."user-id" or $.items[0].sku, or key, header:NAME, partition, offset or timestamp';

/** @returns the place, or what is wrong with it, in words that say what to write instead */
export function readFieldPlace({ name, from }: { readonly name: string; readonly from?: string }): FieldPlace | string {
  if (from === undefined) return { kind: "value", path: [name] };
  if (from === "key" || from === "partition" || from === "offset" || from === "timestamp") return { kind: from };
  if (from.startsWith("header:")) {
    const header = from.slice("header:".length);
    return header === "" ? "header: has no name behind it: write header:trace-id" : { kind: "header", name: header };
  }
  if (!from.startsWith("$")) return `from: ${from} is no place in a record: ${FORM}`;
  const path = readPath(from);
  if (typeof path === "string") return path;
  return path.length === 0 ? "from: $ is the whole value: name a member of it, as in $.user" : { kind: "value", path };
}

function readPath(from: string): JsonPath | string {
  const path: (string | number)[] = [];
  for (STEP.lastIndex = 1; STEP.lastIndex < from.length;) {
    const at = STEP.lastIndex;
    const [, bare, quoted, element] = STEP.exec(from) ?? [];
    const step = bare ?? (element === undefined ? unquoted(quoted) : Number(element));
    if (step === undefined) return `from: ${from} is no path at "${from.slice(at)}": ${hint(from.slice(at))}`;
    path.push(step);
  }
  return typeof path[0] === "number" ? `from: ${from}: an event is an object, no list: ${FORM}` : path;
}

function unquoted(quoted: string | undefined): string | undefined {
  if (quoted === undefined) return undefined;
  try {
    return JSON.parse(quoted) as string;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function hint(rest: string): string {
  const bare = /^\.([^."[\]]+)/.exec(rest)?.[1];
  if (bare !== undefined && bare !== "*")
    return `what is no name of letters, digits and _ stands in double quotes: write .${JSON.stringify(bare)}`;
  if (/^\[["']/.test(rest)) return 'a member is written behind a point: write ."name"';
  if (/^(\[\*|\.\*|\.\.|\[-|\[\d{4})/.test(rest))
    return "a field is one value, element 0 to 999: declare what holds it as a field of type json, and take it from there in SQL";
  return FORM;
}

/** @throws RangeError for a place that cannot be: it has been checked */
export function fieldPlace(field: { readonly name: string; readonly from?: string }): FieldPlace {
  const place = readFieldPlace(field);
  if (typeof place === "string") throw new RangeError(place);
  return place;
}

/** The field's place in the JSON value; undefined for one that is beside it. */
export function pathOf(field: { readonly name: string; readonly from?: string }): JsonPath | undefined {
  const place = fieldPlace(field);
  return place.kind === "value" ? place.path : undefined;
}

/** Whether one value would be where the other is, or in it, or make an object of a list. */
export function pathsOverlap(one: JsonPath, other: JsonPath): boolean {
  for (const [depth, step] of one.entries()) {
    const there = other[depth];
    if (there === undefined || step === there) continue;
    return typeof step !== typeof there;
  }
  return true;
}
