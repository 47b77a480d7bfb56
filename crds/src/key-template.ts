/** Keys of Redis from rows, by a template such as `tx:{id}`. */

/** Texts and columns in turn: text, column, text, column, …, text. */
export interface KeyTemplate {
  readonly texts: readonly string[];
  readonly columns: readonly string[];
}

/** A name between braces; one with braces or quotes of its own stands in double quotes, as in SQL. */
const COLUMN = /\{("(?:[^"]|"")*"|[^{}]*)\}/g;

/** Keys that begin so say how far outputs have come: no row ever has one, whatever its values are. */
export const PROGRESS_KEYS = "caudal:progress:";

/** @returns the template, or what is wrong with it */
export function parseKeyTemplate(text: string): KeyTemplate | string {
  const found = [...text.matchAll(COLUMN)];
  const columns = found.map(([, name = ""]) => unquoted(name));
  const texts = [...found, undefined].map((match, index) => {
    const before = found[index - 1];
    return text.slice(before === undefined ? 0 : before.index + before[0].length, match?.index);
  });
  if (texts.some((part) => /[{}]/.test(part)))
    return `${text} has a brace without its other half: write a column's name between { and }`;
  if (found.some(([, name = ""]) => name.trim() !== name || unquoted(name) === ""))
    return `${text} has braces without a column: write a column's name between { and }, as in tx:{id}`;
  if (columns.length === 0) return `${text} is the same key for every row: name a column in it, as in tx:{id}`;
  if (texts[0]?.startsWith(PROGRESS_KEYS) === true)
    return `${text} begins with ${PROGRESS_KEYS}, under which is kept how far outputs have come: let it begin with something else`;
  return { texts, columns };
}

function unquoted(name: string): string {
  return /^"(?:[^"]|"")*"$/.test(name) ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/** @param values of the template's columns, in its order @returns undefined when one of them is NULL */
export function keyOf({ texts }: KeyTemplate, values: readonly (string | null)[]): string | undefined {
  let key = texts[0] ?? "";
  for (const [i, value] of values.entries()) {
    if (value === null) return undefined;
    key += value + (texts[i + 1] ?? "");
  }
  return key;
}
