/** Where in what was typed something is wrong, as text under the message. Pure. */
import { width } from "../output/width.ts";

/** Characters of a line that are shown around the place. */
const SHOWN = 100;

/**
 * The line of the place, and a caret under it.
 *
 * @param text as it was typed
 * @param at place in it, in UTF-16 code units; behind its end is at its end
 * @param firstLine of the script that the text begins on
 */
export function placeText(text: string, at: number, firstLine = 1): string {
  const place = Math.max(0, Math.min(at, text.trimEnd().length));
  const begin = text.lastIndexOf("\n", place - 1) + 1;
  const end = text.indexOf("\n", place);
  const line = text.slice(begin, end < 0 ? undefined : end).trimEnd();
  const column = Math.min(place - begin, line.length);
  const from = column > SHOWN * 0.7 ? column - Math.floor(SHOWN / 2) : 0;
  const part = line.slice(from, from + SHOWN).replaceAll(/\s/g, " ");
  const [before, after] = [from > 0 ? "…" : "", from + SHOWN < line.length ? "…" : ""];
  const number = firstLine + (text.slice(0, begin).match(/\n/g)?.length ?? 0);
  const head = `line ${number}: ${before}`;
  return `${head}${part}${after}\n${" ".repeat(width(head) + width(part.slice(0, column - from)))}^`;
}

/** A place that is counted in characters, from 1, as PostgreSQL does. @returns it in code units from 0 */
export function placeOfCharacter(text: string, position: number): number {
  return [...text].slice(0, position - 1).join("").length;
}

/** A place that is counted in bytes of UTF-8, from 0, as DuckDB does. @returns it in code units from 0 */
export function placeOfByte(text: string, position: number): number {
  return Buffer.from(text).subarray(0, position).toString().length;
}
