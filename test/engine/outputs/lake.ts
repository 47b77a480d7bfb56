import { DuckDBInstance } from "@duckdb/node-api";

/** What one query over files gives, as JSON has it. */
export async function readLake<T>(select: string): Promise<T[]> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    await connection.run("set TimeZone = 'UTC'");
    return (await connection.runAndReadAll(select)).getRowObjectsJson() as T[];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
