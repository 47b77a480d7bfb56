/** What PostgreSQL can answer, as one class per outcome: who acts next, and how, is in the class. */
import { WorkloadError } from "../runtime/errors.ts";

export abstract class DatabaseError extends WorkloadError {}

/** No connection, a lost one, a server that starts, stops or follows: back off and connect again. */
export class DatabaseUnavailable extends DatabaseError {
  readonly code = "EDATABASEUNAVAILABLE";
  readonly reason = "DatabaseUnavailable";
  readonly retryable = true;
}

/** The server does not show a certificate that is trusted, or speaks no TLS: nothing was told to it. */
export class DatabaseNotTrusted extends DatabaseError {
  readonly code = "EDATABASENOTTRUSTED";
  readonly reason = "DatabaseNotTrusted";
  readonly retryable = true;
}

/** Disk, memory or connections are used up: back off, and let a person know. */
export class DatabaseExhausted extends DatabaseError {
  readonly code = "EDATABASEEXHAUSTED";
  readonly reason = "DatabaseExhausted";
  readonly retryable = true;
}

/** Deadlock or serialization failure: the same transaction again. */
export class TransactionConflict extends DatabaseError {
  readonly code = "ETRANSACTIONCONFLICT";
  readonly reason = "TransactionConflict";
  readonly retryable = true;
}

/** Some row of the transaction may be what cannot be stored: find it, never try again blindly. */
export class RowRefused extends DatabaseError {
  readonly code = "EROWREFUSED";
  readonly reason = "RefusedByDatabase";
  readonly retryable = false;
}

/** The compare of progress did not match: someone else owns the partition, or the plan has changed. */
export class ProgressMoved extends DatabaseError {
  readonly code = "EPROGRESSMOVED";
  readonly reason = "ProgressMoved";
  readonly retryable = true;
}

/** The transaction holds a window that is over for its table: what it was computed from is read and judged again. */
export class WindowPassed extends DatabaseError {
  readonly code = "EWINDOWPASSED";
  readonly reason = "WindowPassed";
  readonly retryable = true;
}

/** Windows have become final meanwhile: the same rows again, as revisions. */
export class FinalMoved extends DatabaseError {
  readonly code = "EFINALMOVED";
  readonly reason = "FinalMoved";
  readonly retryable = true;
}

/** Privileges, passwords, missing databases, wrong SQL: a person has to change something. */
export class DatabaseRefused extends DatabaseError {
  readonly code = "EDATABASEREFUSED";
  readonly reason = "DatabaseRefused";
  readonly retryable = false;
}

/**
 * The server does not let us in, now: a role gets its password, and a database is made, a moment after the Secret that
 * names them. Where it lasts, a person has to change something.
 */
export class LoginRefused extends DatabaseError {
  readonly code = "ELOGINREFUSED";
  readonly reason = "DatabaseRefused";
  readonly retryable = true;
}

/** The server is too old, or its `caudal` schema too new. */
export class DatabaseUnsupported extends DatabaseError {
  readonly code = "EDATABASEUNSUPPORTED";
  readonly reason = "DatabaseUnsupported";
  readonly retryable = false;
}

/** Why a table cannot be written; each is also a condition's reason. */
export type TableProblem =
  | "TableClaimed"
  | "TableExists"
  | "TableChanged"
  | "TableMissing"
  | "TableWithoutProgress"
  | "PipelineReplaced"
  | "DefinitionSuperseded";

/** A table that we must not write to until a person has decided. */
export class TableRefused extends DatabaseError {
  readonly code = "ETABLEREFUSED";
  readonly reason: TableProblem;
  readonly retryable = false;

  constructor(reason: TableProblem, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** SQLSTATE that our own functions raise when the compare of progress fails. */
export const PROGRESS_MOVED = "CD001";
/** SQLSTATE that our own functions raise for a window that is no longer kept, or final where nothing may change it. */
export const WINDOW_PASSED = "CD002";
/** SQLSTATE that our own functions raise for a window that is final, where changes of it are sent as revisions. */
export const FINAL_MOVED = "CD003";

/**
 * @param error as thrown by `pg`, by its socket or by reading the secret
 * @param doing what was tried, for people, such as `commit`
 */
export function databaseError(error: unknown, doing: string): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const message = `${doing}: ${text}`;
  const state = sqlState(error);
  if (state === undefined) return new DatabaseUnavailable(message, { cause: error });
  const withState = `${message} (SQLSTATE ${state})`;
  return new (classOf(state))(withState, { cause: error });
}

/** What to do where logging in fails, by SQLSTATE; a server that is away needs nobody. */
const LOGIN_ADVICE: Readonly<Record<string, string>> = {
  "28P01": "correct username and password there, or the role's password in the database",
  "28000": "correct username there, or let pg_hba.conf take this user, database and way",
  "3D000": "create the database, or correct dbname there",
  "42501": "grant the user CONNECT on the database",
};

/**
 * @param error as thrown while logging in, or by reading the secret
 * @param where which database, as whom, and where that is written
 */
export function loginError(error: unknown, where: string): DatabaseError {
  const typed = databaseError(error, `connect to ${where}`);
  const advice = LOGIN_ADVICE[sqlState(error) ?? ""];
  if (advice === undefined) return typed;
  return new LoginRefused(`${typed.message}: ${advice}`, { cause: error });
}

/**
 * What a statement that writes rows, or the COMMIT behind it, has met. Whatever is not clearly the server's own trouble may
 * be a row's: a trigger raises any SQLSTATE, a policy or a view's check option has its own. Whether it is, only the same
 * transaction without the row can tell ({@link Connection.rehearse}).
 *
 * @param error as thrown by `pg`
 */
export function rowsError(error: unknown, doing: string): DatabaseError {
  const known = databaseError(error, doing);
  const state = sqlState(error);
  if (known instanceof RowRefused || state === undefined || isServers(error, state)) return known;
  return new RowRefused(known.message, { cause: error });
}

/** What the server says of itself, whatever row it is at. */
const OF_THE_SERVER = new Set([
  ...["40001", "40P01", "55P03"], // it met another transaction, or waited for one
  ...["25P03", "25006", "55006"],
  ...["XX001", "XX002"], // a page or an index is damaged
]);
const CLASSES_OF_THE_SERVER = new Set(["08", "53", "58"]);

/** A statement that was cancelled, by its time limit for one, may have met one row that takes too long. */
const CANCELLED = "57014";

function isServers(error: unknown, state: string): boolean {
  const { file, routine } = sourceOf(error);
  // A function's own `raise` says what its author chose: 53100 of a trigger is no full disk.
  if (RAISED.test(file)) return false;
  if (OF_THE_SERVER.has(state) || CLASSES_OF_THE_SERVER.has(state.slice(0, 2))) return true;
  if (state.startsWith("57")) return state !== CANCELLED;
  // A privilege is of a role and an object; row security has the same SQLSTATE, and is about the row.
  return state === "42501" && routine !== "ExecWithCheckOptions";
}

/** Where in the server's sources errors begin that a procedural language raises: pl_exec.c, plpy_elog.c, plperl.c. */
const RAISED = /^pl(?!an)/;

function sourceOf(error: unknown): { readonly file: string; readonly routine: string } {
  const { file, routine } = (error ?? {}) as { readonly file?: unknown; readonly routine?: unknown };
  // Of a build outside the source tree the file has a path.
  return { file: String(file ?? "").replace(/^.*\//, ""), routine: String(routine ?? "") };
}

function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code) ? code : undefined;
}

type ErrorClass = new (message: string, options?: ErrorOptions) => DatabaseError;

function classOf(state: string): ErrorClass {
  const exact: Readonly<Record<string, ErrorClass>> = {
    [PROGRESS_MOVED]: ProgressMoved,
    [WINDOW_PASSED]: WindowPassed,
    [FINAL_MOVED]: FinalMoved,
    "40P01": TransactionConflict,
    "40001": TransactionConflict,
    "55P03": TransactionConflict,
    "55006": DatabaseUnavailable, // a replication slot that another session still has
    "57014": DatabaseUnavailable, // statement_timeout
    "25P03": DatabaseUnavailable, // idle_in_transaction_session_timeout
    "25006": DatabaseUnavailable, // read-only: a standby, or a primary that was just demoted
  };
  const byClass: Readonly<Record<string, ErrorClass>> = {
    "08": DatabaseUnavailable,
    "57": DatabaseUnavailable,
    "53": DatabaseExhausted,
    "22": RowRefused,
    "23": RowRefused,
    "54": RowRefused,
  };
  return exact[state] ?? byClass[state.slice(0, 2)] ?? DatabaseRefused;
}
