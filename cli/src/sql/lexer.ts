/** SQL as tokens, for what is told from the words alone: where a statement ends, what it is, and what it reads. */

export interface Token {
  /** `name` is in quotes ("…" or `…`); a `text` is in '…' or $$…$$. */
  readonly kind: "word" | "name" | "text" | "number" | "symbol";
  /** The word as it is written; a name or text without its quotes. */
  readonly value: string;
  /** Where it is in the source: [from, to). */
  readonly from: number;
  readonly to: number;
}

export interface Lexed {
  readonly tokens: readonly Token[];
  /** Where the quotes or the comment begin in which the source ends; undefined where it ends in none. */
  readonly open: number | undefined;
}

const SPACE = /\s+|--[^\n]*/y;
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const NUMBER = /(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?/y;
/** Text with backslashes: E'it\'s'. */
const ESCAPED = /^[eE]'/;
const DOLLAR = /\$([A-Za-z_]\w*)?\$/y;

/** @param start place of the source to begin at */
export function lex(source: string, start = 0): Lexed {
  const tokens: Token[] = [];
  let at = start;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  while (at < source.length) {
    const space = match(SPACE);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2);
      if (end < 0) return { tokens, open: at };
      at = end + 2;
      continue;
    }
    const from = at;
    const add = (kind: Token["kind"], value: string, length: number) => {
      at += length;
      tokens.push({ kind, value, from, to: at });
    };
    const dollar = match(DOLLAR);
    const quote = source[at] ?? "";
    if (dollar !== undefined) {
      const end = source.indexOf(dollar, at + dollar.length);
      if (end < 0) return { tokens, open: from };
      add("text", source.slice(at + dollar.length, end), end + dollar.length - at);
    } else if (ESCAPED.test(source.slice(at, at + 2))) {
      const end = endOfQuotes(source, at + 1, true);
      if (end < 0) return { tokens, open: from };
      add("text", source.slice(at + 2, end - 1), end - at);
    } else if (quote === "'" || quote === '"' || quote === "`") {
      const end = endOfQuotes(source, at);
      if (end < 0) return { tokens, open: from };
      const value = source.slice(at + 1, end - 1).replaceAll(quote + quote, quote);
      add(quote === "'" ? "text" : "name", value, end - at);
    } else {
      const word = match(WORD);
      const number = match(NUMBER);
      if (word !== undefined) add("word", word, word.length);
      else if (number !== undefined) add("number", number, number.length);
      else add("symbol", quote, 1);
    }
  }
  return { tokens, open: undefined };
}

/** @param escapes whether a backslash takes the next character @returns the place after the closing quote, -1 without one */
function endOfQuotes(source: string, start: number, escapes = false): number {
  const quote = source[start] ?? "";
  for (let at = start + 1; at < source.length; at++) {
    if (escapes && source[at] === "\\") {
      at++;
      continue;
    }
    if (source[at] !== quote) continue;
    if (source[at + 1] !== quote) return at + 1;
    at++;
  }
  return -1;
}

/** Whether a token is one of these words, in any case. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === "word" && words.includes(token.value.toUpperCase());
}

export function isSymbol(token: Token | undefined, symbol: string): boolean {
  return token?.kind === "symbol" && token.value === symbol;
}

/** A comment begins with two dashes, also behind a name. */
const BARE_NAME = /^(?:(?!--)[\p{L}\p{N}._$-])+/u;

/**
 * A name that may be a topic's: in quotes of any kind, or as it stands with its dashes and points.
 *
 * @param index of the token where it begins
 * @returns the name, where it ends in the source, and the index of the token after it; undefined where none begins
 */
export function nameAt(
  source: string,
  tokens: readonly Token[],
  index: number,
): { readonly name: string; readonly to: number; readonly next: number } | undefined {
  const token = tokens[index];
  if (token === undefined) return undefined;
  if (token.kind === "name" || token.kind === "text") return { name: token.value, to: token.to, next: index + 1 };
  if (token.kind === "symbol") return undefined;
  const name = BARE_NAME.exec(source.slice(token.from))?.[0];
  if (name === undefined) return undefined;
  const to = token.from + name.length;
  const next = tokens.findIndex(({ from }) => from >= to);
  return { name, to, next: next < 0 ? tokens.length : next };
}
