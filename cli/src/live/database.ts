/** SQL on the pipeline's database. */
import { type Client, DatabaseError, type QueryArrayResult } from "pg";
import { connectClient } from "@caudal/workloads/postgres/client";
import type { DatabaseSecret } from "@caudal/workloads/postgres/secret";
import { ClusterFailed, StatementFailed } from "../errors.ts";
import { placeOfCharacter } from "../sql/place.ts";
import { kindOfPostgres, type Result } from "../output/result.ts";

export interface DatabaseOptions {
  /** Without it every transaction begins as read-only. */
  readonly write: boolean;
}

/** What a statement gave: rows, or what it did. */
export type Answer =
  { readonly kind: "rows"; readonly result: Result } | { readonly kind: "done"; readonly words: string };

export type Row = Result["rows"][number];

/** Of a table that is read whole. */
const ROWS_AT_ONCE = 5_000;

export class Database {
  readonly #secret: DatabaseSecret;
  readonly #options: string;
  #client: Client | undefined;

  constructor(secret: DatabaseSecret, { write }: DatabaseOptions) {
    this.#secret = secret;
    this.#options = `-c timezone=UTC${write ? "" : " -c default_transaction_read_only=on"}`;
  }

  /**
   * @param signal ends the statement, and not the session
   * @throws StatementFailed with PostgreSQL's words; ClusterFailed when it cannot be reached
   */
  async query(sql: string, signal?: AbortSignal): Promise<readonly Answer[]> {
    const client = await this.#open();
    const cancel = (): void => void this.#cancel(client);
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      const results = await client.query({ text: sql, rowMode: "array", types: { getTypeParser: () => asText } });
      // Several statements give several results.
      return ([results].flat() as QueryArrayResult<(string | null)[]>[]).map(answerOf);
    } catch (error) {
      throw this.#failure(error, sql);
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /**
   * Rows of a table as texts, some at a time; all of one moment.
   *
   * @param columns as SQL
   * @param table as SQL
   * @param signal ends it without an error
   * @throws StatementFailed with PostgreSQL's words; ClusterFailed when it cannot be reached
   */
  async *rows(columns: readonly string[], table: string, signal: AbortSignal): AsyncGenerator<readonly Row[]> {
    // A session of its own: the other one may be in a transaction of the person's.
    const other = new Database(this.#secret, { write: false });
    try {
      await other.query("begin isolation level repeatable read read only", signal);
      const texts = columns.map((column) => `${column}::text`).join(", ");
      await other.query(`declare all_rows no scroll cursor for select ${texts} from ${table}`, signal);
      while (!signal.aborted) {
        const [answer] = await other.query(`fetch ${ROWS_AT_ONCE} from all_rows`, signal);
        if (answer?.kind !== "rows" || answer.result.rows.length === 0) return;
        yield answer.result.rows;
      }
    } finally {
      await other.close();
    }
  }

  async close(): Promise<void> {
    await this.#client?.end();
  }

  async #open(): Promise<Client> {
    if (this.#client !== undefined) return this.#client;
    try {
      const client = await this.#connect();
      // A session that broke is opened anew by the next statement.
      client.on("error", () => (this.#client = undefined));
      client.on("end", () => (this.#client = undefined));
      this.#client = client;
      return client;
    } catch (error) {
      throw new ClusterFailed(`PostgreSQL cannot be reached: ${messageOf(error)}`, { cause: error });
    }
  }

  async #connect(): Promise<Client> {
    return await connectClient(this.#secret, { application_name: "caudal-cli", options: this.#options });
  }

  async #cancel(client: Client): Promise<void> {
    try {
      const other = await this.#connect();
      await other.query("select pg_cancel_backend($1)", [(client as unknown as { processID: number }).processID]);
      await other.end();
    } catch {
      await client.end(); // the statement ends with its session
    }
  }

  #failure(error: unknown, sql: string): Error {
    if (!(error instanceof DatabaseError))
      return new ClusterFailed(`PostgreSQL: ${messageOf(error)}`, { cause: error });
    const hint = error.code === READ_ONLY ? "begin with --write where that is meant" : error.hint;
    const missing = MISSING.has(error.code ?? "") ? NAMED.exec(error.message)?.[1] : undefined;
    return new StatementFailed([error.message, error.detail, hint].filter((part) => part !== undefined).join("; "), {
      at: error.position === undefined ? undefined : placeOfCharacter(sql, Number(error.position)),
      ...(missing === undefined ? {} : { missing }),
      ...(error.code === SYNTAX ? { isSyntax: true } : {}),
      cause: error,
    });
  }
}

/** SQLSTATEs: a write in a read-only transaction, what is no SQL, and names of relations that are none. */
const READ_ONLY = "25006";
const SYNTAX = "42601";
const MISSING = new Set(["42P01", "3F000"]);
const NAMED = /^[a-z ]+ "(.+)" does not exist$/;

const asText = (value: string) => value;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Names of PostgreSQL's types by oid, of those that are no text in JSON. */
const TYPES: Readonly<Record<number, string>> = {
  ...{ 16: "boolean", 20: "bigint", 21: "smallint", 23: "integer", 700: "real", 701: "double precision" },
  ...{ 114: "json", 1114: "timestamp", 1184: "timestamptz", 1700: "numeric", 3802: "jsonb" },
};

function answerOf({ fields, rows, command, rowCount }: QueryArrayResult<(string | null)[]>): Answer {
  if (fields.length === 0)
    return {
      kind: "done",
      words: rowCount === null ? command : `${command}, ${rowCount} ${rowCount === 1 ? "row" : "rows"}`,
    };
  const columns = fields.map(({ name, dataTypeID }) => ({ name, kind: kindOfPostgres(TYPES[dataTypeID] ?? "text") }));
  return { kind: "rows", result: { columns, rows } };
}
