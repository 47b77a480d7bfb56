/** Asks DuckDB about a pipeline's SQL in a process of its own, with the bounds of the operator: constants may never end. */
import { boundHint, SQL_CPU_MS, type SqlAnswer, type SqlQuestion } from "@caudal/pipeline/checks";
import { CheckFailed, CheckLimited, checkSql } from "@caudal/pipeline/sql";

/** For as long a person waits on a machine that is busy. */
const TIMEOUT_MS = 60_000;

/** A check that could not be made to its end is a problem of the spec as a whole. */
export async function askSql(question: SqlQuestion): Promise<SqlAnswer> {
  try {
    return await checkSql(question, { cpuMs: SQL_CPU_MS, timeoutMs: TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    const hint = error instanceof CheckLimited ? `; ${boundHint(question)}` : "";
    const message = `the SQL could not be checked: ${error.message}${hint}`;
    return { problems: [{ path: "spec", reason: error.reason, message }], transforms: [] };
  }
}
