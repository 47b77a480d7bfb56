/** Text that others wrote, made fit to be shown: on a terminal, in one line, and by the API server as it was sent. */

/** Control characters, separators of lines and paragraphs, and formats: what turns the direction of writing, what has no width. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Shows what is not seen, such as an escape sequence of a terminal, as `\u001b`; ends of lines become spaces. Halves of
 * surrogate pairs become U+FFFD, as the API server would make of them: what is written must be what is read back.
 *
 * @param most characters that are kept
 */
export function plainText(text: string, most = Infinity): string {
  const shown = text
    .replace(/\r?\n|\t/g, " ")
    .replace(UNSEEN, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
  return (shown.length > most ? shown.slice(0, most) : shown).toWellFormed();
}

/** The same of every text in a value of JSON. */
export function plainTexts<T>(value: T): T {
  if (typeof value === "string") return plainText(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => plainTexts(item)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plainTexts(entry as unknown)])) as T;
}
