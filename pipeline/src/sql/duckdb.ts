/** DuckDB in this process, shut in: no files, no network, no extensions to load, one thread, bounded memory. */
import type { DuckDBConnection, DuckDBPreparedStatement } from "@duckdb/node-api";
import { registerJsonFunctions } from "./json-functions.ts";
import { quote, text } from "./quote.ts";

export interface DuckDBOptions {
  /** DuckDB's own bound, such as "256MB". What it allocates for single strings is not under it. */
  readonly memoryLimit: string;
  /** Errors as JSON, with the place and the candidates: for checking SQL. */
  readonly structuredErrors?: boolean;
  /** The one folder whose files it may read and write. */
  readonly folder?: string;
}

/** One connection to a database of its own. */
export interface DuckDB {
  readonly connection: DuckDBConnection;
  /** Runs one statement and gives its rows as objects, values as JSON has them (64-bit integers as text). */
  rows(sql: string, values?: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /**
   * A statement that is planned once and run again and again: the plan of a small one costs more than its run. DuckDB plans
   * it anew where a table that it names was made anew. It is this object's to destroy.
   */
  prepared(sql: string): Promise<DuckDBPreparedStatement>;
  close(): void;
}

/**
 * How DuckDB's allocator (jemalloc) deals with what is freed: it goes back soon, address space and all. Kept, it would
 * count as allocated, and after an expression that took all that there was nothing else in the process could allocate.
 */
const ALLOCATOR = "retain:false,dirty_decay_ms:1000";

/** Statements that are kept prepared; those of one evaluation are a handful. */
const PREPARED = 64;

/** Opens an empty in-memory database. The native library is loaded here and not on import. */
export async function openDuckDB(options: DuckDBOptions): Promise<DuckDB> {
  process.env["DUCKDB_JE_MALLOC_CONF"] ??= ALLOCATOR;
  const { DuckDBInstance } = await import("./duckdb-library.ts");
  const instance = await DuckDBInstance.create(":memory:", {
    threads: "1",
    memory_limit: options.memoryLimit,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
    // No spilling either: the root file system is read-only and a batch has to fit.
    temp_directory: "",
    preserve_insertion_order: "true",
  });
  const connection = await instance.connect();
  const settings = ["global TimeZone = 'UTC'"];
  if (options.folder !== undefined) settings.push(`allowed_directories = [${text(options.folder)}]`);
  settings.push("enable_external_access = false");
  if (options.structuredErrors === true) settings.push("errors_as_json = true");
  for (const setting of [...settings, "lock_configuration = true"]) await connection.run(`set ${setting}`);
  await registerJsonFunctions(connection);
  const statements = new Map<string, DuckDBPreparedStatement>();
  const forget = (sql: string) => {
    statements.get(sql)?.destroySync();
    statements.delete(sql);
  };
  return {
    connection,
    async prepared(sql) {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      const [oldest] = statements.keys();
      if (statements.size >= PREPARED && oldest !== undefined) forget(oldest);
      const statement = await connection.prepare(sql);
      statements.set(sql, statement);
      return statement;
    },
    async rows(sql, values) {
      const result = await connection.runAndReadAll(sql, values === undefined ? undefined : [...values]);
      return result.getRowObjectsJson();
    },
    close() {
      for (const sql of [...statements.keys()]) forget(sql);
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Whether an error leaves a database that refuses everything, or one that holds the memory that was asked for. */
export function isSpent(error: unknown): boolean {
  const message = error instanceof Error ? error.message : String(error);
  return /^(Out of Memory|FATAL|INTERNAL) Error|invalidated because of a previous fatal error|bad.?alloc/i.test(
    message,
  );
}

/** Makes an empty table whose columns are given as name and type. */
export async function createTable(
  duckdb: DuckDB,
  name: string,
  columns: readonly (readonly [name: string, type: string])[],
): Promise<void> {
  const list = columns.map(([column, type]) => `${quote(column)} ${type}`);
  await duckdb.connection.run(`create temp table ${quote(name)} (${list.join(", ")})`);
}
