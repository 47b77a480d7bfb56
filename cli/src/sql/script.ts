/** Scripts taken apart: statements, and commands that begin with a backslash. Pure. */
import { lex } from "./lexer.ts";

/** One thing to do. */
export interface Piece {
  readonly kind: "statement" | "command";
  /** As it was typed, without what ends it; a command that stood inside of a statement is blank in it. */
  readonly text: string;
  /** The line of the script on which it begins, from 1. */
  readonly line: number;
  /** Whether `\gx` ended it: this one result is expanded. */
  readonly expanded?: true;
}

export interface Split {
  /** In the order in which they are done. */
  readonly pieces: readonly Piece[];
  /** A statement that has not ended, and the line on which it begins. */
  readonly rest: Piece;
}

/** @param firstLine of the source, where it is a part of a script */
export function splitScript(source: string, firstLine = 1): Split {
  const pieces: Piece[] = [];
  let text = source;
  let begin: number | undefined;
  let at = 0;
  const lineOf = (place: number) => firstLine + (source.slice(0, place).match(/\n/g)?.length ?? 0);
  const end = (to: number, expanded = false) => {
    if (begin !== undefined)
      pieces.push({
        ...{ kind: "statement", text: text.slice(begin, to).trimEnd(), line: lineOf(begin) },
        ...(expanded ? { expanded } : {}),
      });
    begin = undefined;
  };
  for (let more = true; more;) {
    more = false;
    const { tokens, open } = lex(source, at);
    for (const token of tokens) {
      if (token.kind === "symbol" && token.value === ";") end(token.from);
      else if (token.kind === "symbol" && token.value === "\\") {
        at = endOfCommand(source, token.from);
        const command = source.slice(token.from, at).trimEnd();
        if (/^\\gx?$/.test(command)) end(token.from, command === "\\gx");
        else if (command === "\\r") begin = undefined;
        else pieces.push({ kind: "command", text: command, line: lineOf(token.from) });
        text = text.slice(0, token.from) + " ".repeat(at - token.from) + text.slice(at);
        // Its words are no SQL: what follows is looked at anew.
        more = true;
        break;
      } else begin ??= token.from;
    }
    if (!more) begin ??= open;
  }
  const from = begin ?? text.length;
  return { pieces, rest: { kind: "statement", text: text.slice(from).trimEnd(), line: lineOf(from) } };
}

/** A command ends with its line, a semicolon, or the next backslash; quotes keep what is in them, `\\g` and `\\r` take nothing. */
function endOfCommand(source: string, from: number): number {
  const alone = /^\\(?:gx?|r)\b/.exec(source.slice(from))?.[0];
  if (alone !== undefined) return from + alone.length;
  let quote = "";
  for (let at = from + 1; at < source.length; at++) {
    const character = source[at] ?? "";
    if (character === "\n") return at;
    if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === ";" || (character === "\\" && /\s/.test(source[at - 1] ?? ""))) return at;
  }
  return source.length;
}
