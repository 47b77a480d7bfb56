/** Errors of SQL in a spec, in words for the person who wrote it. */
import { type DuckDBError, hintFor } from "./sql-hints.ts";

/** SQL that cannot be used, with what to write instead. Becomes a SqlProblem of the field that holds it. */
export class SqlError extends Error {
  readonly code = "SQL_INVALID";
  readonly reason = "SqlInvalid";
  readonly retryable = false;
}

/** What is wrong with one SQL text of a spec. */
export interface SqlProblem {
  /** Where it is, such as `spec.aggregators[metrics].tables[counts].aggregates[0]`. */
  readonly path: string;
  readonly message: string;
  /** Why, where it is not the SQL itself: CamelCase. */
  readonly reason?: string;
}

/**
 * DuckDB's message with its candidates, or what to write instead where that is known, and the place in the text that the person wrote.
 *
 * @param error as DuckDB threw it, structured (`errors_as_json`) or not
 * @param text the SQL of the spec
 * @param offset where `text` begins in what DuckDB was given
 */
export function describeSqlError(error: unknown, text: string, offset: number): string {
  const found = structured(error);
  const at = placeIn(found, offset);
  const said = hintFor(found, text, at) ?? ownWords(error);
  // Errors of constants, such as a pattern that is none, have no place.
  if (at === undefined) return `${said} (in "${text.slice(0, 120)}")`;
  return at >= 0 && at < text.length
    ? `${said} (at "${text.slice(at, at + 24)}", character ${at + 1})`
    : `${said} (at the end)`;
}

/** DuckDB's own words for an error, in one line. */
export function ownWords(error: unknown): string {
  return (structured(error).exception_message ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" ")
    .replace(" in FROM clause", " among the topic's fields");
}

/** Where in the text of the spec an error is; undefined where DuckDB does not say. */
export function placeOfError(error: unknown, offset: number): number | undefined {
  return placeIn(structured(error), offset);
}

function placeIn({ position }: DuckDBError, offset: number): number | undefined {
  return position === undefined ? undefined : Number(position) - offset;
}

/** An error of DuckDB in its parts, where it is structured (`errors_as_json`); else its message alone. */
export function structured(error: unknown): DuckDBError {
  const message = error instanceof Error ? error.message : String(error);
  // Errors of the parser come with a word before the JSON.
  const json = message.slice(Math.max(0, message.indexOf("{")));
  try {
    const parsed: unknown = JSON.parse(json);
    return typeof parsed === "object" && parsed !== null ? parsed : { exception_message: message };
  } catch {
    return { exception_message: message };
  }
}
