/** What a statement asks for. Everything that is none of the prompt's own goes on as SQL. */
import { readTableName } from "@caudal/crds";
import { StatementFailed } from "../errors.ts";
import { isSymbol, isWord, lex, nameAt, type Token } from "./lexer.ts";

export const SHOWN = ["TOPICS", "CONNECTORS", "STREAMS", "TABLES"] as const;
export type Shown = (typeof SHOWN)[number];

export type Statement =
  | { readonly kind: "show"; readonly what: Shown }
  | { readonly kind: "describe"; readonly name: string }
  | { readonly kind: "print"; readonly topic: string; readonly beginning: boolean; readonly limit: number | undefined }
  | { readonly kind: "create stream"; readonly name: string; readonly select: string }
  | { readonly kind: "drop stream"; readonly name: string }
  | { readonly kind: "set"; readonly setting: string; readonly value: string }
  | Query;

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
  if (isWord(first, "SHOW", "LIST")) {
    const shown = readShow(tokens);
    if (shown !== undefined) return shown;
  }
  if (isWord(first, "DESCRIBE", "DESC")) {
    const at = isWord(second, "EXTENDED") ? 2 : 1;
    const named = nameAt(source, tokens, at);
    if (named?.next === tokens.length) return { kind: "describe", name: named.name };
    const rest = source.slice(tokens[at]?.from).trim();
    if (typeof readTableName(rest) !== "string") return { kind: "describe", name: rest };
  }
  if (isWord(first, "PRINT")) return readPrint(source, tokens);
  if (isWord(first, "SET") && second?.kind === "text" && isSymbol(tokens[2], "="))
    return { kind: "set", setting: second.value, value: tokens[3]?.value ?? "" };
  if (isWord(first, "CREATE") && (isWord(second, "STREAM") || isWord(tokens[3], "STREAM")))
    return readCreate(source, tokens);
  if (isWord(first, "DROP") && isWord(second, "STREAM")) return readDrop(source, tokens);
  return readQuery(source, tokens);
}

function readShow(tokens: readonly Token[]): Statement | undefined {
  const rest = tokens.slice(1).filter((token) => !isWord(token, "ALL", "EXTENDED"));
  const word = rest[0]?.value.toUpperCase();
  const what = SHOWN.find((one) => one === word || (one === "CONNECTORS" && word === "SOURCES"));
  if (what !== undefined && rest.length === 1) return { kind: "show", what };
  // PostgreSQL has settings to show: SHOW TimeZone.
  if (rest.length !== 1 || /^(QUERIES|FUNCTIONS|PROPERTIES|TYPES|VARIABLES)$/.test(word ?? ""))
    throw new StatementFailed(`there is nothing like that to show: write SHOW ${SHOWN.join(", SHOW ")}`);
  return undefined;
}

const PRINT_FORM = "write PRINT topic [FROM BEGINNING] [LIMIT n]";

function readPrint(source: string, tokens: readonly Token[]): Statement {
  const named = nameAt(source, tokens, 1);
  if (named === undefined) throw new StatementFailed(`PRINT which topic? ${PRINT_FORM}`);
  let [beginning, limit] = [false, undefined as number | undefined];
  for (let at = named.next; at < tokens.length; at += 2) {
    if (isWord(tokens[at], "FROM") && isWord(tokens[at + 1], "BEGINNING")) beginning = true;
    else if (isWord(tokens[at], "LIMIT")) limit = readCount(tokens[at + 1], PRINT_FORM);
    else throw new StatementFailed(`"${tokens[at]?.value ?? ""}" has no meaning here: ${PRINT_FORM}`);
  }
  return { kind: "print", topic: named.name, beginning, limit };
}

const CREATE_FORM = "write CREATE STREAM name AS SELECT … FROM topic [WHERE …]";

function readCreate(source: string, tokens: readonly Token[]): Statement {
  const at = tokens.findIndex((token) => isWord(token, "STREAM"));
  const named = nameAt(source, tokens, at + 1);
  if (named === undefined) throw new StatementFailed(`a stream needs a name: ${CREATE_FORM}`);
  if (isWord(tokens[named.next], "WITH"))
    throw new StatementFailed(`a stream's topic has its name and the partitions of its source: ${CREATE_FORM}`);
  const select = tokens[named.next + 1];
  if (!isWord(tokens[named.next], "AS") || !isWord(select, "SELECT") || select === undefined)
    throw new StatementFailed(`a stream is what a SELECT gives: ${CREATE_FORM}`);
  return { kind: "create stream", name: named.name, select: withoutEmit(source.slice(select.from)).sql };
}

function readDrop(source: string, tokens: readonly Token[]): Statement {
  const at = isWord(tokens[2], "IF") ? 4 : 2;
  const named = nameAt(source, tokens, at);
  if (named?.next !== tokens.length) throw new StatementFailed("write DROP STREAM name");
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
  if (more.length > 0 || (word !== undefined && !isWord(word, "LIMIT")))
    throw new StatementFailed(
      `"${(isWord(word, "LIMIT") ? more[0] : word)?.value ?? ""}" has no meaning after EMIT CHANGES: ${form}`,
    );
  const before = tokens[emit - 2];
  if (word === undefined && isWord(before, "LIMIT"))
    return { sql: source.slice(0, before?.from).trim(), emit: true, limit: readCount(tokens[emit - 1], form) };
  const limit = word === undefined ? undefined : readCount(count, form);
  return { sql: source.slice(0, tokens[emit]?.from).trim(), emit: true, limit };
}

/** A query without the `LIMIT n` at its end, and that number. */
export function withoutLimit(sql: string): { readonly sql: string; readonly limit: number | undefined } {
  const { tokens } = lex(sql);
  const [word, count] = tokens.slice(-2);
  if (!isWord(word, "LIMIT") || count?.kind !== "number" || !/^\d+$/.test(count.value))
    return { sql, limit: undefined };
  return { sql: sql.slice(0, word?.from).trim(), limit: Number(count.value) };
}

function readCount(token: Token | undefined, form: string): number {
  const count = token?.kind === "number" ? Number(token.value) : NaN;
  if (!Number.isSafeInteger(count)) throw new StatementFailed(`LIMIT takes a whole number: ${form}`);
  return count;
}
