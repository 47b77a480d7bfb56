/** Errors of SQL in a spec, in words for the person who wrote it. */

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

interface DuckDBError {
  readonly exception_type?: string;
  readonly exception_message?: string;
  readonly position?: string;
  readonly candidates?: string;
}

/**
 * DuckDB's message with its candidates, and the place in the text that the person wrote.
 *
 * @param error as DuckDB threw it, structured (`errors_as_json`) or not
 * @param text the SQL of the spec
 * @param offset where `text` begins in what DuckDB was given
 */
export function describeSqlError(error: unknown, text: string, offset: number): string {
  const { exception_message: message = "", position } = structured(error);
  const lines = message
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const said = lines.join(" ").replace(" in FROM clause", " among the topic's fields");
  if (position === undefined) return said;
  const at = Number(position) - offset;
  return at >= 0 && at < text.length
    ? `${said} (at "${text.slice(at, at + 24)}", character ${at + 1})`
    : `${said} (at the end)`;
}

function structured(error: unknown): DuckDBError {
  const message = error instanceof Error ? error.message : String(error);
  try {
    const parsed: unknown = JSON.parse(message);
    return typeof parsed === "object" && parsed !== null ? parsed : { exception_message: message };
  } catch {
    return { exception_message: message };
  }
}
