/** Which topics a query reads, and the query as DuckDB takes it. */
import { quote } from "@caudal/workloads/sql/quote";
import { isSymbol, isWord, lex, nameAt, type Token } from "./lexer.ts";

export interface Relations {
  /** Names behind FROM and JOIN, each once. */
  readonly names: readonly string[];
  /** The query with names that need quotes in double quotes. */
  readonly sql: string;
  /** Every word and name of the query, in lower case. */
  readonly words: ReadonlySet<string>;
}

/** Words that may follow a relation and are no alias of it. */
const CLAUSES = ["WHERE", "GROUP", "ORDER", "LIMIT", "HAVING", "JOIN", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "ON"];

/** @param known names that are topics: others stay as they are written */
export function readRelations(source: string, known: (name: string) => boolean): Relations {
  const { tokens } = lex(source);
  const names = new Set<string>();
  let sql = "";
  let copied = 0;
  for (const at of placesOf(source, tokens)) {
    const token = tokens[at];
    const named = nameAt(source, tokens, at);
    if (token === undefined || named === undefined || isSymbol(tokens[named.next], "(")) continue;
    names.add(named.name);
    if (!known(named.name)) continue;
    sql += source.slice(copied, token.from) + quote(named.name);
    copied = named.to;
  }
  const words = new Set(tokens.map(({ value }) => value.toLowerCase()));
  return { names: [...names], sql: sql + source.slice(copied), words };
}

/** Indexes of the tokens where relations begin. */
function* placesOf(source: string, tokens: readonly Token[]): Generator<number> {
  for (let at = 0; at < tokens.length; at++) {
    if (!isWord(tokens[at], "FROM", "JOIN")) continue;
    for (let place: number | undefined = at + 1; place !== undefined; place = afterComma(source, tokens, place))
      yield place;
  }
}

/** The next relation of a list `a [as] x, b`. */
function afterComma(source: string, tokens: readonly Token[], place: number): number | undefined {
  let next = afterParentheses(tokens, nameAt(source, tokens, place)?.next ?? place);
  if (isWord(tokens[next], "AS")) next++;
  const alias = tokens[next];
  if (alias?.kind === "name" || (alias?.kind === "word" && !isWord(alias, ...CLAUSES))) next++;
  return isSymbol(tokens[next], ",") ? next + 1 : undefined;
}

/** Behind the arguments of a function or a subquery, where they begin there. */
function afterParentheses(tokens: readonly Token[], start: number): number {
  let depth = 0;
  for (let at = start; at < tokens.length; at++) {
    if (isSymbol(tokens[at], "(")) depth++;
    else if (isSymbol(tokens[at], ")")) depth--;
    if (depth === 0) return isSymbol(tokens[at], ")") ? at + 1 : start;
  }
  return tokens.length;
}
