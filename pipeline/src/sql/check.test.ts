import { expect, test } from "vitest";
import { CheckFailed, CheckLimited, checkSql } from "./check.ts";
import { configOf, tableOf, topicOf } from "../testing/configs.ts";

const input = (table: Parameters<typeof tableOf>[0]) => ({
  aggregators: [
    { path: "spec.aggregators[m]", config: configOf(topicOf({ kind: "string", n: "bigint" }), [tableOf(table)]) },
  ],
});

test("good SQL gives the tables and their columns with PostgreSQL's types", async () => {
  const table = { groupBy: ["kind"], aggregates: ["sum(n) as total", "max(n) as most"] };
  expect(await checkSql(input(table), { cpuMs: 20_000 })).toEqual({
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
  const { problems } = await checkSql(input({ where: "kindd = ''" }), { cpuMs: 20_000 });
  expect(problems).toMatchObject([{ path: "spec.aggregators[m].tables[counts].where" }]);
});

const limits = [
  ["stands still", "setInterval(() => {}, 1000)", { cpuMs: 10_000, timeoutMs: 300 }, /was not done after 0.3 s/],
  ["computes for ever", "for (;;);", { cpuMs: 200 }, /took more than 0.2 s of a processor/],
  [
    "takes memory",
    "const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));",
    { cpuMs: 20_000, memoryBytes: 100 << 20 },
    /took more than 100 MiB of memory/,
  ],
] as const;
test.each(limits)(
  "a check that %s is ended, which says nothing about the SQL",
  async (_what, script, bounds, words) => {
    const command = [process.execPath, "-e", script] as const;
    const checked = checkSql(input({}), { command, ...bounds });
    await expect(checked).rejects.toThrow(CheckLimited);
    await expect(checked).rejects.toThrow(words);
  },
);

test("a check is called off", async () => {
  const command = [process.execPath, "-e", "setInterval(() => {}, 1000)"] as const;
  const stopping = new AbortController();
  const checked = checkSql(input({}), { command, cpuMs: 10_000, signal: stopping.signal });
  stopping.abort();
  await expect(checked).rejects.toThrow("it was called off");
});

test("a process that cannot run is a failure and no problem of the SQL", async () => {
  const missing = checkSql(input({}), { command: ["/no/such/program"], cpuMs: 1_000 });
  await expect(missing).rejects.toThrow(CheckFailed);
  const failing = checkSql(input({}), { command: [process.execPath, "-e", "process.exit(3)"], cpuMs: 5_000 });
  await expect(failing).rejects.toThrow(/ended with code 3/);
});
