/** What a query reads, and the query with other names in their places. Pure. */
import { isSymbol, isWord, lex, nameAt, type Token } from "./lexer.ts";

/** A name behind FROM or JOIN, or of what is written to. */
export interface Relation {
  /** Without its quotes; of a name with a schema as it is written. */
  readonly name: string;
  /** As it is written: where it is in the source, [from, to). */
  readonly from: number;
  readonly to: number;
}

export interface Relations {
  readonly relations: readonly Relation[];
  /** Every word and name of the query, in lower case. */
  readonly words: ReadonlySet<string>;
  /** Whether there is a `*` in it. */
  readonly star: boolean;
}

/** Words that may follow a relation and are no alias of it. */
const CLAUSES = ["WHERE", "GROUP", "ORDER", "LIMIT", "HAVING", "JOIN", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "ON"];

export function readRelations(source: string): Relations {
  const { tokens } = lex(source);
  const relations: Relation[] = [];
  for (const at of placesOf(source, tokens)) {
    const named = relationAt(source, tokens, at);
    if (named !== undefined && !isSymbol(tokens[named.next], "(")) relations.push(named);
  }
  const words = new Set(tokens.map(({ value }) => value.toLowerCase()));
  return { relations, words, star: tokens.some((token) => isSymbol(token, "*")) };
}

/**
 * Names of relations before their columns: `app-events.user_id`.
 *
 * @param names of relations that the query reads
 */
export function readQualifiers(source: string, names: readonly string[]): readonly Relation[] {
  const { tokens } = lex(source);
  return tokens.flatMap(({ kind, from }, at) => {
    const written = kind === "word" && !isSymbol(tokens[at - 1], ".") ? nameAt(source, tokens, at)?.name : undefined;
    const name = names.find((one) => written?.startsWith(`${one}.`));
    return name === undefined ? [] : { name, from, to: from + name.length };
  });
}

/** A text with some of its parts replaced, which knows where everything was before. */
export interface Rewritten {
  readonly sql: string;
  /** @param at place in {@link sql} @returns the place in the source; of a part that was replaced, its beginning */
  placeBefore(at: number): number;
}

/** @param instead what a relation is called; undefined for one that stays as it is */
export function rewriteRelations(
  source: string,
  relations: readonly Relation[],
  instead: (relation: Relation) => string | undefined,
): Rewritten {
  let sql = "";
  let copied = 0;
  /** Parts in order: where each begins, there and here, and whether it was copied. */
  const parts: { readonly now: number; readonly before: number; readonly same: boolean }[] = [];
  for (const relation of [...relations].sort((one, other) => one.from - other.from)) {
    const name = instead(relation);
    if (name === undefined || relation.from < copied) continue;
    parts.push({ now: sql.length, before: copied, same: true });
    sql += source.slice(copied, relation.from);
    parts.push({ now: sql.length, before: relation.from, same: false });
    sql += name;
    copied = relation.to;
  }
  parts.push({ now: sql.length, before: copied, same: true });
  return {
    sql: sql + source.slice(copied),
    placeBefore: (at) => {
      const part = parts.findLast(({ now }) => now <= at);
      return part === undefined ? at : part.before + (part.same ? at - part.now : 0);
    },
  };
}

interface Named extends Relation {
  /** Index of the token after it. */
  readonly next: number;
}

/** A name, also in parts: `"Sales-2026"."Order Details"`, `public."Order Details"`. */
function relationAt(source: string, tokens: readonly Token[], at: number): Named | undefined {
  const token = tokens[at];
  const named = nameAt(source, tokens, at);
  if (token === undefined || named === undefined || token.kind === "number") return undefined;
  const point = token.kind === "name" ? isSymbol(tokens[named.next], ".") : named.name.endsWith(".");
  const next = named.next + (token.kind === "name" ? 1 : 0);
  const last = tokens[next];
  if (!point || (last?.kind !== "name" && last?.kind !== "word")) return { ...named, from: token.from };
  return { name: source.slice(token.from, last.to), from: token.from, to: last.to, next: next + 1 };
}

/** Indexes of the tokens where relations begin. */
function* placesOf(source: string, tokens: readonly Token[]): Generator<number> {
  for (let at = 0; at < tokens.length; at++) {
    if (!isWord(tokens[at], "FROM", "JOIN", "INTO", "UPDATE", "TABLE")) continue;
    for (let place: number | undefined = at + 1; place !== undefined; place = afterComma(source, tokens, place))
      yield place;
  }
}

/** The next relation of a list `a [as] x, b`. */
function afterComma(source: string, tokens: readonly Token[], place: number): number | undefined {
  let next = afterParentheses(tokens, relationAt(source, tokens, place)?.next ?? place);
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
