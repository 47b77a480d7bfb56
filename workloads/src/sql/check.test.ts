import { join } from "node:path";
import { expect, test } from "vitest";
import { CheckFailed, checkSql } from "./check.ts";
import { configOf, tableOf, topicOf } from "../kernel/testing/block.ts";

const command = [process.execPath, join(import.meta.dirname, "check-sql.ts")] as const;
const input = (table: Parameters<typeof tableOf>[0]) => ({
  aggregators: [
    { path: "spec.aggregators[m]", config: configOf(topicOf({ kind: "string", n: "bigint" }), [tableOf(table)]) },
  ],
});

test("good SQL gives the tables and their columns with PostgreSQL's types", async () => {
  const table = { groupBy: ["kind"], aggregates: ["sum(n) as total", "max(n) as most"] };
  expect(await checkSql(input(table), { command, timeoutMs: 20_000 })).toEqual({
    problems: [],
    tables: [
      {
        path: "spec.aggregators[m]",
        table: "counts",
        hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        columns: [
          { name: "kind", type: "text" },
          { name: "total", type: "numeric" },
          { name: "most", type: "bigint" },
        ],
      },
    ],
    transforms: [],
  });
});

test("bad SQL gives problems", async () => {
  const { problems } = await checkSql(input({ where: "kindd = ''" }), { command, timeoutMs: 20_000 });
  expect(problems).toMatchObject([{ path: "spec.aggregators[m].tables[counts].where" }]);
});

test("SQL that takes too long is a problem, and its process is ended", async () => {
  const hanging = [process.execPath, "-e", "setInterval(() => {}, 1000)"] as const;
  const { problems } = await checkSql(input({}), { command: hanging, timeoutMs: 300 });
  expect(problems).toEqual([
    { path: "spec.aggregators[m]", message: expect.stringMatching(/took longer than 300 ms to check/) as string },
  ]);
});

test("SQL whose constants take too much memory is a problem", async () => {
  const where = "length(repeat(repeat('x', 1000), 3000000)) > 1";
  const { problems } = await checkSql(input({ where }), { command, timeoutMs: 20_000, memoryBytes: 400 * 1024 * 1024 });
  expect(problems[0]?.message).toMatch(/too much memory|too long|memory/i);
});

test("a process that cannot run is a failure and no problem of the SQL", async () => {
  const missing = checkSql(input({}), { command: ["/no/such/program"], timeoutMs: 1_000 });
  await expect(missing).rejects.toThrow(CheckFailed);
  const failing = checkSql(input({}), { command: [process.execPath, "-e", "process.exit(3)"], timeoutMs: 5_000 });
  await expect(failing).rejects.toThrow(/ended with code 3/);
});
