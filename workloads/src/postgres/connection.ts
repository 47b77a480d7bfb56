import { createHash } from "node:crypto";
import type { Client, QueryResult, QueryResultRow } from "pg";
import { connectClient, destroySocket } from "./client.ts";
import {
  databaseError,
  DatabaseRefused,
  DatabaseUnavailable,
  DatabaseUnsupported,
  loginError,
  RowRefused,
  rowsError,
} from "./errors.ts";
import { type DatabaseSecret, describeLogin, readSecret } from "./secret.ts";

/** Told of each call: its name, how long it took and "ok" or the error's reason. */
export type CallObserver = (call: string, seconds: number, outcome: string) => void;

export interface ConnectionOptions {
  /** Folder of the secret, or what is in it. */
  readonly secret: string | DatabaseSecret;
  readonly applicationName: string;
  readonly onCall?: CallObserver;
  /** Longest that one statement may take. */
  readonly statementTimeoutMs?: number;
  /** Bytes that the server may send in all: of one that is not ours to trust. */
  readonly readLimit?: number;
  /** Settings of the session besides those that are always pinned. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Named statements are prepared once a connection. */
  readonly name?: string;
  /** Whether it writes rows that data makes: what it meets may be one row's. */
  readonly writesRows?: true;
  /** How long an answer may take; by default, as long as the session's statements may. */
  readonly timeoutMs?: number;
}

const STATEMENT_TIMEOUT_MS = 60_000;
/** A server that answers nothing at all: later than its own timeout, so that its answer wins where there is one. */
const ANSWER_MS = 10_000;
/**
 * Of sessions that write rows: whoever waits for a lock that somebody holds is told so, by another SQLSTATE than one whose
 * statement itself takes too long, which may be a row's fault.
 */
export const LOCK_LIMIT = { lock_timeout: "20000" } as const;
/** How long a stopped worker can hold rows that others wait for. */
const IDLE_IN_TRANSACTION_MS = 10_000;
const TCP_USER_TIMEOUT_MS = 20_000;
const OLDEST_VERSION = 150_000;

/** One session of PostgreSQL whose settings are known. After an error that it reports as lost it is of no use any more. */
export class Connection {
  readonly #client: Client;
  readonly #onCall: CallObserver;
  #lost = false;
  #broken = false;

  private constructor(client: Client, onCall: CallObserver) {
    this.#client = client;
    this.#onCall = onCall;
    // pg reports a lost idle connection by this event; the next call fails and says so.
    const broke = (): void => {
      this.#broken ||= !this.#lost;
      this.#lost = true;
    };
    client.on("error", broke);
    client.on("end", broke);
  }

  /** Connects, checks that the server can serve us, and pins everything that a server or role could set otherwise. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const started = performance.now();
    const observe = options.onCall ?? (() => undefined);
    let where = "the database";
    try {
      const secret = typeof options.secret === "string" ? await readSecret(options.secret) : options.secret;
      where = describeLogin(secret);
      const client = await connectClient(secret, {
        pipeline: true,
        application_name: options.applicationName,
        query_timeout: (options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS) + ANSWER_MS,
        ...(options.readLimit === undefined ? {} : { readLimit: options.readLimit }),
      });
      const connection = new Connection(client, observe);
      try {
        await connection.#prepareSession(options);
      } catch (error) {
        await connection.close();
        throw error;
      }
      observe("connect", (performance.now() - started) / 1000, "ok");
      return connection;
    } catch (error) {
      const typed = loginError(error, where);
      observe("connect", (performance.now() - started) / 1000, typed.reason);
      throw typed;
    }
  }

  /** Whether it is of no use any more. */
  get lost(): boolean {
    return this.#lost;
  }

  /**
   * Before more is done with it: that the server, or the way to it, did not end the connection. Behind the address may be
   * another server now, which has not all that was committed.
   *
   * @throws DatabaseUnavailable
   */
  check(): void {
    if (this.#broken)
      throw new DatabaseUnavailable("the connection was lost: progress is read again before more is done");
  }

  /** Runs one statement; `call` names it in metrics and errors. */
  async query<Row extends QueryResultRow>(call: string, statement: Statement): Promise<QueryResult<Row>> {
    return await this.#observed(call, async () => await this.#send<Row>(statement));
  }

  async #observed<T>(call: string, send: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      const result = await send();
      this.#onCall(call, (performance.now() - started) / 1000, "ok");
      return result;
    } catch (error) {
      const typed = databaseError(error, call);
      this.#onCall(call, (performance.now() - started) / 1000, typed.reason);
      throw typed;
    }
  }

  /** Runs one statement. @returns its rows, each value as PostgreSQL writes it */
  async texts(call: string, { text, values = [] }: Statement): Promise<(string | null)[][]> {
    const query = { text, values: [...values], rowMode: "array", types: { getTypeParser: () => asItIs } };
    return (await this.#observed(call, async () => await this.#client.query<(string | null)[]>(query as never))).rows;
  }

  /**
   * Runs one statement that may take longer than others, such as one that makes an index.
   *
   * @param timeoutMs longest that it may take
   */
  async querySlowly(call: string, statement: Statement, timeoutMs: number): Promise<void> {
    const { rows } = await this.query<{ before: string }>(call, {
      text: `select current_setting('statement_timeout') as before, set_config('statement_timeout', $1, false)`,
      values: [String(timeoutMs)],
    });
    try {
      await this.query(call, { ...statement, timeoutMs: timeoutMs + ANSWER_MS });
    } finally {
      const text = "select set_config('statement_timeout', $1, false)";
      if (!this.#lost) await this.query(call, { text, values: [rows[0]?.before] });
    }
  }

  /**
   * Runs the statements in one transaction that is sent whole, without waiting between them, so that row locks are
   * held for no round trip. Nothing is committed unless every statement succeeded: the server skips what follows an
   * error, and COMMIT then rolls back.
   *
   * After an error the connection is closed, unless it is RowRefused: rows are found by many of them. If the connection
   * was lost, the outcome is unknown (DatabaseUnavailable).
   */
  async transaction(call: string, statements: readonly Statement[]): Promise<void> {
    await this.#whole(call, statements, "COMMIT");
  }

  /**
   * Runs the statements in one transaction, as {@link transaction} does, and undoes it: whether the database takes them.
   *
   * @throws what stands in the way, which is never RowRefused: a row is not asked about
   */
  async rehearse(call: string, statements: readonly Statement[]): Promise<void> {
    try {
      await this.#whole(call, statements, "ROLLBACK");
    } catch (error) {
      if (!(error instanceof RowRefused)) throw error;
      throw new DatabaseRefused(error.message, { cause: error });
    }
  }

  async #whole(call: string, statements: readonly Statement[], end: "COMMIT" | "ROLLBACK"): Promise<void> {
    const started = performance.now();
    const all: readonly Statement[] = [{ text: "begin" }, ...statements, { text: end, writesRows: true }];
    const results = await Promise.allSettled(all.map((statement) => this.#send(statement)));
    const failedAt = results.findIndex((result) => result.status === "rejected");
    const failed = results[failedAt];
    const last = results.at(-1);
    const seconds = (performance.now() - started) / 1000;
    if (failed === undefined && last?.status === "fulfilled" && last.value.command === end) {
      this.#onCall(call, seconds, "ok");
      return;
    }
    const error: unknown =
      failed?.status === "rejected" ? failed.reason : new DatabaseUnavailable(`${call}: ${end} did not happen`);
    const typed = all[failedAt]?.writesRows === true ? rowsError(error, call) : databaseError(error, call);
    this.#onCall(call, seconds, typed.reason);
    // The server has answered the end of the transaction too: nothing of it is left in the session.
    const isOver = failedAt === all.length - 1 || last?.status === "fulfilled";
    if (!(typed instanceof RowRefused && isOver)) await this.close();
    throw typed;
  }

  /** Runs `work` between BEGIN and COMMIT, waiting for each statement; rolls back when it throws. */
  async inTransaction<T>(call: string, work: () => Promise<T>): Promise<T> {
    await this.query(call, { text: "begin" });
    try {
      const result = await work();
      await this.query(call, { text: "commit" });
      return result;
    } catch (error) {
      if (!this.#lost) await this.query(call, { text: "rollback" });
      throw error;
    }
  }

  /** Ends the session; a connection that is lost already is only let go. */
  async close(): Promise<void> {
    this.#lost = true;
    const timer = setTimeout(() => destroySocket(this.#client), 2_000);
    try {
      await this.#client.end();
    } finally {
      clearTimeout(timer);
    }
  }

  async #send<Row extends QueryResultRow>(statement: Statement): Promise<QueryResult<Row>> {
    return await this.#client.query<Row>({
      text: statement.text,
      ...(statement.values === undefined ? {} : { values: [...statement.values] }),
      ...(statement.name === undefined ? {} : { name: statementName(statement.name) }),
      ...(statement.timeoutMs === undefined ? {} : { query_timeout: statement.timeoutMs }),
    });
  }

  async #prepareSession(options: ConnectionOptions): Promise<void> {
    const settings: Readonly<Record<string, string>> = {
      search_path: "pg_catalog, pg_temp", // CVE-2026-55769: nobody's functions but the server's own
      TimeZone: "UTC",
      // A statement sees what was committed before it got its locks, and not what was there when its transaction began.
      default_transaction_isolation: "read committed",
      DateStyle: "ISO, YMD",
      IntervalStyle: "postgres",
      client_min_messages: "warning",
      statement_timeout: String(options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS),
      idle_in_transaction_session_timeout: String(IDLE_IN_TRANSACTION_MS),
      tcp_user_timeout: String(TCP_USER_TIMEOUT_MS),
      ...options.settings,
    };
    const names = Object.keys(settings);
    const { rows } = await this.query<{ version: number; standby: boolean }>("connect", {
      text: `select ${names.map((_, i) => `pg_catalog.set_config($${2 * i + 1}, $${2 * i + 2}, false)`).join(", ")},
        pg_catalog.current_setting('server_version_num')::pg_catalog.int4 as version,
        pg_catalog.pg_is_in_recovery() as standby`,
      values: names.flatMap((name) => [name, settings[name]]),
    });
    const server = rows[0];
    if (server === undefined || server.version < OLDEST_VERSION)
      throw new DatabaseUnsupported(
        `PostgreSQL 15 or newer is needed (unique indexes with NULLS NOT DISTINCT), this one is ${Math.floor((server?.version ?? 0) / 10_000)}`,
      );
    if (server.standby) throw new DatabaseUnavailable("this server is a standby: waiting for the primary");
  }
}

/** PostgreSQL cuts names of statements off: two long ones could become one. */
const MOST_OF_NAME = 63;

function statementName(name: string): string {
  return Buffer.byteLength(name) <= MOST_OF_NAME ? name : createHash("sha256").update(name).digest("base64url");
}

const asItIs = (value: string): string => value;
