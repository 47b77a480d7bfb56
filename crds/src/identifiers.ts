/**
 * Names of other systems: fields, columns and tables as PostgreSQL allows them. A text that is one name is that name, to
 * the letter. A text that may hold more (a table with its schema) is written as in SQL, with double quotes where a name
 * needs them; letters stay large and small as they are written, with quotes and without.
 */

/** PostgreSQL cuts longer names off. */
export const MAX_NAME_BYTES = 63;

/** A table of PostgreSQL. */
export interface TableRef {
  readonly schema: string;
  readonly name: string;
}

const DEFAULT_SCHEMA = "public";
/** What SQL takes without quotes: no ASCII but letters, digits, _ and $, and neither of the latter in front. */
const BARE = String.raw`[^\x00-\x40\x5b-\x5e\x60\x7b-\x7f][^\x00-\x23\x25-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]*`;
const QUOTED = String.raw`"(?:[^"\x00-\x1f\x7f]|"")+"`;
const PART = `(?:${BARE}|${QUOTED})`;
/** A name of a table, with its schema or without. The same expression in JavaScript and in RE2. */
export const TABLE_PATTERN = `^(?:${PART}[.])?${PART}$`;
const TABLE = new RegExp(`^(?:(${BARE}|${QUOTED})[.])?(${BARE}|${QUOTED})$`);
/** A name of a field or of a column: none begins with #, as the engine's own do. */
export const NAME_PATTERN = String.raw`^[^#\x00-\x1f\x7f][^\x00-\x1f\x7f]*$`;
const NAME = new RegExp(NAME_PATTERN);
/** A name that is the same in SQL with quotes and without, but for words of SQL. */
const PLAIN = /^[a-z_][a-z0-9_]*$/;

/** A name as SQL writes it: in double quotes unless it is plain. */
export function sqlName(name: string): string {
  return PLAIN.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** @returns why it cannot be the name of a column, in words that say what to write instead; undefined when it can */
export function nameProblem(name: string): string | undefined {
  if (!NAME.test(name))
    return `"${name}" cannot be a name: it is empty, has control characters, or begins with #, as the engine's own do; write another`;
  return lengthProblem(name);
}

function lengthProblem(name: string): string | undefined {
  const bytes = new TextEncoder().encode(name).length;
  return bytes > MAX_NAME_BYTES
    ? `"${name}" has ${bytes} bytes, and PostgreSQL cuts names off behind ${MAX_NAME_BYTES}: write a shorter one`
    : undefined;
}

/** @returns the table that a text names, or what is wrong with it, in words that say what to write instead */
export function readTableName(text: string): TableRef | string {
  const [, schema, name] = TABLE.exec(text) ?? [];
  if (name === undefined) {
    const quoted = `"${text.replaceAll('"', '""')}"`;
    return `${text} is no name of a table: what has spaces, dashes and the like needs double quotes, as in SQL: write ${quoted}, or schema.${quoted}`;
  }
  const ref = { schema: schema === undefined ? DEFAULT_SCHEMA : unquoted(schema), name: unquoted(name) };
  return lengthProblem(ref.schema) ?? lengthProblem(ref.name) ?? ref;
}

function unquoted(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}

/**
 * The one spelling of a table: equal for all texts that name it, and read by PostgreSQL's `parse_ident`. A text that names
 * none stays as it is: a check of its own refuses it.
 */
export function tableTitle(text: string): string {
  const ref = readTableName(text);
  return typeof ref === "string" ? text : titleOf(ref);
}

export function titleOf({ schema, name }: TableRef): string {
  return schema === DEFAULT_SCHEMA ? sqlName(name) : `${sqlName(schema)}.${sqlName(name)}`;
}

/** @throws RangeError for a text that names none: it has been checked */
export function tableRef(text: string): TableRef {
  const ref = readTableName(text);
  if (typeof ref === "string") throw new RangeError(ref);
  return ref;
}
