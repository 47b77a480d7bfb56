/** What to write instead, where DuckDB's own message says only what is wrong. */
import { insteadOf } from "./dialects.ts";

/** An error as DuckDB tells it with `errors_as_json`. */
export interface DuckDBError {
  readonly exception_type?: string;
  readonly exception_message?: string;
  readonly error_subtype?: string;
  readonly position?: string;
  readonly candidates?: string;
  /** What was not found. */
  readonly name?: string;
  /** What kind of thing that is, such as `Table`. */
  readonly type?: string;
  /** The call that fits no function, with its types, such as `+(VARCHAR, INTEGER)`. */
  readonly call?: string;
}

/**
 * @param text the SQL of the spec
 * @param at where in it the error is, undefined where that is unknown
 * @returns the whole message, or undefined where DuckDB's own says it best
 */
export function hintFor(error: DuckDBError, text: string, at: number | undefined): string | undefined {
  if (error.exception_type === "Parser") return syntaxHint(text, error.exception_message ?? "");
  if (error.error_subtype === "COLUMN_NOT_FOUND" && at !== undefined && text[at] === '"')
    return quotedHint(error.name ?? "", error.candidates);
  if (error.error_subtype === "MISSING_ENTRY") return missingHint(error.name ?? "");
  if (error.call !== undefined) return callHint(error.call, error.candidates);
  const table = /^Referenced table "(.+?)" not found/.exec(error.exception_message ?? "")?.[1];
  return table === undefined ? undefined : prefixHint(table, text, at);
}

function quotedHint(name: string, candidates: string | undefined): string {
  const near = candidates === undefined ? "" : `, or the name of a field, such as ${candidates}`;
  return `"${name}" in double quotes is a name, and no field has it; text stands in single quotes: write '${name.replaceAll("'", "''")}'${near}`;
}

function missingHint(name: string): string | undefined {
  if (name.startsWith("`")) return "` begins no name here: write names in double quotes, or without quotes";
  if (name.startsWith("!")) return 'DuckDB has no operator ! before a condition: write "not"';
  const instead = insteadOf(name);
  return instead === undefined ? undefined : `DuckDB has no function ${name}: write ${instead}`;
}

const TEXT = /VARCHAR|STRING_LITERAL/;
const TIME = /TIMESTAMP|DATE/;
const MAX_CANDIDATES = 4;

function callHint(call: string, candidates = ""): string {
  const name = call.slice(0, call.indexOf("("));
  const instead = operatorHint(name, call) ?? insteadOf(name);
  const what = `No function matches the given name and argument types '${call}'`;
  if (instead !== undefined) return `${what}: write ${instead}`;
  const all = candidates.split(/,(?![^(]*\))/).filter((one) => one !== "");
  const shown = all.slice(0, MAX_CANDIDATES).join(", ");
  const more = all.length > MAX_CANDIDATES ? ` and ${all.length - MAX_CANDIDATES} more` : "";
  return `${what}. You might need to add explicit type casts, as in x::double. Candidate functions: ${shown}${more}`;
}

function operatorHint(name: string, call: string): string | undefined {
  switch (name) {
    case "+":
      if (TIME.test(call)) return "an interval: ts + interval '1 day'";
      return TEXT.test(call)
        ? "|| to join texts, as in x || '-' || y; + adds numbers, as in x::integer + 1"
        : undefined;
    case "-":
      return TIME.test(call) ? "an interval: ts - interval '1 day'" : undefined;
    case "&&":
      return '"and" between two conditions';
    case "!":
    case "!__postfix":
      return '"not" before a condition';
    case "~~":
      return "x::varchar before like: it compares texts";
    default:
      return undefined;
  }
}

function prefixHint(table: string, text: string, at: number | undefined): string {
  const path =
    /^[\w".]+/
      .exec(text.slice(at ?? 0))?.[0]
      .replaceAll('"', "")
      .split(".") ?? [];
  const rest = path.slice(1).filter((part) => part !== "");
  const inside = rest.length === 0 ? "name" : rest.join(".");
  return `${[table, ...rest].join(".")}: neither a field nor a lookup is called ${table}: write a field's name alone${rest.length === 1 ? `, as in ${inside}` : ""}; a value inside a field of type json is ${jsonPath("field", rest.length === 0 ? ["name"] : rest)}`;
}

/** How a value inside a field of type json is written, as text. */
export function jsonPath(field: string, path: readonly string[]): string {
  const [last = "", ...before] = [...path].reverse();
  return `${field}${before
    .reverse()
    .map((part) => `->'${part}'`)
    .join("")}->>'${last}'`;
}

/** First words of statements and clauses, and what is to be left out. */
const CLAUSES: Readonly<Record<string, string>> = {
  where: "leave out WHERE: the condition stands alone",
  having:
    "leave out HAVING: the condition stands alone, over one event; conditions over aggregates stand in the query that reads the table",
  ...Object.fromEntries(
    ["select", "with", "from", "create", "insert", "update", "delete", "merge", "emit"].map((word) => [
      word,
      "it is a whole statement: write one expression in each of select, where, groupBy and aggregates (CREATE STREAM … AS SELECT at the prompt of caudal sql makes a pipeline of a whole one)",
    ]),
  ),
  "group by": "leave out GROUP BY: each of groupBy is one expression",
  "order by": "leave out ORDER BY: events are taken in the order of their partition",
  filter: "leave out FILTER: a condition stands in where, or behind an aggregate as in count(*) filter (where x > 0)",
};

function syntaxHint(text: string, said: string): string | undefined {
  const word = /^\s*((?:group|order)\s+by|[a-z]+)\b/i.exec(text)?.[1]?.toLowerCase().replace(/\s+/, " ") ?? "";
  if (Object.hasOwn(CLAUSES, word)) return CLAUSES[word];
  if (/[‘’“”]/.test(text)) return "‘ ’ “ ” are no quotes of SQL: write 'text' and \"name\"";
  if (text.includes("`")) return "` begins no name here: write names in double quotes, or without quotes";
  if (/\?[^']*:/.test(text)) return "there is no ? : in SQL: write case when x > 0 then 'a' else 'b' end";
  if (said.includes("unterminated quoted string")) return "a ' inside a text is written twice, as in 'it''s'";
  if (/(?:^|[^:]):[a-z_]\w*|@[a-z_]\w*|\{\{/i.test(text))
    return "there are no variables: write the value, or double quotes around the name of a field";
  return undefined;
}

/** A trailing semicolon, which no expression has. */
export function endsStatement(text: string): boolean {
  return text.trimEnd().endsWith(";");
}
