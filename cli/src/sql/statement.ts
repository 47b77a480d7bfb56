/** What a statement asks for. Everything that is none of the prompt's own goes on as SQL. */
import { readTableName } from "@caudal/crds";
import { StatementFailed } from "../errors.ts";
import { nearest } from "./guess.ts";
import { isSymbol, isWord, lex, nameAt, type Token } from "./lexer.ts";

export const SHOWN = ["TOPICS", "TABLES", "STREAMS", "CONNECTORS", "PIPELINES"] as const;
export type Shown = (typeof SHOWN)[number];

export type Statement =
  | { readonly kind: "show"; readonly what: Shown }
  | { readonly kind: "describe"; readonly name: string; readonly at: number }
  | (Reading & { readonly kind: "print"; readonly topic: string; readonly at: number })
  /** `at`: where in the statement the SELECT begins. */
  | { readonly kind: "create stream"; readonly name: string; readonly select: string; readonly at: number }
  | { readonly kind: "drop stream"; readonly name: string }
  | { readonly kind: "set"; readonly setting: string; readonly value: string }
  /** A setting of PostgreSQL's, whose name it may not have. */
  | { readonly kind: "setting"; readonly name: string; readonly at: number }
  | Query;

interface Reading {
  readonly beginning: boolean;
  readonly limit: number | undefined;
}

export interface Query {
  readonly kind: "query";
  /** Without EMIT CHANGES, and without the LIMIT beside it. */
  readonly sql: string;
  /** Whether it goes on with what comes. */
  readonly emit: boolean;
  /** Rows at most. */
  readonly limit: number | undefined;
}

/** @param source of one statement, without its semicolon @throws StatementFailed that says what to write */
export function parseStatement(source: string): Statement {
  const { tokens } = lex(source);
  const [first, second] = tokens;
  if (isWord(first, "SHOW", "LIST")) return readShow(source, tokens);
  if (isWord(first, "DESCRIBE", "DESC")) return readDescribe(source, tokens);
  if (isWord(first, "PRINT")) return readPrint(source, tokens);
  if (isWord(first, "SET") && second?.kind === "text" && isSymbol(tokens[2], "="))
    return { kind: "set", setting: second.value, value: tokens[3]?.value ?? "" };
  if (isWord(first, "CREATE") && (isWord(second, "STREAM") || isWord(tokens[3], "STREAM")))
    return readCreate(source, tokens);
  if (isWord(first, "DROP") && isWord(second, "STREAM")) return readDrop(source, tokens);
  return readQuery(source, tokens);
}

/** All that SHOW shows, as it is written. */
export const SHOW_FORM = `write SHOW ${SHOWN.join(", SHOW ")}`;

function readShow(source: string, tokens: readonly Token[]): Statement {
  const [word, ...more] = tokens.slice(1).filter((token) => !isWord(token, "ALL", "EXTENDED"));
  const all = isWord(tokens[0], "SHOW") && tokens.length === 2 && isWord(tokens[1], "ALL");
  // PostgreSQL has settings to show, also all of them.
  if (all) return { kind: "setting", name: "ALL", at: tokens[1]?.from ?? 0 };
  if (word === undefined) throw new StatementFailed(`SHOW what? ${SHOW_FORM}`, { at: source.length });
  const said = word.value.toUpperCase();
  const what = SHOWN.find((one) => one === said || (one === "CONNECTORS" && said === "SOURCES"));
  if (what !== undefined && more[0] === undefined) return { kind: "show", what };
  if (what !== undefined)
    throw new StatementFailed(`"${textFrom(source, more)}" has no meaning behind SHOW ${what}`, { at: more[0]?.from });
  const name = textFrom(source, [word, ...more]);
  if (isWord(tokens[0], "LIST")) throw nothingToShow(name, word.from);
  return { kind: "setting", name, at: word.from };
}

/** @param name that neither we nor PostgreSQL have anything of */
export function nothingToShow(name: string, at: number, cause?: unknown): StatementFailed {
  const known = SHOWN.map((one) => `SHOW ${one}`);
  const near = nearest(name, SHOWN).map((one) => `SHOW ${one}`);
  const advice = near.length > 0 ? `; did you mean ${near.join(" or ")}?` : `: write ${known.join(", ")}`;
  return new StatementFailed(`there is no ${name} to show${advice}`, { at, cause });
}

function textFrom(source: string, tokens: readonly Token[]): string {
  return source.slice(tokens[0]?.from, tokens.at(-1)?.to);
}

function readDescribe(source: string, tokens: readonly Token[]): Statement {
  const first = isWord(tokens[1], "EXTENDED") && tokens.length > 2 ? 2 : 1;
  const named = nameAt(source, tokens, first);
  const at = tokens[first]?.from ?? source.length;
  const rest = source.slice(at).trim();
  if (typeof readTableName(rest) !== "string") return { kind: "describe", name: rest, at };
  if (named?.next === tokens.length) return { kind: "describe", name: named.name, at };
  throw new StatementFailed(
    rest === "" ? "DESCRIBE what? write DESCRIBE name" : `"${rest}" is no name: write DESCRIBE name`,
    { at },
  );
}

const PRINT_FORM = "write PRINT topic [FROM BEGINNING] [LIMIT n]";

function readPrint(source: string, tokens: readonly Token[]): Statement {
  const named = nameAt(source, tokens, 1);
  if (named === undefined) throw new StatementFailed(`PRINT which topic? ${PRINT_FORM}`, { at: source.length });
  let [beginning, limit] = [false, undefined as number | undefined];
  for (let at = named.next; at < tokens.length; at += 2) {
    if (isWord(tokens[at], "FROM") && isWord(tokens[at + 1], "BEGINNING")) beginning = true;
    else if (isWord(tokens[at], "LIMIT")) limit = readCount(tokens[at + 1] ?? tokens[at], PRINT_FORM);
    else
      throw new StatementFailed(`"${tokens[at]?.value ?? ""}" has no meaning here: ${PRINT_FORM}`, {
        at: tokens[at]?.from,
      });
  }
  return { kind: "print", topic: named.name, beginning, limit, at: tokens[1]?.from ?? 0 };
}

const CREATE_FORM = "write CREATE STREAM name AS SELECT … FROM topic [WHERE …]";

function readCreate(source: string, tokens: readonly Token[]): Statement {
  const at = tokens.findIndex((token) => isWord(token, "STREAM"));
  const named = nameAt(source, tokens, at + 1);
  if (named === undefined)
    throw new StatementFailed(`a stream needs a name: ${CREATE_FORM}`, { at: tokens[at + 1]?.from ?? source.length });
  const next = { at: tokens[named.next]?.from ?? source.length };
  if (isWord(tokens[named.next], "WITH"))
    throw new StatementFailed(`a stream's topic has its name and the partitions of its source: ${CREATE_FORM}`, next);
  const select = tokens[named.next + 1];
  if (!isWord(tokens[named.next], "AS") || !isWord(select, "SELECT") || select === undefined)
    throw new StatementFailed(`a stream is what a SELECT gives: ${CREATE_FORM}`, next);
  const { sql } = withoutEmit(source);
  return { kind: "create stream", name: named.name, select: sql.slice(select.from), at: select.from };
}

function readDrop(source: string, tokens: readonly Token[]): Statement {
  const at = isWord(tokens[2], "IF") ? 4 : 2;
  const named = nameAt(source, tokens, at);
  if (named?.next !== tokens.length)
    throw new StatementFailed("write DROP STREAM name", { at: tokens[named?.next ?? at]?.from ?? source.length });
  return { kind: "drop stream", name: named.name };
}

function readQuery(source: string, tokens: readonly Token[]): Query {
  if (!isWord(tokens[0], "SELECT", "WITH", "FROM"))
    return { kind: "query", sql: source, emit: false, limit: undefined };
  return { kind: "query", ...withoutEmit(source) };
}

interface Tail {
  readonly sql: string;
  readonly emit: boolean;
  readonly limit: number | undefined;
}

/** Takes `EMIT CHANGES` off the end, and the LIMIT beside it. Without EMIT CHANGES a LIMIT is SQL's own. */
function withoutEmit(source: string): Tail {
  const { tokens } = lex(source);
  const emit = tokens.findLastIndex((token, at) => isWord(token, "EMIT") && isWord(tokens[at + 1], "CHANGES"));
  if (emit < 0) return { sql: source, emit: false, limit: undefined };
  const form = "write SELECT … FROM topic [WHERE …] EMIT CHANGES [LIMIT n]";
  const after = tokens.slice(emit + 2);
  const [word, count, ...more] = after;
  const wrong = isWord(word, "LIMIT") ? more[0] : word;
  if (wrong !== undefined)
    throw new StatementFailed(`"${wrong.value}" has no meaning after EMIT CHANGES: ${form}`, { at: wrong.from });
  const before = tokens[emit - 2];
  if (word === undefined && isWord(before, "LIMIT"))
    return { sql: source.slice(0, before?.from).trimEnd(), emit: true, limit: readCount(tokens[emit - 1], form) };
  const limit = word === undefined ? undefined : readCount(count ?? word, form);
  return { sql: source.slice(0, tokens[emit]?.from).trimEnd(), emit: true, limit };
}

/** A query without the `LIMIT n` at its end, and that number. */
export function withoutLimit(sql: string): { readonly sql: string; readonly limit: number | undefined } {
  const { tokens } = lex(sql);
  const [word, count] = tokens.slice(-2);
  if (!isWord(word, "LIMIT") || count?.kind !== "number" || !/^\d+$/.test(count.value))
    return { sql, limit: undefined };
  return { sql: sql.slice(0, word?.from).trimEnd(), limit: Number(count.value) };
}

function readCount(token: Token | undefined, form: string): number {
  const count = token?.kind === "number" ? Number(token.value) : NaN;
  if (!Number.isSafeInteger(count))
    throw new StatementFailed(`LIMIT takes a whole number: ${form}`, { at: token?.from });
  return count;
}
