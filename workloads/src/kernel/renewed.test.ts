import { afterEach, expect, it } from "vitest";
import { type DuckDB, openDuckDB } from "@caudal/pipeline/duckdb";
import { makeColumn } from "./columns.ts";
import { Evaluation, type EvaluationHost } from "./evaluation.ts";
import { ScanMemory } from "./scan-memory.ts";
import { TIME_LIMITS } from "./time-limit.ts";
import { topicOf } from "@caudal/pipeline/testing";

const open: DuckDB[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

/** A host whose first DuckDB breaks for good over one event: what it then says of every statement. */
function hostOf(isDeadly: (call: number) => boolean, first: string, then: string) {
  let current: DuckDB | undefined;
  let calls = 0;
  let opened = 0;
  const host: EvaluationHost = {
    limits: TIME_LIMITS,
    origin: { topic: "events", partition: () => 0, offset: (row) => row },
    flight: undefined,
    async duckdb() {
      if (current !== undefined) return current;
      const real = await openDuckDB({ memoryLimit: "128MB" });
      open.push(real);
      opened++;
      let broken = false;
      current = {
        ...real,
        prepared: async (sql) => {
          if (broken) throw new Error(then);
          if (sql.includes("evaluated") && isDeadly(++calls)) {
            broken = true;
            throw new Error(first);
          }
          return await real.prepared(sql);
        },
      };
      return current;
    },
    renew: async () => {
      current = undefined;
      return await Promise.resolve();
    },
  };
  return { host, opened: () => opened };
}

const INVALID =
  "FATAL Error: Failed: database has been invalidated because of a previous fatal error. The database must be restarted prior to being used again.";

it.each([
  ["an internal error", 4, "INTERNAL Error: Attempted to access index 3 within vector of size 3", INVALID],
  ["a fatal error", 4, "FATAL Error: Failed to create checkpoint", INVALID],
  [
    "no memory",
    4,
    "Out of Memory Error: Failed to allocate block of 16777216 bytes (bad allocation)",
    "bad allocation",
  ],
  ["no memory, among many", 200, "Out of Memory Error: could not allocate block of size 256.0 KiB", "bad allocation"],
])("after %s among %i events another DuckDB evaluates all of them", async (_, count, first, then) => {
  const { host, opened } = hostOf((call) => call === 1, first, then);
  const memory = new ScanMemory();
  const [n, v] = [makeColumn(memory, "INTEGER", count), makeColumn(memory, "BIGINT", count)];
  for (let row = 0; row < count; row++) n.values[row] = row;
  const values = [{ name: '"#value v"', sql: "n * 2", when: null, duckdbType: "BIGINT", column: v }];
  const computation = { where: undefined, conditions: [], values, inputs: new Set(["n"]) };
  const evaluation = new Evaluation(host, computation, topicOf({ n: "integer" }), new Map([["n", n]]));
  const rows = Int32Array.from({ length: count }, (_, row) => row);
  const evaluated = await evaluation.run(rows);
  expect(evaluated.findings.size).toBe(0);
  expect([...evaluated.rows].sort((a, b) => a - b)).toEqual([...rows]);
  expect([...v.values]).toEqual([...rows].map((row) => 2 * row));
  expect(opened()).toBe(2);
});
