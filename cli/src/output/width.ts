/** How much of a terminal's line a text takes. Pure. */

/** Wide characters (East Asian, emoji) take two terminal columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** @returns terminal columns */
export function width(value: string): number {
  let columns = 0;
  for (const character of value) columns += /\p{Mark}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return columns;
}

/** Spaces to a width, before the text or behind it. */
export function pad(value: string, length: number, right: boolean): string {
  const space = " ".repeat(Math.max(0, length - width(value)));
  return right ? space + value : value + space;
}
